/**
 * The next hop decides whether DANE applies (RFC 7672 §2.2.2): every form of a
 * recipient's address, every form of an answer to get_mx, every policy, in a real Haraka.
 *
 * What counts is what the mail hosts saw. A host that does not verify gets no
 * envelope, no AUTH and no data; a host that does gets its mail, which shows that the
 * absence of mail at the others is significant.
 */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { Haraka } from '../../lab/haraka.js'
import type { MxHost } from '../../lab/mx-host.js'
import { deliver, startRelays } from '../support/relays.js'
import type { Relays } from '../support/relays.js'

type Policy = 'none' | 'audit' | 'opportunistic' | 'mandatory'

/** What a host may get through an answer that leads to it. */
type Led = {
  /** JavaScript: `h` is the host {name, address, domain}, `good` the one that verifies, `port` theirs. */
  readonly answer: string
  /** Whether the answer names the domain of the host. */
  readonly isNamed: boolean
  /** The answer also leads to the good host. */
  readonly hasOther?: boolean
  /** Whether Haraka without the plugin could deliver with it. */
  readonly isUsable?: boolean
}

const ANSWERS: Readonly<Record<string, Led>> = {
  name: { answer: '{ exchange: h.name, port }', isNamed: true },
  'name in a list': { answer: '[{ exchange: h.name, port }]', isNamed: true },
  'name in upper case with a dot': {
    answer: "{ exchange: h.name.toUpperCase() + '.', port }",
    isNamed: true,
  },
  'name with credentials': {
    answer: "{ exchange: h.name, port, auth_user: 'relay', auth_pass: 'secret' }",
    isNamed: true,
  },
  'name with credentials and from_dns': {
    answer:
      "{ exchange: h.name, port, auth_user: 'relay', auth_pass: 'secret', from_dns: h.domain }",
    isNamed: true,
  },
  'text HOST:PORT': { answer: "h.name + ':' + port", isNamed: true },
  URL: { answer: "'smtp://relay:secret@' + h.name + ':' + port", isNamed: true },
  'path null': { answer: '{ path: null, exchange: h.name, port }', isNamed: true },
  'path empty': { answer: "{ path: '', exchange: h.name, port }", isNamed: true },
  'path false': { answer: '{ path: false, exchange: h.name, port }', isNamed: true },
  'path 0, using_lmtp 0': {
    answer: '{ path: 0, using_lmtp: 0, exchange: h.name, port }',
    isNamed: true,
  },
  'using_lmtp empty': { answer: "{ using_lmtp: '', exchange: h.name, port }", isNamed: true },
  'port as a string': { answer: '{ exchange: h.name, port: String(port) }', isNamed: true },
  'an own HarakaMx': { answer: 'new HarakaMx({ exchange: h.name, port })', isNamed: true },
  'another class': {
    answer: 'Object.assign(Object.create({ exchange: h.name }), { port })',
    isNamed: true,
  },
  'address with from_dns': {
    answer: '{ exchange: h.address, from_dns: h.name, port }',
    isNamed: true,
  },
  'address with from_dns in upper case': {
    answer: "{ exchange: h.address, from_dns: h.name.toUpperCase() + '.', port }",
    isNamed: true,
  },
  'address with from_dns, path empty': {
    answer: "{ path: '', exchange: h.address, from_dns: h.name, port }",
    isNamed: true,
  },
  'address as IPv6 with from_dns': {
    answer: "{ exchange: '::ffff:' + h.address, from_dns: h.name, port }",
    isNamed: true,
  },
  'net_utils.resolve_mx_hosts': {
    answer: 'await net_utils.resolve_mx_hosts([{ exchange: h.name, port }])',
    isNamed: true,
  },
  'net_utils.get_mx of its domain': {
    answer: '(await net_utils.get_mx(h.domain)).map((mx) => Object.assign(mx, { port }))',
    isNamed: true,
  },
  'net_utils.get_mx, resolved': {
    answer:
      'await net_utils.resolve_mx_hosts((await net_utils.get_mx(h.domain)).map((mx) => Object.assign(mx, { port })))',
    isNamed: true,
  },
  'two names, the other first': {
    answer: '[{ exchange: h.name, port }, { exchange: good.name, port }]',
    isNamed: true,
    hasOther: true,
  },
  'an address with from_dns, and a name': {
    answer: '[{ exchange: h.address, from_dns: h.name, port }, { exchange: good.name, port }]',
    isNamed: true,
    hasOther: true,
  },
  'a getter that changes its answer': {
    answer:
      '{ port, get exchange() { this.n = (this.n ?? 0) + 1; return this.n % 2 ? good.name : h.name } }',
    isNamed: true,
    isUsable: false,
  },
  'a getter in a HarakaMx': {
    answer:
      "Object.defineProperty(new HarakaMx({ exchange: h.name, port }), 'path', { get() { this.n = (this.n ?? 0) + 1; return this.n === 1 ? '/nowhere' : '' } })",
    isNamed: true,
    isUsable: false,
  },
  'exchange with a space': {
    answer: "{ exchange: h.name + ' ', port }",
    isNamed: true,
    isUsable: false,
  },
  'exchange as an object': {
    answer: '{ exchange: { toString: () => h.name }, port }',
    isNamed: true,
    isUsable: false,
  },
  'exchange in a list': { answer: '{ exchange: [h.name], port }', isNamed: true, isUsable: false },
  'exchange with an escape': {
    answer: "{ exchange: h.name.replace('-', '\\\\045'), port }",
    isNamed: true,
    isUsable: false,
  },
  'from_dns that is not a name': {
    answer: "{ exchange: h.address, from_dns: 'no name', port }",
    isNamed: true,
    isUsable: false,
  },
  'from_dns true': {
    answer: '{ exchange: h.address, from_dns: true, port }',
    isNamed: true,
    isUsable: false,
  },
  'bind_helo with a line break': {
    answer: "{ exchange: h.name, port, bind_helo: 'a\\r\\nMAIL FROM:<x@y.example>' }",
    isNamed: true,
    isUsable: false,
  },
  address: { answer: '{ exchange: h.address, port }', isNamed: false },
  'address with from_dns of an address': {
    answer: "{ exchange: h.address, from_dns: '[' + h.address + ']', port }",
    isNamed: false,
  },
  nothing: { answer: 'undefined', isNamed: false, isUsable: false },
  'an empty list': { answer: '[]', isNamed: false, isUsable: false },
  'an entry without a host': { answer: '{ port }', isNamed: false, isUsable: false },
}

