/** The plugin in a real Haraka: settings, hooks that fail, routes, log, bounces, cache. */
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { after, before, describe, test } from 'node:test'
import { until } from '../../lab/child.js'
import { startDestinations } from '../../lab/destination.js'
import { withLaboratory } from '../../lab/haraka.js'
import type { Haraka, HarakaOptions } from '../../lab/haraka.js'
import type { Laboratory } from '../../lab/laboratory.js'
import { PLACE } from '../../lab/rows.js'
import { startDnsServer } from '../support/dns-server.js'

const GOOD = `good.${PLACE.signed}`
const BAD = `bad.${PLACE.signed}`
const RELAY_HOST = `mx-good.${PLACE.signed}`

describe('the plugin in Haraka', { concurrency: 4 }, () => {
  let laboratory: Laboratory
  before(async () => {
    laboratory = await startDestinations({ good: {}, bad: { tlsa: 'wrong' } })
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
      ['unknown key', 'polcy = none', 'dane.ini line 2: unknown option polcy'],
      [
        'resolver that is not an address',
        '[resolver]\nserver[] = localhost',
        'dane.ini line 4: [resolver] server[] = localhost: expected an IP address',
      ],
      [
        'resolver at a port that any user of this machine can take over',
        '[resolver]\ntrust = no\nvalidation = resolver\nserver[] = 127.0.0.1:5353',
        'dane.ini line 5: [resolver] server[] = 127.0.0.1:5353: expected an IP address of this machine with a port below 1024',
      ],
      ['port 0', 'port = 0', 'dane.ini line 1: port = 0: expected a whole number from 1 to 65535'],
      [
        'domain that is not a name',
        '[domains]\nexa mple.org = none',
        'dane.ini line 3: [domains] exa mple.org = none: expected a domain name',
      ],
    ]
    for (const [circumstance, daneIni, wanted] of refused) {
      test(`the start is refused in one line that names the option: ${circumstance}`, async () => {
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

    test('a resolver that a local user can replace is named at start if trust = yes allows it', async () => {
      const server = `127.0.0.1:${laboratory.names.unboundPort}`
      const log = await withRelay({}, (relay) => Promise.resolve(relay.log()))
      assert.deepEqual(
        log.filter((line) => line.includes('(trust = yes)')),
        [
          `[WARN] [-] [dane] resolver ${server} is trusted at an unprivileged port (trust = yes): any local user can take over that port and disable DANE`,
        ],
      )
    })

    test('reloaded without a restart; an invalid file keeps the old settings', async () => {
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
          'dane.ini not reloaded, the previous settings remain in force: dane.ini line 2: policy = nonsense',
        )
        assert.equal((await relay.outcomeOf(await relay.submit(`two@${BAD}`))).kind, 'deferred')

        await write(`[domains]\n${BAD} = none\n`)
        await logged('dane.ini reloaded: policy opportunistic, 1 per-domain policies')
        assert.equal((await relay.outcomeOf(await relay.submit(`three@${BAD}`))).kind, 'delivered')
      })
    })
  })

  describe('failures end in deferral, and Haraka survives', () => {
    /** Submits to a domain with DANE and returns the outcome, then checks that Haraka still delivers. */
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
          // Our own line comes after Haraka's.
          if (outcome.kind === 'deferred') {
            await relay.logged('unexpected error', 1, 2_000).catch(() => undefined)
          }
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

    test('the log line of a plan cannot be written: delivered, verified, and logged as such', async () => {
      const spoiled = `exports.hook_get_mx = (next, hmail) => { hmail.loginfo = (...parts) => { if (parts[1] === 'plan') throw new Error('sabotage'); hmail.lognotice(...parts) }; next() }`
      await withRelay({ plugins: ['spoiled', 'dane'], ownPlugins: { spoiled } }, async (relay) => {
        const id = await relay.submit(`unlogged@${GOOD}`)
        assert.equal((await relay.outcomeOf(id)).kind, 'delivered')
        await relay.logged('plan could not be reported: sabotage')
        await relay.logged(`for ${GOOD}`)
      })
    })

    test('Haraka continues without our get_mx hook', async () => {
      // The effect of a timeout, an exception or an overruled answer: get_mx_respond without our decision.
      const { outcome } = await sabotaged(
        'skipping',
        `exports.register = function () { this.register_hook('get_mx', 'skip', 99) }
exports.skip = (next, hmail) => { setImmediate(() => { hmail.hooks_to_run = []; hmail.get_mx_respond(CONT) }) }`,
      )
      assert.equal(outcome, `deferred: delivery withheld by local policy (no-plan): ${GOOD}`)
    })

    test('another plugin calls found_mx with its own hosts', async () => {
      const { outcome } = await sabotaged(
        'found-mx',
        `exports.register = function () { this.register_hook('get_mx', 'find', 99) }
exports.find = (next, hmail) => { hmail.hooks_to_run = []; hmail.found_mx([{ exchange: '127.0.1.2', port: 1, priority: 0 }]) }`,
      )
      assert.equal(outcome, `deferred: delivery withheld by local policy (no-plan): ${GOOD}`)
    })

    test('another plugin adds its own host to the list', async () => {
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

    test('an override on the message throws once it has a connection', async () => {
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

    test('a late event cannot deliver a message that is back in the queue', async () => {
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

    test('the attempt cannot be prepared: the message is held', async () => {
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
                line.includes('message held for 300 s, the attempt could not be prepared: poison'),
              ),
          )
          // Held: not attempted, not counted as an attempt.
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

    test('the attempt cannot be prepared, and every other plugin interferes', async () => {
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

  test("the log: one line per decision, the gateways' phrase for success, lookups and cache at debug", async () => {
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

  test('a second message to the same domain sends no query', async () => {
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
