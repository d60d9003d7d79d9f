/** The store with a Redis that is healthy, slow, down, full, silent or hostile, on a simulated clock. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { createCachingResolver } from '../../../src/cache/caching-resolver.js'
import { composeFact } from '../../../src/cache/entry.js'
import { composeEpoch, epochKey } from '../../../src/cache/epoch.js'
import { createMemoryStore } from '../../../src/cache/memory-store.js'
import { QUICK_MS, REST_MS } from '../../../src/cache/patience.js'
import { createRedisStore } from '../../../src/cache/redis-store.js'
import { composeEntry } from '../../../src/cache/seal.js'
import { OURS, THEIRS } from '../../../src/cache/shared-store.js'
import type { Fact, LookupEvent } from '../../../src/lookup.js'
import { createClock } from '../../support/clock.js'
import { name } from '../../support/names.js'
import { createRedisMap } from '../../support/redis-map.js'

const MX = name('mx.example')
const KEY = 'p:2:A:mx.example'
const CLAIM = 'p:2:claim:A:mx.example'
const VAULT = { prefix: 'p:', secret: undefined }
const EPOCH = '0001750000000000.0123456789abcdef'
const TIMEOUT = 100
const PATIENCE = 2_000

/** A store on that map; it knows the epoch unless Redis is not available yet. */
async function store(started = Promise.resolve(), isInOrder = true, isKnown = true) {
  const clock = createClock()
  const redis = createRedisMap(clock, isInOrder)
  const news: string[] = []
  let lead = 0
  const open = () =>
    createRedisStore({
      commands: redis.commands,
      started,
      vault: VAULT,
      timeoutMs: TIMEOUT,
      patienceMs: PATIENCE,
      maxTtlMs: 3_600_000,
      now: () => clock.now() + lead,
      wall: clock.now,
      nonce: () => '00000000000000ff',
      schedule: clock.schedule,
      flush: () => undefined,
      observe: (event: LookupEvent) => {
        if (event.kind === 'redis') news.push(`${event.what}: ${event.fault ?? 'well'}`)
      },
    })
  const fact: Fact = {
    kind: 'found',
    records: [{ type: 'A', address: '192.0.2.1' }],
    security: 'secure',
    canonicalName: MX,
    aliases: [],
    expiresAt: clock.now() + 60_000,
  }
  redis.put(epochKey(VAULT), composeEpoch(VAULT, EPOCH), undefined)
  const made = open()
  if (isKnown) await made.look()
  redis.said.length = 0
  return {
    ...made,
    ...{ clock, redis, news, fact, open },
    said: redis.said,
    /** An entry written by another relay. */
    plant: (): void => {
      const entry = { epoch: EPOCH, askedAt: clock.now(), lifeMs: 60_000, body: composeFact(fact) }
      redis.put(KEY, composeEntry(VAULT, KEY, entry), entry.lifeMs)
    },
    /** Makes this process's clock run ahead of the wall clock. */
    isAhead: (milliseconds: number) => (lead = milliseconds),
  }
}

/** The promise's value, or 'nothing yet'. */
async function soFar<T>(promise: Promise<T>): Promise<T | 'nothing yet'> {
  const pause = new Promise<'nothing yet'>((resolve) => {
    setImmediate(() => resolve('nothing yet'))
  })
  return Promise.race([promise, pause])
}