const RECIPIENTS: Readonly<Record<string, (who: string, hosts: Hosts, label: string) => string>> = {
  'another domain': (who) => `${who}@other.example`,
  'its own domain': (who, hosts, label) => `${who}@${hosts[label]?.domain ?? ''}`,
  'an IPv4 literal': (who) => `${who}@[192.0.2.1]`,
  'an IPv6 literal': (who) => `${who}@[IPv6:2001:db8::1]`,
}

type Hosts = Readonly<Record<string, { name: string; address: string; domain: string }>>

const LABELS = ['good', 'bad', 'stripped'] as const

describe('the next hop decides', () => {
  let relays: Relays
  before(async () => {
    relays = await startRelays({
      good: {},
      bad: { tlsa: 'wrong' },
      stripped: { host: { misbehavior: 'no-starttls' } },
      none: { tlsa: 'none' },
    })
  })
  after(() => relays.laboratory.stop())

  const hostsOf = (): Hosts =>
    Object.fromEntries(
      LABELS.map((label) => {
        const domain = relays.domainOf(label)
        return [label, { name: `mx-${domain}`, address: relays.hostOf(label).address, domain }]
      }),
    )

  /** Answers by the number in the recipient's local part. */
  const router = (): string => `
const hosts = ${JSON.stringify(hostsOf())}
const good = hosts.good
const port = ${relays.laboratory.smtpPort}
let net_utils, HarakaMx
const answers = {
${Object.entries(ANSWERS)
  .map(([name, { answer }]) => `  ${JSON.stringify(name)}: async (h) => (${answer}),`)
  .join('\n')}
}
const names = Object.keys(answers)
exports.register = function () {
  net_utils = this.haraka_require('outbound').net_utils
  HarakaMx = net_utils.HarakaMx
}
exports.hook_get_mx = (next, hmail) => {
  const [, number, label] = /^n(\\d+)-([a-z]+)-/.exec(hmail.todo.rcpt_to[0].user) ?? []
  if (number === undefined) return next()
  answers[names[number]](hosts[label]).then((mx) => next(mx === undefined ? CONT : OK, mx), () => next())
}`

  const options = () => ({ plugins: ['router', 'dane'], ownPlugins: { router: router() } })

  /** Commands that a host that does not verify must not see. */
  const secretsAt = (host: MxHost, who: string): readonly string[] =>
    host.sessions
      .filter(({ commands }) => commands.some((line) => line.includes(`${who}@`)))
      .flatMap(({ commands }) => commands)
      .filter((line) => /^(MAIL|RCPT|AUTH|DATA)/i.test(line))

  /** All at once: a message for each answer and form of address that leads to this host. */
  async function sendAll(relay: Haraka, label: (typeof LABELS)[number], run: number) {
    const cases = Object.entries(ANSWERS).flatMap(([answer, led], number) =>
      Object.entries(RECIPIENTS).map(([form, address], at) => {
        const who = `n${number}-${label}-${at}-${run}`
        return {
          what: `${answer}; recipient in ${form}`,
          led,
          form,
          who,
          to: address(who, hostsOf(), label),
        }
      }),
    )
    return Promise.all(
      cases.map(async (each) => ({ ...each, became: await deliver(relay, each.to).catch(String) })),
    )
  }

  /** Whether the policy of the hop allows an address without a name. */
  const POLICIES: readonly (readonly [string, string, Policy])[] = [
    // dane.ini, policy of the hosts.
    ['opportunistic', 'policy = opportunistic\n', 'opportunistic'],
    ['mandatory', 'policy = mandatory\n', 'mandatory'],
    [
      'none for the recipients, opportunistic for the rest',
      'policy = opportunistic\n[domains]\nother.example = none\n',
      'opportunistic',
    ],
    [
      'audit for all except the hosts',
      'policy = audit\n[domains]\n.signed.example = mandatory\n',
      'mandatory',
    ],
  ]
  for (const [run, [title, daneIni, ofHosts]] of POLICIES.entries()) {
    describe(title, () => {
      for (const label of ['bad', 'stripped'] as const) {
        test(
          `a host that does not verify gets nothing: ${label}`,
          { timeout: 300_000 },
          async () => {
            await relays.withRelay(
              options(),
              async (relay) => {
                const all = await sendAll(relay, label, run)
                assert.ok(relay.child.isRunning(), relay.log().slice(-10).join('\n'))
                const host = relays.hostOf(label)
                const leaks = all
                  .filter(({ led }) => led.isNamed || ofHosts === 'mandatory')
                  // Under audit only the recipient's policy applies to an address without a host name.
                  .filter(
                    ({ led, form }) =>
                      led.isNamed || title === 'mandatory' || form === 'its own domain',
                  )
                  .flatMap(({ what, who, became }) =>
                    secretsAt(host, who).length > 0
                      ? [`${what}: ${became}: ${secretsAt(host, who).join(', ')}`]
                      : [],
                  )
                assert.deepEqual(leaks, [])
                for (const { what, led, who, became } of all) {
                  if (led.hasOther !== true) continue
                  assert.equal(became, 'delivered over TLS', what)
                  const copies = relays
                    .hostOf('good')
                    .sessions.flatMap(({ delivered }) => delivered)
                    .filter((to) => to.startsWith(`${who}@`))
                  assert.equal(copies.length, 1, what)
                }
              },
              daneIni,
            )
          },
        )
      }

      test(
        'a host that verifies gets its mail with every answer',
        { timeout: 300_000 },
        async () => {
          await relays.withRelay(
            options(),
            async (relay) => {
              const all = await sendAll(relay, 'good', run)
              const failures = all
                .filter(({ led }) => led.isUsable !== false)
                .filter(({ led }) => led.isNamed || ofHosts !== 'mandatory')
                .filter(({ became }) => became !== 'delivered over TLS')
                .map(({ what, became }) => `${what}: ${became}`)
              assert.deepEqual(failures, [])
            },
            daneIni,
          )
        },
      )
    })
  }

  describe('the policy of a hop', () => {
    const smarthost = (label: string) => ({
      plugins: ['smarthost', 'dane'],
      ownPlugins: {
        smarthost: `exports.hook_get_mx = (next) => next(OK, { exchange: 'mx-${relays.domainOf(label)}', port: ${relays.laboratory.smtpPort} })`,
      },
    })
    const bad = (): string => `mx-${relays.domainOf('bad')}`
    const cases: readonly (readonly [string, () => string, RegExp])[] = [
      ['none for the host', () => `[domains]\n${bad()} = none`, /^delivered over TLS$/],
      ['audit for the host', () => `[domains]\n${bad()} = audit`, /^delivered over TLS$/],
      [
        'none for the host, mandatory for the recipients',
        () => `[domains]\n${bad()} = none\nother.example = mandatory`,
        /^delivered over TLS$/,
      ],
      [
        'none by default, opportunistic for the host',
        () => `policy = none\n[domains]\n${bad()} = opportunistic`,
        /^deferred: .*\(certificate-mismatch\)/,
      ],
      [
        'none by default, opportunistic for the recipients',
        () => 'policy = none\n[domains]\nother.example = opportunistic',
        /^deferred: .*\(certificate-mismatch\)/,
      ],
      ['none for all', () => 'policy = none', /^delivered over TLS$/],
      ['audit for all', () => 'policy = audit', /^delivered over TLS$/],
      [
        'routes = skip',
        () => `routes = skip\n[domains]\n${bad()} = mandatory`,
        /^delivered over TLS$/,
      ],
    ]
    for (const [circumstance, daneIni, wanted] of cases) {
      test(circumstance, async () => {
        await relays.withRelay(
          smarthost('bad'),
          async (relay) => {
            const who = `hop-${circumstance.replace(/\W/g, '')}@other.example`
            assert.match(await deliver(relay, who), wanted)
          },
          `${daneIni()}\n`,
        )
      })
    }
  })

  test('a host that another plugin found through unvalidated DNS does not count as an MX host of the domain', async () => {
    const forged = `
exports.register = function () { this.HarakaMx = this.haraka_require('outbound').net_utils.HarakaMx }
exports.hook_get_mx = function (next, hmail, domain) {
  next(OK, [new this.HarakaMx({ exchange: 'mx-${relays.domainOf('none')}', port: ${relays.laboratory.smtpPort} }, domain)])
}`
    await relays.withRelay(
      { plugins: ['forged', 'dane'], ownPlugins: { forged } },
      async (relay) => {
        assert.match(
          await deliver(relay, `forged@${relays.domainOf('good')}`),
          /^deferred: .*\(no-plan\): mx-none/,
        )
        assert.deepEqual(secretsAt(relays.hostOf('none'), 'forged'), [])
      },
    )
  })

  for (const method of [
    'get_mx_respond',
    'try_deliver',
    'try_deliver_host_on_socket',
    'temp_fail',
  ]) {
    test(`a message that keeps its own ${method} is held`, async () => {
      const stubborn = `
exports.register = function () { this.register_hook('send_email', 'freeze', -100) }
exports.freeze = (next, hmail) => {
  Object.defineProperty(hmail, '${method}', { value: hmail['${method}'], writable: false })
  next()
}`
      await relays.withRelay(
        { plugins: ['stubborn', 'dane'], ownPlugins: { stubborn } },
        async (relay) => {
          await relay.submit(`stubborn-${method}@${relays.domainOf('bad')}`)
          await relay.logged(`message held for 300 s, the attempt could not be prepared: ${method}`)
          assert.deepEqual(secretsAt(relays.hostOf('bad'), `stubborn-${method}`), [])
        },
      )
    })
  }

  test('the list of an earlier attempt, returned again by another plugin', async () => {
    const again = `
exports.register = function () {
  this.register_hook('send_email', 'watch', -100)
  this.register_hook('get_mx', 'again')
}
let saved
exports.watch = (next, hmail) => {
  let list = []
  if (!saved) Object.defineProperty(hmail, 'mxlist', { configurable: true, get: () => list, set: (value) => { list = value; saved ??= [...value] } })
  next()
}
exports.again = (next) => saved ? next(OK, saved) : next()`
    await relays.withRelay(
      {
        plugins: ['again', 'dane'],
        ownPlugins: { again },
        files: { 'outbound.ini': 'local_mx_ok=true\ntemp_fail_intervals=5s*3\nconnect_timeout=5' },
      },
      async (relay) => {
        const id = await relay.submit(`again@${relays.domainOf('bad')}`)
        await relay.logged('(no-plan)')
        assert.ok(relay.log(id).some((line) => line.includes('certificate-mismatch')))
        assert.deepEqual(secretsAt(relays.hostOf('bad'), 'again'), [])
      },
    )
  })

  test('a bounce to an address literal follows the same rules', async () => {
    const to = `
exports.hook_get_mx = (next, hmail) => next(OK, { exchange: 'mx-${relays.domainOf('bad')}', port: ${relays.laboratory.smtpPort}, auth_user: 'relay', auth_pass: 'secret' })`
    await relays.withRelay(
      { plugins: ['smarthost', 'dane'], ownPlugins: { smarthost: to } },
      async (relay) => {
        const seen = relays.hostOf('bad').sessions.length
        const id = await relay.submit('nobody@[192.0.2.1]', 'evil@[192.0.2.2]')
        assert.match((await relay.outcomeOf(id)).kind, /deferred/)
        const later = relays.hostOf('bad').sessions.slice(seen)
        assert.deepEqual(
          later.flatMap(({ commands }) => commands).filter((line) => /^(MAIL|AUTH)/.test(line)),
          [],
        )
      },
    )
  })
})
