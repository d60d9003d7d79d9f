/** Every line of the plugin about a message has the message's id, whatever went wrong. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { until } from '../../lab/child.js'
import { startDestinations } from '../../lab/destination.js'
import type { Laboratory } from '../../lab/laboratory.js'
import { PLACE } from '../../lab/rows.js'

const GOOD = `good.${PLACE.signed}`
const BAD = `bad.${PLACE.signed}`
const WATCHED = `watched.${PLACE.signed}`

/** Lines about no particular message: resolvers serve many, the rest is logged at start and exit. */
const OF_NO_MESSAGE =
  /\[dane\] (?:policy \w+, \d+ per-domain policies|resolver |query |response |cached |BOGUS |audit summary|no validating resolver available|\w+ may answer send_email)/

/** The bounce is a separate message to the sender at relay.example, with its own id. */
const OF_THE_BOUNCE = /\[[0-9A-F-]{36}\.\d+\] \[dane\] .* host=relay\.example /

describe('the id of the message', () => {
  let laboratory: Laboratory
  before(async () => {
    laboratory = await startDestinations({
      good: {},
      bad: { tlsa: 'wrong' },
      watched: { tlsa: 'wrong' },
    })
  })
  after(() => laboratory.stop())

  /** A plugin that tampers with the hmail in one hook, before or after ours. */
  const spoils = (hook: string, priority: number, code: string): string =>
    `exports.register = function () { this.register_hook('${hook}', 'spoil', ${priority}) }
exports.spoil = (next, hmail) => { ${code}; next() }`

  const throwOnRead = (times: string): string =>
    `const { domain } = hmail.todo; let n = 0
  Object.defineProperty(hmail.todo, 'domain', { get() { if (${times}) throw new Error('poison'); return domain } })`

  /** Logging our own lines at these levels throws, Haraka's lines work. */
  const breaks = (...levels: readonly string[]): string =>
    `for (const level of ${JSON.stringify(levels)}) {
  const real = hmail[level].bind(hmail)
  hmail[level] = (first, text, ...rest) => {
    if (/^audit|could not be reported/.test(String(text))) throw new Error('sabotage')
    return real(first, text, ...rest)
  }
}`

  type Case = readonly [
    circumstance: string,
    plugin: string | undefined,
    to: string,
    lines: readonly RegExp[],
  ]
  const cases: readonly Case[] = [
    [
      'delivered',
      undefined,
      GOOD,
      [/ plan domain=/, /TLS success .* for /, / delivered verified domain=\S+ host=mx/],
    ],
    ['refused and deferred', undefined, BAD, [/ plan /, /host refused/, /message deferred/]],
    ['returned', undefined, `nowhere.${PLACE.signed}`, [/message returned .*no-such-domain/]],
    ['audited', undefined, WATCHED, [/audit: host would be refused/, /audit: nothing enforced/]],
    [
      'could not be prepared',
      spoils('send_email', -100, throwOnRead('true')),
      GOOD,
      [/message held for 300 s, the attempt could not be prepared: poison/],
    ],
    [
      'could not be prepared at get_mx',
      spoils('get_mx', 99, throwOnRead(`!new Error().stack.includes('mail-log')`)),
      GOOD,
      [/unexpected error, message deferred: poison/],
    ],
    [
      'an exception while the plan is reported',
      spoils(
        'get_mx',
        99,
        `hmail.loginfo = (...parts) => { if (parts[1] === 'plan') throw new Error('sabotage') }`,
      ),
      GOOD,
      [/plan could not be reported: sabotage/],
    ],
    [
      'an exception while it is delivered',
      spoils(
        'get_mx',
        99,
        `Object.defineProperty(hmail, 'mxlist', { get() { throw new Error('sabotage') }, set() {} })`,
      ),
      GOOD,
      [/unexpected error, message deferred: sabotage/, /message deferred .*internal-error/],
    ],
    [
      'an exception in the audit',
      spoils('get_mx', 99, breaks('lognotice')),
      WATCHED,
      [/forecast could not be reported: sabotage/],
    ],
    [
      'its logger fails: logged without an id',
      spoils('get_mx', 99, breaks('lognotice', 'logerror')),
      WATCHED,
      [],
    ],
  ]

  for (const [circumstance, plugin, to, wanted] of cases) {
    test(circumstance, async () => {
      const relay = await laboratory.startRelay(
        'dane',
        plugin === undefined
          ? {}
          : { plugins: ['spoiler', 'dane'], ownPlugins: { spoiler: plugin } },
        `[domains]\n${WATCHED} = audit\n`,
      )
      // Another plugin has made the domain unreadable.
      const isPoisoned = plugin?.includes('poison') === true
      try {
        const id = await relay.submit(`someone@${to}`)
        const ours = (): readonly string[] => relay.log().filter((line) => line.includes('[dane]'))
        if (wanted.length === 0) {
          await until('a line without an id', () =>
            ours().some((line) => line.includes('[-] [dane] forecast could not be reported')),
          )
          return
        }
        for (const line of wanted) {
          await until(String(line), () => ours().some((each) => line.test(each))).catch(
            (error: unknown) => assert.fail(`${String(error)}\n${relay.log().join('\n')}`),
          )
        }
        const anonymous = ours().filter(
          (line) =>
            !line.includes(`[${id}.`) && !OF_NO_MESSAGE.test(line) && !OF_THE_BOUNCE.test(line),
        )
        assert.deepEqual(anonymous, [])
        const withoutDomain = ours().filter(
          (line) => line.includes(`[${id}.`) && !isPoisoned && !line.includes(` domain=${to}`),
        )
        assert.deepEqual(withoutDomain, [])
        assert.ok(relay.child.isRunning())
      } finally {
        await relay.stop()
      }
    })
  }
})
