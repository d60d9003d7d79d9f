/**
 * What other plugins could do to mail that DANE protects: throw, hang, answer twice,
 * reject, answer instead of this one, overrule its answers.
 *
 * Where Haraka without the plugin would then send in clear text or to an unverified
 * host, that is shown first.
 */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { until } from '../../lab/child.js'
import type { HarakaOptions } from '../../lab/haraka.js'
import { startRedis } from '../../lab/redis.js'
import { deliver, startRelays } from '../support/relays.js'
import type { Relays } from '../support/relays.js'

const NO_RESOLVER = '[resolver]\nserver[] = 127.0.0.1:1\n'

/** A plugin with one hook before all others or after all others. */
const hooking = (hook: string, priority: number, body: string): Partial<HarakaOptions> => ({
  plugins: ['other', 'dane'],
  ownPlugins: {
    other: `exports.register = function () { this.register_hook('${hook}', 'act', ${priority}) }
exports.act = ${body}`,
  },
  files: {
    'outbound.ini': 'local_mx_ok=true\ntemp_fail_intervals=1h*3\nconnect_timeout=5',
    plugin_timeout: '2',
  },
})

describe('another plugin answers send_email at a retry, before our hook', () => {
  let relays: Relays
  before(async () => {
    relays = await startRelays({ first: { host: { misbehavior: 'greeting-554' } }, good: {} })
  })
  after(() => relays.laboratory.stop())

  for (const [circumstance, body] of [
    ['and at the first attempt', '(next) => next(OK)'],
    [
      'only at the retry',
      '(next, hmail) => (hmail.seen ? next(OK) : ((hmail.seen = true), next()))',
    ],
  ] as const) {
    test(`${circumstance}: the retry is delivered, and the queue goes on`, async () => {
      const host = relays.hostOf('first')
      host.misbehave('greeting-554')
      const options = hooking('send_email', -200, body)
      const outbound =
        'local_mx_ok=true\ntemp_fail_intervals=5s*5\nconnect_timeout=5\nconcurrency_max=1'
      const files = { ...options.files, 'outbound.ini': outbound }
      await relays.withRelay({ ...options, files }, async (relay) => {
        const who = `retry-${circumstance}`.replace(/\W/g, '')
        const id = await relay.submit(`${who}@${relays.domainOf('first')}`)
        assert.equal((await relay.outcomeOf(id)).kind, 'deferred')
        host.misbehave(undefined)
        await until('the retry', () =>
          relays
            .sessionsFor('first', `${who}@${relays.domainOf('first')}`)
            .some(({ delivered }) => delivered.length > 0),
        )
        assert.equal(
          await deliver(relay, `${who}@${relays.domainOf('good')}`),
          'delivered over TLS',
        )
      })
    })
  }
})

