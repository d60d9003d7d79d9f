/** Next hops that another plugin chose, in a real Haraka, by every value of `routes`. */
import assert from 'node:assert/strict'
import path from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { HarakaOptions } from '../../lab/haraka.js'
import { startMxHost } from '../../lab/mx-host.js'
import { deliver, startRelays } from '../support/relays.js'
import type { Relays } from '../support/relays.js'

const SOMEWHERE = 'anything.example'

describe('a next hop chosen by another plugin', { concurrency: 4 }, () => {
  let relays: Relays
  before(async () => {
    relays = await startRelays({
      good: {},
      bad: { tlsa: 'wrong' },
      secret: { tlsa: 'wrong' },
      none: { tlsa: 'none' },
    })
  })
  after(() => relays.laboratory.stop())

  const nameOf = (label: string): string => `mx-${relays.domainOf(label)}`
  /** @param mx what the other plugin answers, in JavaScript */
  const routed = (mx: string): Partial<HarakaOptions> => ({
    plugins: ['router', 'dane'],
    ownPlugins: { router: `exports.hook_get_mx = (next) => next(OK, ${mx})` },
  })
  const toHost = (label: string, more = ''): Partial<HarakaOptions> =>
    routed(
      `{ exchange: '${nameOf(label)}', port: ${relays.laboratory.smtpPort}, priority: 0 ${more} }`,
    )
  const envelopesAt = (label: string, recipient: string): number =>
    relays.sessionsFor(label, recipient).length

  describe('routes = dane', () => {
    test('verified by its own TLSA records, at its real port', async () => {
      await relays.withRelay(
        toHost('good'),
        async (relay) => {
          const id = await relay.submit(`routed@${SOMEWHERE}`)
          assert.equal((await relay.outcomeOf(id)).kind, 'delivered')
          await relay.logged(` for ${nameOf('good')}`)
          assert.ok(relay.log(id).some((line) => line.includes('TLS success protocol TLSv1.3')))
          await relay.logged('delivered verified')
          const [line] = relay.log(id).filter((each) => each.includes('delivered verified'))
          assert.match(String(line), new RegExp(` domain=${SOMEWHERE} host=${nameOf('good')}`))
        },
        // The TLSA records are at the port of the route, not at this one.
        'port = 26',
      )
    })

    test('a host that does not match is refused, and gets no password', async () => {
      const route = toHost('secret', ", auth_user: 'relay', auth_pass: 'secret'")
      const passwords = (): number =>
        relays
          .hostOf('secret')
          .sessions.flatMap(({ commands }) => commands)
          .filter((line) => line.startsWith('AUTH')).length
      await relays.withRelay({ ...route, plugins: ['router'] }, async (relay) => {
        assert.equal(await deliver(relay, `stock@${SOMEWHERE}`), 'delivered over TLS')
        assert.equal(passwords(), 1)
      })
      await relays.withRelay(route, async (relay) => {
        assert.match(
          await deliver(relay, `routed-bad@${SOMEWHERE}`),
          /^deferred: server certificate not trusted \(certificate-mismatch\): mx-secret/,
        )
        assert.equal(passwords(), 1)
        assert.equal(envelopesAt('secret', `routed-bad@${SOMEWHERE}`), 0)
      })
    })

    test('bind is kept', async () => {
      await relays.withRelay(toHost('good', ", bind: '127.0.0.78'"), async (relay) => {
        assert.equal(await deliver(relay, `bound@${SOMEWHERE}`), 'delivered over TLS')
        const [session] = relays.sessionsFor('good', `bound@${SOMEWHERE}`)
        assert.equal(session?.from, '127.0.0.78')
      })
    })

    test('the second of two, when the first fails DANE', async () => {
      const hosts = ['bad', 'good'].map(
        (label) => `{ exchange: '${nameOf(label)}', port: ${relays.laboratory.smtpPort} }`,
      )
      await relays.withRelay(routed(`[${hosts.join(', ')}]`), async (relay) => {
        assert.equal(await deliver(relay, `second@${SOMEWHERE}`), 'delivered over TLS')
        assert.equal(envelopesAt('bad', `second@${SOMEWHERE}`), 0)
      })
    })

    test('a string HOST:PORT, as the relay plugin returns', async () => {
      await relays.withRelay(
        routed(`'${nameOf('bad')}:${relays.laboratory.smtpPort}'`),
        async (relay) => {
          assert.match(await deliver(relay, `text@${SOMEWHERE}`), /certificate-mismatch/)
          assert.equal(envelopesAt('bad', `text@${SOMEWHERE}`), 0)
        },
      )
    })

    test('a host without TLSA records: as without the plugin, deferred under mandatory', async () => {
      await relays.withRelay(
        toHost('none'),
        async (relay) => {
          assert.equal(await deliver(relay, `may@${SOMEWHERE}`), 'delivered over TLS')
          assert.match(
            await deliver(relay, 'must@mandatory.example'),
            /^deferred: no TLSA record \(no-tlsa-record\): mx-none/,
          )
        },
        '[domains]\nmandatory.example = mandatory\n',
      )
    })

    test('an address has no TLSA records: as without the plugin, deferred under mandatory', async () => {
      const mx = `{ exchange: '${relays.hostOf('bad').address}', port: ${relays.laboratory.smtpPort} }`
      await relays.withRelay(
        routed(mx),
        async (relay) => {
          assert.equal(await deliver(relay, `address@${SOMEWHERE}`), 'delivered over TLS')
          assert.match(
            await deliver(relay, 'address@mandatory.example'),
            /^deferred: non-DNSSEC destination \(address-literal\)/,
          )
        },
        '[domains]\nmandatory.example = mandatory\n',
      )
    })
  })

  test('routes = skip: delivered as without the plugin', async () => {
    await relays.withRelay(
      toHost('bad'),
      async (relay) => {
        assert.equal(await deliver(relay, `skipped@${SOMEWHERE}`), 'delivered over TLS')
      },
      'routes = skip',
    )
  })

  for (const policy of ['opportunistic', 'mandatory']) {
    test(`routes = defer, ${policy}: deferred, and the log names the option to change`, async () => {
      await relays.withRelay(
        toHost('good'),
        async (relay) => {
          const who = `held-${policy}@${SOMEWHERE}`
          assert.match(await deliver(relay, who), /^deferred: .*\(route-deferred\)/)
          await relay.logged('routes = dane verifies that host by its own TLSA records')
          assert.equal(envelopesAt('good', who), 0)
        },
        `policy = ${policy}\nroutes = defer`,
      )
    })
  }

  describe('DANE does not apply to LMTP and Unix sockets', () => {
    for (const policy of ['opportunistic', 'mandatory']) {
      test(`LMTP over TCP, ${policy}`, async () => {
        const recipient = `lmtp-${policy}@${SOMEWHERE}`
        await relays.withRelay(
          toHost('bad', ', using_lmtp: true'),
          async (relay) => {
            assert.match(await deliver(relay, recipient), /^delivered/)
            const [session] = relays.sessionsFor('bad', recipient)
            assert.equal(session?.commands[0]?.split(' ')[0], 'LHLO')
          },
          `policy = ${policy}`,
        )
      })

      test(`a Unix socket, ${policy}`, async () => {
        const socket = path.join(relays.laboratory.folder, `${policy}.sock`)
        const host = await startMxHost({
          address: '',
          port: 0,
          path: socket,
          misbehavior: 'no-starttls',
        })
        try {
          await relays.withRelay(
            routed(`{ exchange: '127.0.0.1', path: '${socket}', using_lmtp: true }`),
            async (relay) => {
              assert.match(await deliver(relay, `socket@${SOMEWHERE}`), /^delivered/)
              assert.deepEqual(host.sessions[0]?.delivered, [`socket@${SOMEWHERE}`])
            },
            `policy = ${policy}`,
          )
        } finally {
          await host.stop()
        }
      })
    }
  })
})