describe('a healthy Redis', () => {
  test('release stores the fact for its lifetime and removes the lease', async () => {
    const { claim, release, find, redis, fact } = await store()
    assert.deepEqual(await claim(MX, 'A', 0), OURS)
    assert.deepEqual(await claim(MX, 'A', 0), THEIRS)
    await release(MX, 'A', fact)
    assert.deepEqual(redis.keys(), [epochKey(VAULT), KEY])
    assert.equal(redis.left(KEY), 60_000)
    assert.deepEqual(await find(MX, 'A'), fact)
    assert.equal(await find(MX, 'AAAA'), undefined)
    assert.deepEqual(await claim(MX, 'A', fact.expiresAt), OURS)
  })

  test('a hit is one round trip of two commands', async () => {
    const { find, plant, said, redis } = await store()
    plant()
    redis.isSilent()
    const finding = find(MX, 'A')
    assert.equal(await soFar(finding), 'nothing yet')
    assert.deepEqual(said, [`read ${KEY}`])
  })

  for (const isInOrder of [true, false]) {
    const how = isInOrder ? 'one connection' : 'several nodes'
    test(`${how}: a fact written between the read and the lease is used, and the lease released`, async () => {
      const { claim, redis, said, fact, plant } = await store(Promise.resolve(), isInOrder)
      plant()
      assert.deepEqual(await claim(MX, 'A', 0), { kind: 'known', fact })
      assert.deepEqual(said, [`setNew ${CLAIM}`, `read ${KEY}`, `remove ${CLAIM}`])
      redis.put(CLAIM, '1', 2_000)
      assert.deepEqual(await claim(MX, 'A', 0), { kind: 'known', fact })
      assert.ok(redis.text(CLAIM), 'the claim of another process stays')
      redis.drop(CLAIM)
      assert.deepEqual(await claim(MX, 'A', fact.expiresAt), OURS, 'not outlived')
      assert.deepEqual(await claim(MX, 'A', fact.expiresAt), THEIRS)
      assert.deepEqual(await claim(MX, 'A', fact.expiresAt - 1_000), { kind: 'known', fact })
    })
  }

  test('release removes only its own lease', async () => {
    const { release, redis, fact } = await store()
    redis.put(CLAIM, '1', 2_000)
    await release(MX, 'A', fact)
    assert.ok(redis.text(CLAIM))
  })

  test('the same fact read again does not count as newer, though clocks differ by a fraction of a millisecond', async () => {
    const { claim, plant, fact, isAhead } = await store()
    plant()
    isAhead(0.7)
    assert.deepEqual(await claim(MX, 'A', fact.expiresAt), OURS)
  })

  test('a Cluster: nothing is read before the lease is taken', async () => {
    const { claim, said, redis } = await store(Promise.resolve(), false)
    redis.isSilent()
    assert.equal(await soFar(claim(MX, 'A', 0)), 'nothing yet')
    assert.deepEqual(said, [`setNew ${CLAIM}`])
  })

  test('a clock that runs ahead does not extend an entry: expiry follows the wall clock', async () => {
    const { release, find, redis, fact, isAhead } = await store()
    isAhead(5_000)
    const ours = { ...fact, expiresAt: fact.expiresAt + 5_000 }
    await release(MX, 'A', ours)
    assert.equal(redis.left(KEY), 60_000)
    assert.deepEqual(await find(MX, 'A'), ours)
    isAhead(0)
    assert.deepEqual(await find(MX, 'A'), fact, 'as others have it')
  })

  test('the Redis key expires with the fact, to the millisecond', async () => {
    const { release, redis, fact } = await store()
    await release(MX, 'A', { ...fact, expiresAt: fact.expiresAt - 0.5 })
    assert.equal(redis.left(KEY), 59_999)
  })

  test('the fact expires with its Redis key, even if the reply is slow', async () => {
    const { find, plant, redis, clock, fact } = await store()
    plant()
    redis.takes(90)
    const finding = find(MX, 'A')
    await clock.advance(90)
    assert.deepEqual(await soFar(finding), fact)
  })

  test('an expired fact is not written, and its lease is removed', async () => {
    const { claim, release, clock, redis, fact } = await store()
    await claim(MX, 'A', 0)
    await clock.advance(60_000)
    await release(MX, 'A', fact)
    assert.deepEqual(redis.keys(), [epochKey(VAULT)])
  })

  test('a waiting process gets the fact as soon as it is stored', async () => {
    const { find, open, clock, fact } = await store()
    const other = open()
    await other.look()
    assert.equal(await other.find(MX, 'A'), undefined)
    const finding = find(MX, 'A')
    await clock.advance(50)
    assert.equal(await soFar(finding), 'nothing yet')
    await other.release(MX, 'A', fact)
    await clock.advance(100)
    const found = await soFar(finding)
    assert.ok(typeof found === 'object' && found.expiresAt <= fact.expiresAt)
    assert.deepEqual({ ...found, expiresAt: fact.expiresAt }, fact)
  })

  test('waiting for a process that found nothing, or died, ends with its lease', async () => {
    const { find, redis, clock } = await store()
    redis.put(CLAIM, '1', 2_000)
    const finding = find(MX, 'A')
    await clock.advance(50)
    redis.drop(CLAIM)
    await clock.advance(100)
    assert.equal(await soFar(finding), undefined)
  })

  test('no wait exceeds the limit', async () => {
    const { find, redis, clock } = await store()
    redis.put(CLAIM, '1', 2_000)
    const finding = find(MX, 'A')
    await clock.advance(PATIENCE - 200)
    assert.equal(await soFar(finding), 'nothing yet')
    redis.put(CLAIM, '1', 2_000)
    await clock.advance(200)
    assert.equal(await soFar(finding), undefined)
  })

  test('a value that is not a valid entry is a miss', async () => {
    const { find, redis, plant } = await store()
    plant()
    const good = redis.text(KEY) ?? ''
    for (const text of ['', 'garbage', '- {}', `v3 ${good}`, `${good}x`, 'x'.repeat(2_000_000)]) {
      redis.put(KEY, text, 60_000)
      assert.equal(await find(MX, 'A'), undefined)
      redis.drop(CLAIM)
    }
    redis.put(KEY, good, undefined)
    assert.equal(await find(MX, 'A'), undefined, 'without an expiry')
  })

  test('an unknown epoch is read first', async () => {
    const { find, plant, fact } = await store(Promise.resolve(), true, false)
    plant()
    assert.deepEqual(await find(MX, 'A'), fact)
  })

  test('after a lapse no stored entry is accepted, and no entry or lease is written', async () => {
    const { find, release, lapse, plant, redis, fact, clock } = await store()
    plant()
    await release(MX, 'AAAA', { ...fact, kind: 'absent', reason: 'nodata' })
    const finding = find(MX, 'A')
    lapse()
    assert.equal(await finding, undefined)
    await clock.advance(10)
    const keys = redis.keys()
    assert.equal(await find(MX, 'A'), undefined)
    await release(MX, 'A', fact)
    assert.deepEqual(redis.keys(), keys)
  })
})

