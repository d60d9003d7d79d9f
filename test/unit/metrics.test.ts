/** Counting, bounded labels, and the sum over workers. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { createCollector, isSnapshot } from '../../src/metrics/collector.js'
import type { Collector, Snapshot } from '../../src/metrics/collector.js'
import { createCounts } from '../../src/metrics/counts.js'
import { createMeters } from '../../src/metrics/meters.js'
import type { Meters } from '../../src/metrics/meters.js'
import type { Lookup } from '../../src/lookup.js'
import { name } from '../support/names.js'
import { Registry } from 'prom-client'
import { createDestinations } from '../../src/metrics/destinations.js'
import { sum, toText } from '../../src/metrics/snapshot.js'
import type { MailEvent } from '../../src/mail-event.js'

const DAY = 86_400_000

const held = (destination: string): MailEvent => ({
  kind: 'settled',
  policy: 'opportunistic',
  outcome: 'deferred',
  destination,
  refusal: { reason: 'certificate-mismatch', host: 'mx', detail: '' },
  isKnown: false,
})

describe('destinations', () => {
  test('the first ones get a label of their own, regardless of case; the rest count as other', () => {
    const { labelFor } = createDestinations(2, () => undefined)
    assert.equal(labelFor('A.example', 0), 'a.example')
    assert.equal(labelFor('b.example', 0), 'b.example')
    assert.equal(labelFor('c.example', 0), 'other')
    assert.equal(labelFor('a.example', 0), 'a.example')
    assert.equal(labelFor('evil\n"', 0), 'other')
  })

  test('a destination not counted for a day gives its place to another', () => {
    const forgotten: string[] = []
    const { labelFor } = createDestinations(2, (label) => forgotten.push(label))
    labelFor('a.example', 0)
    labelFor('b.example', 1)
    labelFor('a.example', DAY / 2)
    assert.equal(labelFor('c.example', DAY), 'other')
    assert.equal(labelFor('c.example', DAY + 1), 'c.example')
    assert.deepEqual(forgotten, ['b.example'])
  })

  test('a limit of 0: no destination has a label', () => {
    assert.equal(createDestinations(0, () => undefined).labelFor('a.example', 0), 'other')
  })

  test('the number of labels is bounded by the limit, and all names are counted', async () => {
    const counts = createCounts(100, () => 0)
    for (let i = 0; i < 100_000; i++) counts.count({ kind: 'mail', event: held(`d${i}.example`) })
    const text = await toText(await counts.snapshot())
    const named = text.match(/^dane_destination_deferrals_total\{.*$/gm) ?? []
    assert.equal(named.length, 101)
    assert.ok(named.includes('dane_destination_deferrals_total{destination="other"} 99900'))
  })

  test('a destination name cannot break out of its line', async () => {
    const counts = createCounts(10, () => 0)
    counts.count({ kind: 'mail', event: held('evil"} 1\nforged_metric 7\\') })
    const text = await toText(await counts.snapshot())
    assert.doesNotMatch(text, /^forged_metric/m)
    assert.match(text, /destination="evil\\"} 1\?forged_metric 7\\\\"} 1/)
  })
})

describe('workers', () => {
  type World = {
    living: number[]
    /** Which workers answer, and with how many deferrals. */
    answers: Map<number, number>
    collector: Collector
    /** Advances the clock. */
    late: () => void
    total: () => Promise<number>
  }

  async function snapshotOf(count: number): Promise<Snapshot> {
    const counts = createCounts(10, () => 0)
    counts.count({ kind: 'settings', hasRedis: true })
    for (let i = 0; i < count; i++) counts.count({ kind: 'mail', event: held('a.example') })
    return counts.snapshot()
  }

  function world(): World {
    let alarm = (): void => undefined
    const it: World = {
      living: [],
      answers: new Map(),
      late: () => alarm(),
      collector: createCollector({
        workers: () => it.living,
        own: () => snapshotOf(0),
        sum,
        schedule(_, action) {
          alarm = action
          return () => undefined
        },
        ask(worker, round) {
          const count = it.answers.get(worker)
          if (count === -1) throw new Error('gone')
          if (count === undefined) return
          // Everything between processes goes through a pipe as JSON.
          snapshotOf(count).then(
            (counted) => {
              const copy: unknown = JSON.parse(JSON.stringify(counted))
              assert.ok(isSnapshot(copy))
              it.collector.take(worker, round, copy)
            },
            () => undefined,
          )
        },
      }),
      async total() {
        return deferrals(await it.collector.collect())
      },
    }
    return it
  }

  async function deferrals(snapshot: Snapshot): Promise<number> {
    const line = /^dane_destination_deferrals_total\{destination="a.example"\} (\d+)$/m
    return Number(line.exec(await toText(snapshot))?.[1] ?? 0)
  }

  test('counts of all workers are summed', async () => {
    const it = world()
    it.living = [1, 2]
    it.answers = new Map([
      [1, 3],
      [2, 4],
    ])
    assert.equal(await it.total(), 7)
  })

  test('a worker that does not answer keeps its last counts, and the wait is bounded', async () => {
    const it = world()
    it.living = [1, 2]
    it.answers = new Map([
      [1, 3],
      [2, 4],
    ])
    await it.total()
    it.answers = new Map([[1, 5]])
    const total = it.collector.collect()
    setTimeout(it.late, 50)
    const text = await toText(await total)
    assert.equal(await deferrals(await total), 9)
    assert.match(text, /dane_processes\{state="answered"\} 2/)
    assert.match(text, /dane_processes\{state="silent"\} 1/)
  })

  test('the counters of a worker that has exited are kept, once; its gauges are dropped', async () => {
    const it = world()
    it.living = [1, 2]
    it.answers = new Map([
      [1, 3],
      [2, 4],
    ])
    await it.total()
    it.living = [1, 3]
    it.answers = new Map([
      [1, 3],
      [3, 1],
    ])
    assert.equal(await it.total(), 8)
    it.collector.take(2, undefined, await snapshotOf(4))
    assert.equal(await it.total(), 8)
    it.living = []
    const text = await toText(await it.collector.collect())
    assert.match(text, /destination="a.example"\} 8$/m)
    // The state of Redis is as seen by the remaining process.
    assert.match(text, /dane_redis_available\{what="read"\} 1/)
  })

  test('the final counts that a worker sends as it exits are included', async () => {
    const it = world()
    it.living = [1]
    it.answers = new Map([[1, 1]])
    await it.total()
    it.collector.take(1, undefined, await snapshotOf(6))
    it.living = []
    assert.equal(await it.total(), 6)
  })

  test('a worker that exits while being asked does not delay the page', async () => {
    const it = world()
    it.living = [1, 2]
    it.answers = new Map([
      [1, 3],
      [2, -1],
    ])
    assert.equal(await it.total(), 3)
  })

  test('simultaneous requests share one round', async () => {
    const it = world()
    it.living = [1]
    it.answers = new Map([[1, 3]])
    const all = Array.from({ length: 50 }, () => it.collector.collect())
    assert.equal(new Set(await Promise.all(all)).size, 1)
  })

  test('a resolver that is down for one worker is shown as down', async () => {
    const counts = [true, false].map((isValidating) => {
      const each = createCounts(1, () => 0)
      const result = isValidating
        ? ({ kind: 'validating' } as const)
        : ({ kind: 'failing', detail: '' } as const)
      const event = {
        kind: 'resolver',
        server: '127.0.0.1:53',
        result,
        isFirst: true,
        isOptional: false,
      } as const
      each.count({ kind: 'lookup', event })
      return each.snapshot()
    })
    const text = await toText(await sum(await Promise.all(counts)))
    assert.match(text, /dane_resolver_validating\{server="127.0.0.1:53"\} 0/)
  })
})

