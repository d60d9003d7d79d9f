/** The plugin in a real Haraka: settings, hooks that fail, routes, log, bounces, cache. */
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { after, before, describe, test } from 'node:test'
import { until } from '../../lab/child.js'
import { destination } from '../../lab/destination.js'
import { withLaboratory } from '../../lab/haraka.js'
import type { Haraka, HarakaOptions } from '../../lab/haraka.js'
import { createAuthority, startLaboratory } from '../../lab/laboratory.js'
import type { Laboratory } from '../../lab/laboratory.js'
import { PLACE } from '../../lab/rows.js'
import { startDnsServer } from '../support/dns-server.js'

const GOOD = `good.${PLACE.signed}`
const BAD = `bad.${PLACE.signed}`
const RELAY_HOST = `mx-good.${PLACE.signed}`

describe('the plugin in Haraka', { concurrency: 4 }, () => {
  let laboratory: Laboratory
  before(async () => {
    const started = await startLaboratory(async (port) => {
      const authority = await createAuthority()
      const all = await Promise.all([
        destination(port, authority, 'good'),
        destination(port, authority, 'bad', { tlsa: 'wrong' }),
      ])
      return all.map(({ row }) => row)
    })
    laboratory = started.laboratory
  })
  after(() => laboratory.stop())

  const envelopesAt = (host: string, recipient: string): number =>
    (laboratory.hosts.get(host)?.sessions ?? [])
      .flatMap(({ recipients }) => recipients)
      .filter(({ to }) => to === recipient).length

  async function withRelay<T>(
    more: Partial<HarakaOptions>,
    work: (relay: Haraka) => Promise<T>,
    daneIni = '',
  ): Promise<T> {
    const relay = await laboratory.startRelay('dane', more, daneIni)
    try {
      return await work(relay)
    } finally {
      await relay.stop()
    }
  }

  describe('settings', () => {
    const refused: readonly (readonly [string, string, string])[] = [
      [
        'unknown policy',
        'policy = mandatroy',
        'dane.ini line 2: policy = mandatroy: expected one of none, audit, opportunistic, mandatory',
      ],
      [
        'unknown key',
        'polcy = none',
        'dane.ini line 2: polcy = none: expected an option that exists',
      ],
      [
        'resolver that is no address',
        '[resolver]\nserver[] = localhost',
        'dane.ini line 3: [resolver] server[] = localhost: expected an IP address',
      ],
      ['port 0', 'port = 0', 'dane.ini line 1: port = 0: expected a whole number from 1 to 65535'],
      [
        'domain that is no domain',
        '[domains]\nexa mple.org = none',
        'dane.ini line 3: [domains] exa mple.org = none: expected a domain name',
      ],
    ]
    for (const [circumstance, daneIni, wanted] of refused) {
      test(`refused at start in one line that names the option: ${circumstance}`, async () => {
        await withRelay(
          { mayFail: true },
          async (relay) => {
            assert.equal(relay.child.isRunning(), false)
            assert.equal(await relay.child.exited, 1)
            const lines = relay.log().filter((line) => line.includes('dane.ini'))
            assert.equal(lines.length, 1, relay.child.output())
            assert.ok(lines[0]?.includes(wanted), lines[0])
          },
          daneIni,
        )
      })
    }

    test('reloaded without a restart; what is not understood keeps the old settings', async () => {
      await withRelay({}, async (relay) => {
        const write = (text: string): Promise<void> =>
          writeFile(
            path.join(relay.folder, 'config/dane.ini'),
            withLaboratory(text, laboratory.names.unboundPort, laboratory.smtpPort),
          )
        const logged = (text: string): Promise<void> =>
          until(text, () => relay.log().some((line) => line.includes(text)))
        assert.equal((await relay.outcomeOf(await relay.submit(`one@${BAD}`))).kind, 'deferred')

        await write('policy = nonsense\n')
        await logged(
          'dane.ini not reloaded, the old settings stay: dane.ini line 2: policy = nonsense',
        )
        assert.equal((await relay.outcomeOf(await relay.submit(`two@${BAD}`))).kind, 'deferred')

        await write(`[domains]\n${BAD} = none\n`)
        await logged('dane.ini reloaded: policy opportunistic, 1 domains of their own')
        assert.equal((await relay.outcomeOf(await relay.submit(`three@${BAD}`))).kind, 'delivered')
      })
    })
  })

  describe('what fails ends in deferral, and Haraka lives', () => {
    /** Submits to a domain with DANE and returns what became of it, then shows that Haraka still delivers. */
    async function sabotaged(
      name: string,
      code: string,
      daneIni = '',
    ): Promise<{ log: string; outcome: string }> {
      return withRelay(
        { plugins: [name, 'dane'], ownPlugins: { [name]: code }, logLevel: 'DEBUG' },
        async (relay) => {
          const id = await relay.submit(`sabotage-${name}@${GOOD}`)
          const outcome = await relay.outcomeOf(id)
          assert.ok(relay.child.isRunning())
          assert.equal(envelopesAt(RELAY_HOST, `sabotage-${name}@${GOOD}`), 0)
          return {
            log: relay.log().join('\n'),
            outcome: outcome.kind === 'deferred' ? `deferred: ${outcome.reason}` : outcome.kind,
          }
        },
        daneIni,
      )
    }

    test('our get_mx hook meets an exception', async () => {
      const { outcome, log } = await sabotaged(
        'throwing-log',
        `exports.hook_get_mx = (next, hmail) => { hmail.loginfo = (...parts) => { if (parts[1] === 'plan') throw new Error('sabotage'); hmail.lognotice(...parts) }; next() }`,
      )
      assert.equal(outcome, `deferred: delivery withheld by local policy (internal-error): ${GOOD}`)
      assert.match(log, /reason=internal-error .*sabotage/)
    })

    test('Haraka goes on without our get_mx hook', async () => {
      // What a timeout, an exception or an overruled answer come to: get_mx_respond without our decision.
      const { outcome } = await sabotaged(
        'skipping',
        `exports.register = function () { this.register_hook('get_mx', 'skip', 99) }
exports.skip = (next, hmail) => { setImmediate(() => { hmail.hooks_to_run = []; hmail.get_mx_respond(CONT) }) }`,
      )
      assert.equal(outcome, `deferred: delivery withheld by local policy (no-plan): ${GOOD}`)
    })

    test('somebody calls found_mx with hosts of its own', async () => {
      const { outcome } = await sabotaged(
        'found-mx',
        `exports.register = function () { this.register_hook('get_mx', 'find', 99) }
exports.find = (next, hmail) => { hmail.hooks_to_run = []; hmail.found_mx([{ exchange: '127.0.1.2', port: 1, priority: 0 }]) }`,
      )
      assert.equal(outcome, `deferred: delivery withheld by local policy (no-plan): ${GOOD}`)
    })

    test('somebody puts a host of its own into the list', async () => {
      const { outcome } = await sabotaged(
        'list',
        `exports.hook_get_mx = (next, hmail) => {
  Object.defineProperty(hmail, 'mxlist', { get() { return [{ exchange: '127.0.1.2', port: 1, priority: 0 }] }, set() {} })
  next()
}`,
      )
      assert.equal(outcome, `deferred: delivery withheld by local policy (no-plan): ${GOOD}`)
    })

    test('the list of hosts cannot be read', async () => {
      const { outcome, log } = await sabotaged(
        'reading',
        `exports.hook_get_mx = (next, hmail) => {
  Object.defineProperty(hmail, 'mxlist', { get() { throw new Error('sabotage') }, set() {} })
  next()
}`,
      )
      assert.equal(outcome, `deferred: delivery withheld by local policy (internal-error): ${GOOD}`)
      assert.match(log, /unexpected error, message deferred: sabotage/)
    })

    test("a promise of Haraka's own is rejected", async () => {
      const { outcome, log } = await sabotaged(
        'writing',
        `exports.hook_get_mx = (next, hmail) => {
  Object.defineProperty(hmail, 'mxlist', { get() { return [] }, set() { throw new Error('sabotage') } })
  next()
}`,
      )
      assert.equal(outcome, `deferred: delivery withheld by local policy (internal-error): ${GOOD}`)
      assert.match(log, /unexpected error, message deferred: sabotage/)
    })

    test('what is set on the message throws when its connection is there', async () => {
      const { outcome, log } = await sabotaged(
        'setting',
        `exports.hook_get_mx = (next, hmail) => {
  let times = 0
  Object.defineProperty(hmail, 'force_tls', { get() { return true }, set() { if (++times === 2) throw new Error('sabotage') } })
  next()
}`,
      )
      assert.equal(outcome, `deferred: delivery withheld by local policy (internal-error): ${GOOD}`)
      assert.match(log, /unexpected error, message deferred: sabotage/)
    })

    test('a late event would deliver what is back in the queue', async () => {
      const late = `exports.hook_get_mx = (next, hmail) => {
  let list = []
  Object.defineProperty(hmail, 'mxlist', { get() { return list }, set(all) { list = all; hmail.kept = [...all] } })
  next()
}
exports.hook_deferred = (next, hmail) => {
  next()
  setTimeout(() => { hmail.mxlist.push(...hmail.kept); hmail.loginfo('late'); hmail.try_deliver() }, 100)
}`
      await withRelay({ plugins: ['late', 'dane'], ownPlugins: { late } }, async (relay) => {
        const id = await relay.submit(`late@${BAD}`)
        assert.equal((await relay.outcomeOf(id)).kind, 'deferred')
        await relay.logged('late')
        await new Promise((resolve) => setTimeout(resolve, 500))
        const count = (text: string): number =>
          relay.log(id).filter((line) => line.includes(text)).length
        assert.equal(count('Temp failing'), 1)
        assert.equal(count('secured'), 0)
        assert.equal(count('host refused'), 1)
      })
    })

    test('a deferral is overruled by another plugin', async () => {
      const { outcome } = await sabotaged(
        'overruling',
        `exports.hook_deny = (next) => next(OK)`,
        `[domains]\n${GOOD} = opportunistic\n[resolver]\nserver[] = 127.0.0.1:1\n`,
      )
      assert.equal(outcome, `deferred: no validating resolver (no-resolver): ${GOOD}`)
    })

    test('the message cannot be armed: it is held', async () => {
      await withRelay(
        {
          plugins: ['poison', 'dane'],
          ownPlugins: {
            poison: `exports.register = function () { this.register_hook('send_email', 'poison', -100) }
exports.poison = (next, hmail) => {
  const { domain } = hmail.todo
  Object.defineProperty(hmail.todo, 'domain', {
    get() {
      if (new Error().stack.split('\\n')[2].includes('haraka-plugin-dane')) throw new Error('poison')
      return domain
    },
  })
  next()
}`,
          },
        },
        async (relay) => {
          await relay.submit(`held@${GOOD}`)
          await until('held', () =>
            relay
              .log()
              .some((line) =>
                line.includes('message held for 300 s, it could not be armed: poison'),
              ),
          )
          // Held: not tried, not counted as tried.
          await new Promise((resolve) => setTimeout(resolve, 300))
          assert.deepEqual(
            relay.log().filter((line) => /Temp failing|message deferred/.test(line)),
            [],
          )
          assert.ok(relay.child.isRunning())
          assert.equal(envelopesAt(RELAY_HOST, `held@${GOOD}`), 0)
        },
      )
    })

    test('the message cannot be armed, and every other plugin is against us', async () => {
      const { outcome, log } = await sabotaged(
        'against-us',
        `exports.register = function () {
  this.register_hook('send_email', 'answer', -100)
  this.register_hook('get_mx', 'poison', 99)
  this.register_hook('deny', 'overrule')
}
exports.answer = (next) => next(OK)
exports.poison = (next, hmail) => {
  const { domain } = hmail.todo
  let times = 0
  Object.defineProperty(hmail.todo, 'domain', {
    get() {
      if (times++ === 0) throw new Error('poison')
      return domain
    },
  })
  next()
}
exports.overrule = (next) => next(OK)`,
      )
      assert.equal(outcome, 'deferred: delivery withheld by local policy (internal-error)')
      assert.match(log, /deny\(soft\?\) overridden by deny hook/)
    })

    test('the resolver never answers', async () => {
      const silent = await startDnsServer(() => [])
      const { outcome } = await sabotaged(
        'plain',
        '',
        `[resolver]\nserver[] = 127.0.0.1:${silent.port}\ntimeout = 1s\n`,
      )
      await silent.stop()
      assert.equal(outcome, `deferred: no validating resolver (no-resolver): ${GOOD}`)
    })

    test('the resolver never answers and lookups may take longer than hooks', async () => {
      const silent = await startDnsServer(() => [])
      await withRelay(
        { files: { plugin_timeout: '3' } },
        async (relay) => {
          const outcome = await relay.outcomeOf(await relay.submit(`late@${GOOD}`))
          assert.match(
            JSON.stringify(outcome),
            /deferred.*host or domain name not found \(mx-lookup-failed\)/,
          )
        },
        `[resolver]\nserver[] = 127.0.0.1:${silent.port}\ntimeout = 10s\n`,
      )
      await silent.stop()
    })
  })

  test("the log: one line a decision, the gateways' phrase for success, lookups and cache at debug", async () => {
    await withRelay({ logLevel: 'DEBUG' }, async (relay) => {
      const id = await relay.submit(`log@${GOOD}`)
      await relay.outcomeOf(id)
      const lines = relay.log().filter((line) => line.includes('[dane]'))
      const plans = lines.filter((line) => line.includes(' plan '))
      assert.equal(plans.length, 1)
      assert.match(
        plans[0] ?? '',
        new RegExp(
          `\\[INFO\\] \\[${id}[.0-9]+\\] \\[dane\\] plan domain=${GOOD} policy=opportunistic route=mx mx=SECURE hosts="${RELAY_HOST} authenticate \\(1 usable\\)"`,
        ),
      )
      assert.equal(lines.filter((line) => /TLS success.*for/.test(line)).length, 1)
      assert.match(
        lines.join('\n'),
        new RegExp(
          `TLS success protocol TLSv1.3 cipher TLS_[A-Z0-9_]+ for ${GOOD} host=${RELAY_HOST} record="3 1 1 [0-9a-f]{16}\\.\\.\\." depth=0`,
        ),
      )
      const debug = lines.filter((line) => line.includes('[DEBUG]')).join('\n')
      assert.match(
        debug,
        new RegExp(`query MX ${GOOD} to 127.0.0.1:${laboratory.names.unboundPort}`),
      )
      assert.match(debug, new RegExp(`response MX ${GOOD}: SECURE ttl=\\d+ 10 ${RELAY_HOST}`))
      assert.match(debug, new RegExp(`response AAAA ${RELAY_HOST}: NODATA SECURE ttl=\\d+`))
      assert.match(
        debug,
        new RegExp(
          `cached TLSA _${laboratory.smtpPort}._tcp.${RELAY_HOST}: SECURE ttl=\\d+ 3 1 1 [0-9a-f]{16}`,
        ),
      )
    })
  })

  test('a second message to the same domain asks nothing', async () => {
    await withRelay({ logLevel: 'DEBUG' }, async (relay) => {
      const queries = (): number =>
        relay.log().filter((line) => line.includes('[dane] query ')).length
      await relay.outcomeOf(await relay.submit(`first@${GOOD}`))
      assert.equal(queries(), 4)
      await relay.outcomeOf(await relay.submit(`second@${GOOD}`))
      assert.equal(queries(), 4)
    })
  })
})
