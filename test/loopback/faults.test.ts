/**
 * Each method of a message that Haraka or this plugin calls fails, one at a time, in a
 * real Haraka: it throws, rejects, works twice, or does nothing. For a host that
 * verifies, one that is refused and one that cannot be reached.
 *
 * Whichever fails, the message is delivered to a verified host, deferred, held or
 * bounced; Haraka survives, and the message's slot in the delivery queue is released.
 */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { until } from '../../lab/child.js'
import type { Haraka, HarakaOptions } from '../../lab/haraka.js'
import { startRelays } from '../support/relays.js'
import type { Relays } from '../support/relays.js'

const METHODS = [
  'send_email_respond',
  'get_mx',
  'get_mx_respond',
  'found_mx',
  'try_deliver',
  'try_deliver_host_on_socket',
  'get_force_tls',
  'extend_rcpt_with_dsn',
  'temp_fail',
  'deferred_respond',
  'convert_temp_failed_to_bounce',
  'bounce',
  'bounce_respond',
  'populate_bounce_message',
  'delivered',
  'delivered_respond',
  'discard',
  'data_stream',
  'loginfo',
  'lognotice',
  'logwarn',
  'logerror',
  'logcrit',
] as const

const FAULTS = ['throws', 'rejects', 'twice', 'never'] as const

const LABELS = ['good', 'bad', 'dead', 'nowhere'] as const

/**
 * Replaces one method below this plugin's overrides; the recipient says which one and how.
 * It logs Haraka's own count of messages in progress.
 */
const SABOTEUR = `
exports.register = function () {
  this.register_hook('send_email', 'spoil', -100)
  const outbound = this.haraka_require('outbound')
  const names = () => [...inProgress].map((hmail) => hmail.todo.rcpt_to[0].user + '@' + hmail.todo.domain)
  setInterval(() => this.lognotice('in progress: ' + outbound.get_stats() + ' ' + names().join(' ')), 500).unref()
}
const inProgress = new Set()
exports.spoil = (next, hmail) => {
  const free = hmail.next_cb
  inProgress.add(hmail)
  hmail.next_cb = () => { inProgress.delete(hmail); free() }
  const [, method, fault] = /^([a-z_]+)-([a-z]+)-/.exec(hmail.todo.rcpt_to[0].user) ?? []
  if (method && !hmail.spoilt && hmail.num_failures === 0) {
    hmail.spoilt = true
    const original = hmail[method].bind(hmail)
    let isIn = false
    hmail[method] = {
      throws: () => { throw new Error('sabotage of ' + method) },
      rejects: () => Promise.reject(new Error('sabotage of ' + method)),
      twice: (...args) => {
        if (isIn) return original(...args)
        isIn = true
        try { original(...args); return original(...args) } finally { isIn = false }
      },
      never: () => undefined,
    }[fault]
  }
  next()
}`

/** Methods whose result only Haraka handles; no override is involved. */
function isHarakasOwn(method: string, fault: string): boolean {
  // Haraka's own logging, whose result it ignores.
  return method.startsWith('log') && fault === 'rejects'
}

describe('each method of a message fails', () => {
  let relays: Relays
  before(async () => {
    relays = await startRelays({
      good: {},
      bad: { tlsa: 'wrong' },
      dead: { host: { isDown: true } },
    })
  })
  after(() => relays.laboratory.stop())

  const options: Partial<HarakaOptions> = {
    plugins: ['saboteur', 'dane'],
    ownPlugins: { saboteur: SABOTEUR },
    isLogInFile: true,
    files: {
      'outbound.ini': 'local_mx_ok=true\ntemp_fail_intervals=1h*3\nconnect_timeout=5',
      plugin_timeout: '5',
    },
  }

  const domainOf = (label: string): string =>
    label === 'nowhere'
      ? `nowhere.${relays.domainOf('good').replace('good.', '')}`
      : relays.domainOf(label)

  /** The outcome of a message, from Haraka's and the plugin's log lines. */
  function outcomeOf(relay: Haraka, id: string): string | undefined {
    const log = relay.log(id).join('\n')
    const words: readonly (readonly [RegExp, string])[] = [
      [/delivered file=/, 'delivered'],
      [/message held for/, 'held'],
      [/bouncing mail: /, 'returned'],
      [/Temp failing \S+ for/, 'deferred'],
      [/waits for the next start of Haraka|could not be removed/, 'named'],
      [/message (deferred|returned)/, 'deferred'],
    ]
    return words.find(([word]) => word.test(log))?.[1]
  }

  for (const fault of FAULTS) {
    test(`it ${fault}`, { timeout: 300_000 }, async () => {
      await relays.withRelay(options, async (relay) => {
        const methods = METHODS.filter((method) => !isHarakasOwn(method, fault))
        const messages = await Promise.all(
          methods.flatMap((method) =>
            LABELS.map(async (label) => {
              const to = `${method}-${fault}-x@${domainOf(label)}`
              return { what: `${method}, ${label}`, method, label, to, id: await relay.submit(to) }
            }),
          ),
        )
        const count = (): string =>
          relay
            .log()
            .filter((line) => line.includes('in progress:'))
            .at(-1) ?? ''
        const isFree = (): boolean => count().includes('in progress: 0/0/')
        await until('every place in the queue is free', isFree, {
          timeoutMs: 150_000,
          child: relay.child,
        }).catch(() => undefined)
        assert.ok(relay.child.isRunning(), relay.log().slice(-20).join('\n'))
        assert.ok(isFree(), count())
        // A broken log reports nothing.
        const stuck = messages.filter(
          ({ id, method }) => !method.startsWith('log') && outcomeOf(relay, id) === undefined,
        )
        assert.deepEqual(
          stuck.map(({ what, id }) => `${what}\n${relay.log(id).join('\n')}`),
          [],
        )
        for (const { what, method, label, to, id } of messages) {
          const outcome = outcomeOf(relay, id)
          const sessions = label === 'good' || label === 'bad' ? relays.sessionsFor(label, to) : []
          const copies = sessions.flatMap(({ delivered }) => delivered)
          assert.ok(copies.length <= 1, `${what}: ${copies.length} copies`)
          assert.ok(
            sessions.every(({ recipients }) => recipients.every(({ isEncrypted }) => isEncrypted)),
            what,
          )
          if (label !== 'good') assert.deepEqual(copies, [], what)
          if (copies.length === 1 && !method.startsWith('log')) {
            assert.match(String(outcome), /^(delivered|named)$/, what)
          }
        }
      })
    })
  }
})
