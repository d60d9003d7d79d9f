/** Counting, bounding and adding up. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { createCollector, isSnapshot } from '../../src/metrics/collector.js'
import type { Collector, Snapshot } from '../../src/metrics/collector.js'
import { createCounts } from '../../src/metrics/counts.js'
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
  test('the first few are named, the rest are other, each by its own letters', () => {
    const { labelFor } = createDestinations(2, () => undefined)
    assert.equal(labelFor('A.example', 0), 'a.example')
    assert.equal(labelFor('b.example', 0), 'b.example')
    assert.equal(labelFor('c.example', 0), 'other')
    assert.equal(labelFor('a.example', 0), 'a.example')
    assert.equal(labelFor('evil\n"', 0), 'other')
  })

  test('who was not counted for a day leaves its place to another', () => {
    const forgotten: string[] = []
    const { labelFor } = createDestinations(2, (label) => forgotten.push(label))
    labelFor('a.example', 0)
    labelFor('b.example', 1)
    labelFor('a.example', DAY / 2)
    assert.equal(labelFor('c.example', DAY), 'other')
    assert.equal(labelFor('c.example', DAY + 1), 'c.example')
    assert.deepEqual(forgotten, ['b.example'])
  })

  test('none at all', () => {
    assert.equal(createDestinations(0, () => undefined).labelFor('a.example', 0), 'other')
  })

  test('a million names cost what the limit allows, and stay countable', async () => {
    const counts = createCounts(100, () => 0)
    for (let i = 0; i < 100_000; i++) counts.count({ of: 'mail', event: held(`d${i}.example`) })
    const text = await toText(await counts.snapshot())
    const named = text.match(/^dane_destination_deferrals_total\{.*$/gm) ?? []
    assert.equal(named.length, 101)
    assert.ok(named.includes('dane_destination_deferrals_total{destination="other"} 99900'))
  })

  test('what a name holds cannot break out of its line', async () => {
    const counts = createCounts(10, () => 0)
    counts.count({ of: 'mail', event: held('evil"} 1\nforged_metric 7\\') })
    const text = await toText(await counts.snapshot())
    assert.doesNotMatch(text, /^forged_metric/m)
    assert.match(text, /destination="evil\\"} 1\?forged_metric 7\\\\"} 1/)
  })
})

describe('workers', () => {
  type World = {
    living: number[]
    /** Who answers, and with how many deferrals. */
    answers: Map<number, number>
    collector: Collector
    /** Lets time pass. */
    late: () => void
    total: () => Promise<number>
  }

  async function snapshotOf(count: number): Promise<Snapshot> {
    const counts = createCounts(10, () => 0)
    counts.count({ of: 'settings', hasRedis: true })
    for (let i = 0; i < count; i++) counts.count({ of: 'mail', event: held('a.example') })
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
          // Through the pipe between processes everything goes as JSON.
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

  test('added up', async () => {
    const it = world()
    it.living = [1, 2]
    it.answers = new Map([
      [1, 3],
      [2, 4],
    ])
    assert.equal(await it.total(), 7)
  })

  test('one that does not answer counts as it last did, and nobody waits for ever', async () => {
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

  test('one that has ended stays counted, once, and its states do not', async () => {
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
    // Redis is what the process that is left knows of it.
    assert.match(text, /dane_redis_available\{what="read"\} 1/)
  })

  test('last words of one that ends are taken', async () => {
    const it = world()
    it.living = [1]
    it.answers = new Map([[1, 1]])
    await it.total()
    it.collector.take(1, undefined, await snapshotOf(6))
    it.living = []
    assert.equal(await it.total(), 6)
  })

  test('one that ends while it is asked holds nobody up', async () => {
    const it = world()
    it.living = [1, 2]
    it.answers = new Map([
      [1, 3],
      [2, -1],
    ])
    assert.equal(await it.total(), 3)
  })

  test('many who ask at once are one round', async () => {
    const it = world()
    it.living = [1]
    it.answers = new Map([[1, 3]])
    const all = Array.from({ length: 50 }, () => it.collector.collect())
    assert.equal(new Set(await Promise.all(all)).size, 1)
  })

  test('a resolver that one worker finds wanting is wanting', async () => {
    const counts = [true, false].map((isValidating) => {
      const each = createCounts(1, () => 0)
      const proof = isValidating
        ? ({ kind: 'validating' } as const)
        : ({ kind: 'failing', detail: '' } as const)
      const event = { kind: 'resolver', server: '127.0.0.1:53', proof, isFirst: true } as const
      each.count({ of: 'lookup', event })
      return each.snapshot()
    })
    const text = await toText(await sum(await Promise.all(counts)))
    assert.match(text, /dane_resolver_validating\{server="127.0.0.1:53"\} 0/)
  })
})
