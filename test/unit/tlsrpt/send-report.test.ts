/** Sending a report: once, everywhere its record says, and again where it was not accepted. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { endOf } from '../../../src/tlsrpt/day.js'
import type { MailMark } from '../../../src/tlsrpt/mail-mark.js'
import { rightOf } from '../../../src/tlsrpt/mail-right.js'
import type { PostResult } from '../../../src/tlsrpt/post.js'
import { MAX_PER_PLACE, noteRefusal } from '../../../src/tlsrpt/receivers.js'
import type { RecordLookup, ReportUri } from '../../../src/tlsrpt/record.js'
import { sendReport } from '../../../src/tlsrpt/send-report.js'
import type { ReportEvent } from '../../../src/report-event.js'
import type { QueueResult, SenderParts } from '../../../src/tlsrpt/send-report.js'
import { memoryReports } from '../../support/memory-reports.js'
import type { MemoryReports } from '../../support/memory-reports.js'
import { counts, DAY, day, detail, name, REPORTER, tlsa } from '../../support/report-samples.js'

const KEY = { day: DAY, domain: name('example.com') }
const MAIL: ReportUri = { kind: 'mailto', address: 'reports@example.com' }
const WEB: ReportUri = { kind: 'https', url: 'https://tls.example.com/report' }
const HOUR = 3_600_000

type World = {
  at: number
  lookup: RecordLookup
  posts: (() => PostResult)[]
  queueing: QueueResult
  /** Throws where the process is killed. */
  kill: (where: string) => void
  readonly store: MemoryReports
  readonly queued: MailMark[]
  /** Reports that the receiver has whole. */
  posted: number
  readonly events: ReportEvent[]
  readonly parts: SenderParts
}

class Killed extends Error {}

function world(...rua: readonly ReportUri[]): World {
  const [first = MAIL, ...rest] = rua
  let nonces = 0
  const w: World = {
    at: endOf(DAY) + HOUR,
    lookup: { kind: 'found', record: { rua: [first, ...rest] }, isSecure: true },
    posts: [],
    queueing: { kind: 'queued' },
    kill: () => undefined,
    store: memoryReports(() => w.at),
    queued: [],
    posted: 0,
    events: [],
    get parts() {
      return parts
    },
  }
  const parts: SenderParts = {
    store: w.store,
    findRecord: () => Promise.resolve(w.lookup),
    reporter: REPORTER,
    isOnlyFailures: false,
    isDnssecRequired: false,
    isExcluded: () => false,
    post: async (_, __, beforeLast) => {
      const result = w.posts.shift()?.() ?? { kind: 'accepted', detail: 'HTTP status 200' }
      if (result.kind === 'accepted' || result.kind === 'unknown') {
        if (!(await beforeLast())) return { kind: 'failed', detail: 'not ours' }
        w.kill('before the last octet')
        w.posted++
        w.kill('before the answer')
      }
      return result
    },
    queue: ({ key, to, nonce }) => {
      w.kill('before the queue')
      if (w.queueing.kind === 'queued') {
        w.queued.push({ ...key, to, nonce, at: w.at, body: '' })
      }
      w.kill('after the queue')
      return Promise.resolve(w.queueing)
    },
    now: () => w.at,
    nonce: () => `nonce-${++nonces}`,
    report: (event) => w.events.push(event),
  }
  w.store.put(counts('example.com'))
  return w
}

const send = async (w: World): Promise<string> => {
  try {
    return (await sendReport(w.parts, KEY)).kind
  } catch (error) {
    if (error instanceof Killed) return 'killed'
    throw error
  }
}

/** Messages that may leave the queue now. */
async function leaving(w: World): Promise<number> {
  const rights = await Promise.all(w.queued.map((mark) => rightOf(w.store, mark, w.at)))
  return rights.filter((right) => right === 'send').length
}

const outcomes = ({ events }: World): readonly string[] => events.map(({ outcome }) => outcome)

