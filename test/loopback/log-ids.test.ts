/** Every line of ours that concerns a message bears the message's id, whatever went wrong. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { until } from '../../lab/child.js'
import { destination } from '../../lab/destination.js'
import { createAuthority, startLaboratory } from '../../lab/laboratory.js'
import type { Laboratory } from '../../lab/laboratory.js'
import { PLACE } from '../../lab/rows.js'

const GOOD = `good.${PLACE.signed}`
const BAD = `bad.${PLACE.signed}`
const WATCHED = `watched.${PLACE.signed}`

/** What belongs to no message: resolvers serve many, the rest is said at start and at the end. */
const OF_NO_MESSAGE =
  /\[dane\] (?:policy \w+, \d+ domains|resolver |query |response |cached |BOGUS |audit summary|no validating resolver is left|\w+ may answer send_email)/

describe('the id of the message', () => {
  let laboratory: Laboratory
  before(async () => {
    const started = await startLaboratory(async (port) => {
      const authority = await createAuthority()
      const all = await Promise.all([
        destination(port, authority, 'good'),
        destination(port, authority, 'bad', { tlsa: 'wrong' }),
        destination(port, authority, 'watched', { tlsa: 'wrong' }),
      ])
      return all.map(({ row }) => row)
    })
    laboratory = started.laboratory
  })
  after(() => laboratory.stop())

  /** A plugin that does something to the hmail in one hook, before or after ours. */
  const spoils = (hook: string, priority: number, code: string): string =>
    `exports.register = function () { this.register_hook('${hook}', 'spoil', ${priority}) }
exports.spoil = (next, hmail) => { ${code}; next() }`

  const throwOnRead = (times: string): string =>
    `const { domain } = hmail.todo; let n = 0
  Object.defineProperty(hmail.todo, 'domain', { get() { if (${times}) throw new Error('poison'); return domain } })`

  /** Our own lines at these levels throw, Haraka's go on. */
  const breaks = (...levels: readonly string[]): string =>
    `for (const level of ${JSON.stringify(levels)}) {
  const real = hmail[level].bind(hmail)
  hmail[level] = (first, text, ...rest) => {
    if (String(text).startsWith('audit')) throw new Error('sabotage')
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
    ['delivered', undefined, GOOD, [/ plan domain=/, /TLS success .* for /]],
    ['refused and deferred', undefined, BAD, [/ plan /, /host refused/, /message deferred/]],
    ['returned', undefined, `nowhere.${PLACE.signed}`, [/message returned .*no-such-domain/]],
    ['audited', undefined, WATCHED, [/audit: host would be refused/, /audit: nothing enforced/]],
    [
      'could not be armed',
      spoils('send_email', -100, throwOnRead('true')),
      GOOD,
      [/message held for 300 s, it could not be armed: poison/],
    ],
    [
      'could not be armed at get_mx',
      spoils('get_mx', 99, throwOnRead('n++ === 0')),
      GOOD,
      [/message deferred: poison/],
    ],
    [
      'an exception while it is decided',
      spoils(
        'get_mx',
        99,
        `hmail.loginfo = (...parts) => { if (parts[1] === 'plan') throw new Error('sabotage') }`,
      ),
      GOOD,
      [/message deferred .*internal-error/],
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
      [/audit: unexpected error, mail flows on: sabotage/],
    ],
    [
      'even its log is broken: said without an id rather than not at all',
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
      try {
        const id = await relay.submit(`someone@${to}`)
        const ours = (): readonly string[] => relay.log().filter((line) => line.includes('[dane]'))
        if (wanted.length === 0) {
          await until('a line without an id', () =>
            ours().some((line) => line.includes('[-] [dane] audit: unexpected error')),
          )
          return
        }
        for (const line of wanted) {
          await until(String(line), () => ours().some((each) => line.test(each))).catch(
            (error: unknown) => assert.fail(`${String(error)}\n${relay.log().join('\n')}`),
          )
        }
        const anonymous = ours().filter(
          (line) => !line.includes(`[${id}.`) && !OF_NO_MESSAGE.test(line),
        )
        assert.deepEqual(anonymous, [])
        assert.ok(relay.child.isRunning())
      } finally {
        await relay.stop()
      }
    })
  }
})