describe('lookups', () => {
  const common = { canonicalName: name('mx.example'), aliases: [], expiresAt: 0 } as const
  const cases: readonly (readonly [string, Lookup])[] = [
    ['secure', { kind: 'found', records: [], security: 'secure', ...common }],
    ['insecure', { kind: 'found', records: [], security: 'insecure', ...common }],
    ['nodata', { kind: 'absent', reason: 'nodata', security: 'secure', ...common }],
    ['nxdomain', { kind: 'absent', reason: 'nxdomain', security: 'secure', ...common }],
    ['bogus', { kind: 'failed', cause: 'bogus', detail: '', extendedErrors: [] }],
    ['timeout', { kind: 'failed', cause: 'timeout', detail: '', extendedErrors: [] }],
  ]
  for (const [status, lookup] of cases) {
    test(`status ${status}`, async () => {
      const counts = createCounts(10, () => 0)
      const question = { name: name('mx.example'), type: 'A', server: '127.0.0.1:53' } as const
      const event = { kind: 'response', ...question, lookup, milliseconds: 1 } as const
      counts.count({ kind: 'lookup', event })
      const text = await toText(await counts.snapshot())
      assert.match(text, new RegExp(`^dane_lookups_total{type="A",status="${status}"} 1$`, 'm'))
    })
  }
})

test('a wrong metric or label does not compile', () => {
  // Never called: the compiler reports a line that is no error.
  const wrong = ({ add, set, time }: Meters): void => {
    // @ts-expect-error a gauge cannot be added to
    add('dane_resolvers_out')
    // @ts-expect-error a counter cannot be set
    set(true, 'dane_rollovers_total')
    // @ts-expect-error no such metric
    add('dane_rollover_total')
    // @ts-expect-error the labels are missing
    add('dane_answers_total')
    // @ts-expect-error one of two labels is missing
    add('dane_lookups_total', { type: 'A' })
    // @ts-expect-error no such label
    add('dane_answers_total', { layer: 'dns', type: 'A' })
    // @ts-expect-error a metric without labels
    add('dane_rollovers_total', { policy: 'mandatory' })
    // @ts-expect-error a metric without labels
    time(1, 'dane_plan_duration_seconds', { type: 'A' })
  }
  assert.equal(typeof wrong, 'function')
  assert.doesNotThrow(() => {
    createMeters(new Registry()).add('dane_rollovers_total')
  })
})