describe('a report', () => {
  test('RFC 8460 §3: goes to every rua, once', async () => {
    const w = world(MAIL, WEB, { kind: 'mailto', address: 'second@example.com' })
    assert.equal(await send(w), 'done')
    assert.equal(await send(w), 'not-ours')
    assert.deepEqual([w.posted, await leaving(w)], [1, 2])
    assert.deepEqual(outcomes(w), ['queued', 'accepted', 'queued'])
  })

  test('is sent by one of many processes', async () => {
    const w = world(MAIL, WEB)
    const results = await Promise.all(Array.from({ length: 20 }, () => send(w)))
    assert.equal(results.filter((kind) => kind === 'done').length, 1)
    assert.deepEqual([w.posted, await leaving(w)], [1, 1])
  })

  for (const [what, prepare] of [
    ['no record by now', (w: World) => (w.lookup = { kind: 'none' })],
    ['older than 48 hours', (w: World) => (w.at = endOf(DAY) + 48 * HOUR)],
    ['nothing counted', (w: World) => w.store.forget(day('2026-03-02'))],
  ] as const) {
    test(`is done without being sent: ${what}`, async () => {
      const w = world(MAIL, WEB)
      await prepare(w)
      assert.equal(await send(w), 'done')
      assert.deepEqual([w.posted, w.queued.length], [0, 0])
    })
  }

  for (const [what, more, sent] of [
    ['a day without failures', counts('example.com'), 0],
    [
      'a day with failures',
      counts('example.com', tlsa('mx.example.com', [], 1, [detail('tlsa-invalid', 1)])),
      1,
    ],
  ] as const) {
    test(`only_failures: ${what}`, async () => {
      const w = world(MAIL)
      w.store.put(more)
      await sendReport({ ...w.parts, isOnlyFailures: true }, KEY)
      assert.equal(w.queued.length, sent)
    })
  }

  for (const [isRequired, isSecure, sent, wanted] of [
    [true, false, [0, 0], ['spared', 'spared']],
    [true, true, [1, 1], ['queued', 'accepted']],
    [false, false, [1, 1], ['queued', 'accepted']],
  ] as const) {
    test(`[TLSRPT-73] require_dnssec ${isRequired}, record signed ${isSecure}`, async () => {
      const w = world(MAIL, WEB)
      w.lookup = { kind: 'found', record: { rua: [MAIL, WEB] }, isSecure }
      const parts = { ...w.parts, isDnssecRequired: isRequired }
      assert.equal((await sendReport(parts, KEY)).kind, 'done')
      assert.deepEqual([w.posted, await leaving(w)], sent)
      assert.deepEqual(outcomes(w), wanted)
      assert.ok(w.events.every((event) => event.isSecure === isSecure))
    })
  }

  test('[TLSRPT-73] what left while the record was signed stays, nothing else leaves', async () => {
    const w = world(MAIL, WEB)
    w.posts = [() => ({ kind: 'failed', detail: 'HTTP status 503' })]
    const parts = { ...w.parts, isDnssecRequired: true }
    const first = await sendReport(parts, KEY)
    assert.ok(first.kind === 'later')
    w.at = first.at
    w.lookup = { kind: 'found', record: { rua: [MAIL, WEB] }, isSecure: false }
    assert.equal((await sendReport(parts, KEY)).kind, 'done')
    assert.deepEqual([w.posted, await leaving(w)], [0, 1])
    assert.deepEqual(outcomes(w), ['queued', 'failed', 'spared'])
  })

  test('a domain that is excluded gets none', async () => {
    const w = world(MAIL)
    await sendReport({ ...w.parts, isExcluded: () => true }, KEY)
    assert.equal(w.queued.length, 0)
  })
})

describe('RFC 8460 §5.5: a report that was not accepted', () => {
  test('is tried again with growing pauses, elsewhere only once, and given up after 24 hours', async () => {
    const w = world(WEB, MAIL)
    const first = w.at
    const pauses: number[] = []
    w.posts = Array.from({ length: 100 }, () => () => ({
      kind: 'failed',
      detail: 'HTTP status 503',
    }))
    for (;;) {
      const result = await sendReport(w.parts, KEY)
      if (result.kind !== 'later') break
      assert.equal(await send(w), 'not-ours')
      pauses.push(result.at - w.at)
      w.at = result.at
    }
    assert.ok(w.at - first < 24 * HOUR)
    assert.ok(w.at - first > 18 * HOUR)
    assert.deepEqual(
      pauses,
      pauses.toSorted((a, b) => a - b),
    )
    assert.equal(w.queued.length, 1)
    assert.equal(outcomes(w).at(-1), 'given-up')
    assert.equal(await send(w), 'not-ours')
  })

  test('is tried again while DNS does not answer', async () => {
    const w = world(MAIL)
    const found = w.lookup
    w.lookup = { kind: 'failed', detail: 'timeout' }
    const result = await sendReport(w.parts, KEY)
    assert.ok(result.kind === 'later')
    w.at = result.at
    w.lookup = found
    assert.equal(await send(w), 'done')
    assert.equal(await leaving(w), 1)
  })

  test('an unknown outcome is not repeated', async () => {
    const w = world(WEB)
    w.posts = [() => ({ kind: 'unknown', detail: 'no answer within 60 s' })]
    assert.equal(await send(w), 'done')
    assert.deepEqual(outcomes(w), ['unknown'])
  })
})