describe('forged leases', () => {
  for (const [circumstance, life] of [
    ['without an expiry', undefined],
    ['with an expiry that no relay sets', 2_001],
  ] as const) {
    test(`${circumstance}: not waited for, replaced, and finally removed`, async () => {
      const { find, claim, release, redis, fact } = await store()
      redis.put(CLAIM, 'planted', life)
      assert.equal(await find(MX, 'A'), undefined)
      assert.equal(redis.left(CLAIM), 2_000)
      await release(MX, 'A', fact)
      assert.equal(redis.text(CLAIM), undefined)
      redis.put(CLAIM, 'planted', life)
      assert.deepEqual(await claim(MX, 'A', fact.expiresAt), OURS, 'for a renewal')
    })
  }

  test('after one wait in vain there is no waiting for a while', async () => {
    const { find, redis, clock } = await store()
    const plant = (): void => redis.put(CLAIM, '1', 2_000)
    plant()
    const first = find(MX, 'A')
    for (let i = 0; i < 40; i++) {
      plant()
      await clock.advance(PATIENCE / 40)
    }
    assert.equal(await soFar(first), undefined)
    for (let i = 0; i < 10; i++) {
      plant()
      assert.equal(await soFar(find(MX, 'A')), undefined)
      await clock.advance(REST_MS / 11)
    }
    await clock.advance(REST_MS)
    plant()
    assert.equal(await soFar(find(MX, 'A')), 'nothing yet')
  })

  test('a wait in vain ends the other waits', async () => {
    const { find, redis, clock } = await store()
    const plant = (): void => {
      for (const type of ['A', 'AAAA']) redis.put(`p:2:claim:${type}:mx.example`, '1', 2_000)
    }
    plant()
    const first = find(MX, 'A')
    await clock.advance(1_500)
    plant()
    const second = find(MX, 'AAAA')
    await clock.advance(500)
    assert.equal(await soFar(first), undefined)
    await clock.advance(QUICK_MS)
    assert.equal(await soFar(second), undefined)
  })
})

describe('however slow and hostile Redis is', () => {
  /** Sequential lookups that one plan may need: MX, addresses, alias, two TLSA bases. */
  const ROUNDS = 5
  for (const [isInOrder, steps] of [
    [true, 2],
    [false, 3],
  ] as const) {
    test(`a plan is delayed by at most ${steps} timeouts per lookup and one maximum wait: ${isInOrder ? 'one server' : 'a Cluster'}`, async () => {
      const { redis, clock, ...shared } = await store(Promise.resolve(), isInOrder)
      const { find, claim, release } = shared
      redis.takes(TIMEOUT - 1)
      const resolver = createCachingResolver({
        inner: {
          lookup: (_, type) =>
            Promise.resolve({ ...shared.fact, kind: 'absent', reason: 'nodata', type }),
        },
        memory: createMemoryStore(100),
        shared: { find, claim, release },
        minTtlMs: 0,
        maxTtlMs: 3_600_000,
        now: clock.now,
        random: () => 0.5,
        observe: () => undefined,
      })
      let rounds = 0
      const plan = async (): Promise<void> => {
        for (const type of ['MX', 'A', 'CNAME', 'AAAA', 'TLSA'] as const) {
          await resolver.lookup(MX, type)
          rounds++
        }
      }
      const startedAt = clock.now()
      let took = 0
      const planning = plan().then(() => (took = clock.now() - startedAt))
      for (let i = 0; took === 0 && i < 2_000; i++) {
        for (const type of ['MX', 'A', 'CNAME', 'AAAA', 'TLSA']) {
          redis.put(`p:2:claim:${type}:mx.example`, '1', 2_000)
        }
        await clock.advance(10)
      }
      await planning
      assert.equal(rounds, ROUNDS)
      const bound = ROUNDS * (steps * TIMEOUT + QUICK_MS) + PATIENCE + TIMEOUT
      assert.ok(took <= bound, `${took} ms, and ${bound} at most`)
    })
  }
})