describe('other plugins', { concurrency: 4 }, () => {
  let relays: Relays
  before(async () => {
    relays = await startRelays({ good: {}, bad: { tlsa: 'wrong' } })
  })
  after(() => relays.laboratory.stop())

  const to = (label: string, who: string): string => `${who}@${relays.domainOf(label)}`
  const copiesAt = (label: string, recipient: string): number =>
    relays.sessionsFor(label, recipient).flatMap(({ delivered }) => delivered).length

  /** Before and after this plugin's hook (priority -100 at send_email, 100 at get_mx). */
  const misbehaviors: readonly (readonly [string, string])[] = [
    ['throws', "() => { throw new Error('sabotage') }"],
    ['never answers', '() => undefined'],
    ['answers twice', '(next) => { next(); next() }'],
    ['answers twice, once later', '(next) => { next(); setTimeout(next, 50) }'],
    ['answers OK', '(next) => next(OK)'],
    ['answers DENY', "(next) => next(DENY, 'no')"],
    ['answers DENYSOFT', "(next) => next(DENYSOFT, 'later')"],
    ['answers with an unknown code', '(next) => next(4711)'],
  ]
  for (const [circumstance, body] of misbehaviors) {
    for (const [place, priority] of [
      ['before us', -100],
      ['after us', 0],
    ] as const) {
      test(`send_email, another plugin ${place} ${circumstance}: delivered once and verified, or not delivered`, async () => {
        const who = `send-${place}-${circumstance}`.replace(/\W/g, '')
        await relays.withRelay(hooking('send_email', priority, body), async (relay) => {
          const [good, bad] = await Promise.all([
            deliver(relay, to('good', who)),
            deliver(relay, to('bad', who)),
          ])
          assert.equal(good, 'delivered over TLS')
          assert.match(bad, /^deferred: server certificate not trusted/)
          assert.ok(relay.child.isRunning())
          assert.equal(relay.log().filter((line) => line.includes('TLS success')).length, 1)
          assert.equal(copiesAt('good', to('good', who)), 1)
          assert.deepEqual(relays.sessionsFor('bad', to('bad', who)), [])
        })
      })
    }
  }

  const routers: readonly (readonly [string, string, RegExp])[] = [
    ['throws', "() => { throw new Error('sabotage') }", /^delivered over TLS$/],
    ['never answers', '() => undefined', /^deferred: Temporary MX lookup error/],
    ['answers twice', '(next) => { next(); next() }', /^delivered over TLS$/],
    [
      'answers twice, once later',
      '(next) => { next(); setTimeout(next, 50) }',
      /^delivered over TLS$/,
    ],
    [
      'answers DENYSOFT',
      "(next) => next(DENYSOFT, 'later')",
      /^deferred: Temporary MX lookup error/,
    ],
    ['answers DENY', "(next) => next(DENY, 'no')", /^bounced: No MX/],
    ['answers OK with nothing', '(next) => next(OK)', /^deferred: /],
    [
      'answers OK with nonsense',
      "(next) => next(OK, { exchange: { toString() { throw new Error('x') } }, port: -1 })",
      /^deferred: /,
    ],
    ['answers OK with an empty list', '(next) => next(OK, [])', /^deferred: /],
    ['answers with an unknown code', '(next) => next(4711)', /^(delivered over TLS|deferred: )/],
  ]
  for (const [circumstance, body, wanted] of routers) {
    test(`get_mx, another plugin ${circumstance}`, async () => {
      const who = `route-${circumstance}`.replace(/\W/g, '')
      await relays.withRelay(hooking('get_mx', 0, body), async (relay) => {
        const outcome = await deliver(relay, to('good', who))
        assert.match(outcome, wanted)
        assert.ok(relay.child.isRunning())
        // Time for a second delivery to show.
        await new Promise((resolve) => setTimeout(resolve, 300))
        assert.equal(copiesAt('good', to('good', who)), outcome.startsWith('delivered') ? 1 : 0)
        assert.ok(
          relays
            .sessionsFor('good', to('good', who))
            .every(({ recipients }) => recipients.every(({ isEncrypted }) => isEncrypted)),
        )
      })
    })
  }

  test('another plugin rejects its promise: Haraka ends, as without this plugin, and the message is kept for the next start', async () => {
    const other = hooking(
      'get_mx',
      0,
      `(next) => { if (require('node:fs').existsSync(__dirname + '/healed')) return next(); return Promise.reject(new Error('sabotage')) }`,
    )
    await relays.withRelay(other, async (relay) => {
      await relay.submit(to('good', 'rejected'))
      await relay.child.exited
      assert.equal(copiesAt('good', to('good', 'rejected')), 0)
      await relay.write('plugins/healed', '')
      await relay.restart('SIGKILL')
      await relay.logged('TLS success')
      await relay.logged('delivered file=')
      assert.equal(copiesAt('good', to('good', 'rejected')), 1)
    })
  })

  test('haraka-plugin-karma, with its defaults, overrules every DENYSOFT', async () => {
    const redis = await startRedis(relays.laboratory.folder)
    const karma = {
      files: {
        'outbound.ini': 'local_mx_ok=true\ntemp_fail_intervals=1h*3\nconnect_timeout=5',
        'redis.ini': `[server]\nhost=127.0.0.1\nport=${redis.port}`,
      },
    }
    try {
      const denier = { denier: "exports.hook_get_mx = (next) => next(DENYSOFT, 'later')" }
      await relays.withRelay(
        { ...karma, plugins: ['karma', 'denier'], ownPlugins: denier },
        async (relay) => {
          assert.match(await deliver(relay, to('bad', 'karma-stock')), /^delivered/)
          await relay.logged('by deny hook')
        },
      )
      await relays.withRelay(
        { ...karma, plugins: ['karma', 'dane'] },
        async (relay) => {
          assert.match(
            await deliver(relay, to('good', 'karma')),
            /^deferred: no validating resolver/,
          )
          await relay.logged('by deny hook')
          assert.deepEqual(relays.sessionsFor('good', to('good', 'karma')), [])
        },
        NO_RESOLVER,
      )
    } finally {
      await redis.child.stop()
    }
  })
})