describe('a receiver that refuses', () => {
  test('is left alone for 1, 2, 4 to 30 days', async () => {
    const w = world(WEB)
    const days: number[] = []
    for (let round = 0; round < 7; round++) {
      const left = await noteRefusal(w.store, WEB, w.at)
      assert.equal(await noteRefusal(w.store, WEB, w.at), left, 'one at a time')
      days.push(left)
      w.at += left * 24 * HOUR
    }
    assert.deepEqual(days, [1, 2, 4, 8, 16, 30, 30])
  })

  test('gets no report meanwhile, and the others do', async () => {
    const w = world(WEB, MAIL)
    await noteRefusal(w.store, WEB, w.at)
    assert.equal(await send(w), 'done')
    assert.deepEqual([w.posted, outcomes(w)], [0, ['spared', 'queued']])
  })

  test('is remembered from an answer 4xx, and forgotten when it accepts', async () => {
    const w = world(WEB)
    w.posts = [() => ({ kind: 'refused', detail: 'HTTP status 403' })]
    await send(w)
    assert.deepEqual(outcomes(w), ['refused'])
    w.at += 25 * HOUR
    const next = { ...KEY, domain: name('other.example') }
    w.store.put(counts('other.example'))
    assert.equal((await sendReport(w.parts, next)).kind, 'done')
    assert.equal(await noteRefusal(w.store, WEB, w.at + 2_000), 1)
  })

  test(`gets ${MAX_PER_PLACE} reports a day at most, whoever names it`, async () => {
    const w = world(MAIL)
    for (let index = 0; index < MAX_PER_PLACE + 20; index++) {
      const domain = name(`d${index}.example`)
      w.store.put(counts(domain))
      await sendReport(w.parts, { day: DAY, domain })
    }
    assert.equal(w.queued.length, MAX_PER_PLACE)
    assert.equal(outcomes(w).filter((outcome) => outcome === 'spared').length, 20)
  })
})

describe('a kill at any moment', () => {
  const operations = ['claim', 'read', 'recall', 'tally', 'note', 'remember']
  const places = [
    'before the queue',
    'after the queue',
    'before the last octet',
    'before the answer',
  ]

  for (const where of [...operations, ...places]) {
    for (const nth of [1, 2, 3, 4, 5]) {
      test(`${where}, the ${nth}. time: no report twice, none lost`, async () => {
        const w = world(MAIL, WEB)
        let left = nth
        const die = (at: string): void => {
          if (at !== where || left < 1) return
          left--
          if (left > 0) return
          // A killed process releases nothing.
          w.store.before = (operation) => {
            throw new Killed(operation)
          }
          throw new Killed(where)
        }
        w.store.before = die
        w.kill = die
        const result = await send(w)
        w.store.before = () => undefined
        w.kill = () => undefined
        if (left > 0) {
          assert.equal(result, 'done')
          return
        }
        assert.equal(result, 'killed')
        // The next process comes when the lease has ended.
        w.at += 4 * 60_000
        const next = await send(w)
        assert.ok(next === 'done' || next === 'not-ours', next)
        assert.equal(await leaving(w), 1, 'mail')
        // Only an answer that nobody saw leaves it open whether the report arrived.
        const isOpen = where === 'before the last octet'
        assert.ok(w.posted === 1 || (isOpen && w.posted === 0), `posted ${w.posted} times`)
      })
    }
  }

  test('a message that nobody noted leaves the queue only once another one is ruled out', async () => {
    const w = world(MAIL)
    w.kill = (at) => {
      if (at === 'after the queue') throw new Killed(at)
    }
    w.store.before = (operation) => {
      if (operation === 'release') throw new Killed(operation)
    }
    await send(w)
    assert.deepEqual([w.queued.length, await leaving(w)], [1, 0])
    const [mark] = w.queued
    assert.ok(mark)
    assert.equal(await rightOf(w.store, mark, w.at + 1_000), 'wait')
    assert.equal(await rightOf(w.store, mark, w.at + HOUR), 'drop')
    assert.equal(await rightOf(w.store, mark, w.at + 24 * HOUR), 'expired')
    // A store that has lost everything cannot send it again.
    await w.store.forget(day('2026-03-02'))
    assert.equal(await rightOf(w.store, mark, w.at + HOUR), 'send')
  })

  test('a process that has lost its claim stops, and its message stays', async () => {
    const w = world(MAIL)
    const slow: SenderParts = {
      ...w.parts,
      queue: async (mail) => {
        const result = await w.parts.queue(mail)
        // In the meantime the lease ends, and another process sends the report.
        w.at += 4 * 60_000
        assert.equal(await send(w), 'done')
        return result
      },
    }
    assert.equal((await sendReport(slow, KEY)).kind, 'not-ours')
    assert.equal(w.queued.length, 2)
    assert.equal(await leaving(w), 1)
  })
})