describe('a Redis that fails', () => {
  test('down: DNS is queried at once, the loss is reported once, and Redis is left alone for a second', async () => {
    const { find, release, look, redis, said, news, clock, fact } = await store()
    redis.isGone()
    assert.equal(await find(MX, 'A'), undefined)
    await release(MX, 'A', fact)
    await look()
    assert.deepEqual(news, ['read: no connection'])
    const asked = said.length
    await find(MX, 'A')
    await find(MX, 'AAAA')
    assert.equal(said.length, asked)
    await clock.advance(1_000)
    // One lookup tries Redis; the others do not wait for the result.
    await Promise.all([find(MX, 'A'), find(MX, 'AAAA'), find(MX, 'TLSA')])
    assert.equal(said.length, asked + 1)
    assert.equal(news.length, 1)
  })

  for (const isInOrder of [true, false]) {
    const how = isInOrder ? 'one connection' : 'several nodes'
    test(`${how}: taking a lease only reports the loss`, async () => {
      for (const trouble of ['isGone', 'isSilent'] as const) {
        const made = await store(Promise.resolve(), isInOrder)
        made.redis[trouble]()
        const claiming = made.claim(MX, 'A', 0)
        for (let i = 0; i < 4; i++) {
          await made.clock.advance(100)
          await soFar(claiming)
        }
        assert.deepEqual(await soFar(claiming), OURS)
        assert.equal(made.news.length, 1, made.news.join('; '))
        assert.match(made.news[0] ?? '', /^read: /)
      }
    })
  }

  test('a client that throws, before or after it has started, counts as failed', async () => {
    for (const isEarly of [true, false]) {
      let start: () => void = () => undefined
      const started = new Promise<void>((resolve) => {
        start = resolve
      })
      const { find, redis, news } = await store(started, true, false)
      redis.throws()
      if (!isEarly) start()
      await soFar(started)
      const finding = find(MX, 'A')
      start()
      await soFar(started)
      assert.equal(await soFar(finding), undefined)
      assert.deepEqual(news, ['read: a bug'])
    }
  })

  test('available again: reported once', async () => {
    const { find, redis, news, clock } = await store()
    redis.isGone()
    await find(MX, 'A')
    redis.isWell()
    await clock.advance(1_000)
    await find(MX, 'A')
    await find(MX, 'AAAA')
    assert.deepEqual(news, ['read: no connection', 'read: well'])
  })

  test('reconnected: used at once, and the epoch is read first', async () => {
    const { find, plant, fact, redis, said, noteConnection, news } = await store()
    plant()
    redis.isGone()
    await find(MX, 'A')
    redis.isWell()
    said.length = 0
    noteConnection(undefined)
    assert.deepEqual(await find(MX, 'A'), fact)
    assert.deepEqual(news, ['read: no connection', 'read: well'])
    assert.equal(said[0], `read ${epochKey(VAULT)}`)
  })

  test('silent: the wait is bounded', async () => {
    const { find, redis, news, clock } = await store()
    redis.isSilent()
    const finding = find(MX, 'A')
    await clock.advance(99)
    assert.equal(await soFar(finding), 'nothing yet')
    await clock.advance(1)
    assert.equal(await soFar(finding), undefined)
    assert.deepEqual(news, ['read: no answer within 100 ms'])
  })

  test('full: stored entries are used, and the failing writes are reported once, as is their end', async () => {
    const { find, claim, release, look, plant, redis, noteConnection, news, clock, fact } =
      await store()
    plant()
    redis.isFull()
    for (let i = 0; i < 3; i++) {
      assert.deepEqual(await claim(MX, 'A', fact.expiresAt), OURS)
      await release(MX, 'A', fact)
      // A new connection does not show whether Redis accepts writes.
      noteConnection(undefined)
      await clock.advance(1_000)
    }
    assert.deepEqual(await find(MX, 'A'), fact)
    assert.deepEqual(news, ['write: OOM command not allowed'])
    redis.isWell()
    await clock.advance(1_000)
    await look()
    await release(MX, 'A', fact)
    assert.deepEqual(news, ['write: OOM command not allowed', 'write: well'])
  })

  test('not available yet: commands that timed out are not sent later', async () => {
    let start: () => void = () => undefined
    const started = new Promise<void>((resolve) => {
      start = resolve
    })
    const { find, said, clock } = await store(started, true, false)
    const finding = find(MX, 'A')
    await clock.advance(100)
    assert.equal(await soFar(finding), undefined)
    start()
    await soFar(started)
    assert.deepEqual(said, [])
  })
})
