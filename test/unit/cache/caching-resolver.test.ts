import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { createCachingResolver } from '../../../src/cache/caching-resolver.js'
import { createMemoryStore } from '../../../src/cache/memory-store.js'
import { NO_SHARED_STORE } from '../../../src/cache/shared-store.js'
import type { SharedStore } from '../../../src/cache/shared-store.js'
import { ofType } from '../../../src/lookup.js'
import type { Fact, FailureCause, Lookup, LookupEvent, Resolver } from '../../../src/lookup.js'
import { name } from '../../support/names.js'

const mx = name('mx.example')

function facts(ttl: number, now: () => number): Fact {
  return {
    kind: 'found',
    records: [{ type: 'A', address: '192.0.2.1' }],
    security: 'secure',
    canonicalName: mx,
    aliases: [],
    expiresAt: now() + ttl * 1000,
  }
}

function laboratory(
  answer: (now: () => number) => Lookup | Promise<Lookup>,
  entries = 10,
  shared: SharedStore = NO_SHARED_STORE,
) {
  let instant = 1_000_000
  const now = (): number => instant
  const asked: string[] = []
  const pauses: number[] = []
  const events: LookupEvent[] = []
  const inner: Resolver = {
    async lookup(owner, type) {
      asked.push(`${type} ${owner}`)
      return ofType(await answer(now), type)
    },
  }
  const memory = createMemoryStore(entries)
  const resolver = createCachingResolver({
    inner,
    memory,
    shared,
    minTtlMs: 1_000,
    maxTtlMs: 3_600_000,
    now,
    random: () => 0.5,
    observe: (event) => events.push(event),
    pause: (milliseconds) => {
      pauses.push(milliseconds)
      instant += milliseconds
      return Promise.resolve()
    },
  })
  return {
    resolver,
    asked,
    events,
    memory,
    pauses,
    pass: (seconds: number) => (instant += seconds * 1000),
  }
}

test('a fact is looked up once until its TTL expires (RFC 6698 §8.2) [R6698-8-a R6698-8.2-a R6698-8.2-b]', async () => {
  const { resolver, asked, pass } = laboratory((now) => facts(9, now))
  await resolver.lookup(mx, 'A')
  pass(8.9)
  await resolver.lookup(mx, 'A')
  assert.equal(asked.length, 1)
  pass(0.1)
  await resolver.lookup(mx, 'A')
  assert.equal(asked.length, 2)
})

test('name and type are the key', async () => {
  const { resolver, asked } = laboratory((now) => ({
    kind: 'absent',
    reason: 'nodata',
    security: 'secure',
    canonicalName: mx,
    aliases: [],
    expiresAt: now() + 60_000,
  }))
  await resolver.lookup(mx, 'A')
  await resolver.lookup(mx, 'AAAA')
  await resolver.lookup(name('other.example'), 'A')
  assert.deepEqual(asked, ['A mx.example', 'AAAA mx.example', 'A other.example'])
})

test('absence is cached too', async () => {
  const { resolver, asked } = laboratory((now) => ({
    kind: 'absent',
    reason: 'nxdomain',
    security: 'insecure',
    canonicalName: mx,
    aliases: [],
    expiresAt: now() + 60_000,
  }))
  await resolver.lookup(mx, 'TLSA')
  await resolver.lookup(mx, 'TLSA')
  assert.equal(asked.length, 1)
})

test('TTL 0 is not cached', async () => {
  const { resolver, asked } = laboratory((now) => facts(0, now))
  await resolver.lookup(mx, 'A')
  await resolver.lookup(mx, 'A')
  assert.equal(asked.length, 2)
})

describe('failures (RFC 9520 §3.2)', () => {
  const failing = (cause: FailureCause) => {
    let isBroken = true
    return {
      ...laboratory((now) =>
        isBroken ? { kind: 'failed', cause, detail: '', extendedErrors: [] } : facts(60, now),
      ),
      repair: () => {
        isBroken = false
      },
    }
  }
  const cases: readonly (readonly [FailureCause, number])[] = [
    ['bogus', 5],
    ['servfail', 5],
    ['timeout', 5],
    ['malformed', 5],
    ['network', 1],
    ['no-resolver', 0],
  ]
  for (const [cause, seconds] of cases) {
    test(`${cause} is cached for ${seconds} s and never as a fact [R2308-7.1-a]`, async () => {
      const { resolver, asked, pass, repair } = failing(cause)
      assert.equal((await resolver.lookup(mx, 'A')).kind, 'failed')
      repair()
      if (seconds > 0) {
        pass(seconds - 0.1)
        assert.equal((await resolver.lookup(mx, 'A')).kind, 'failed')
        assert.equal((await resolver.refresh(mx, 'A')).kind, 'failed')
        assert.equal(asked.length, 1)
        pass(0.1)
      }
      assert.equal((await resolver.lookup(mx, 'A')).kind, 'found')
      assert.equal(asked.length, 2)
    })
  }
})

describe('bounds', () => {
  test('a TTL below min_ttl is returned but not cached', async () => {
    const { resolver, asked } = laboratory((now) => facts(0.9, now))
    await resolver.lookup(mx, 'A')
    await resolver.lookup(mx, 'A')
    assert.equal(asked.length, 2)
  })

  test('nothing is cached longer than max_ttl', async () => {
    const { resolver, asked, pass } = laboratory((now) => facts(100_000, now))
    const lookup = await resolver.lookup(mx, 'A')
    assert.equal(lookup.kind === 'found' && lookup.expiresAt, 1_000_000 + 3_600_000)
    pass(3_600)
    await resolver.lookup(mx, 'A')
    assert.equal(asked.length, 2)
  })
})

describe('prefetch', () => {
  test('an entry in use is refreshed in the background shortly before it expires', async () => {
    const { resolver, asked, pass } = laboratory((now) => facts(100, now))
    await resolver.lookup(mx, 'A')
    // A tenth of its lifetime, times a random factor, here three quarters.
    pass(92.4)
    await resolver.lookup(mx, 'A')
    assert.equal(asked.length, 1)
    pass(0.2)
    const lookup = await resolver.lookup(mx, 'A')
    assert.equal(lookup.kind === 'found' && lookup.expiresAt, 1_100_000, 'still the old one')
    await new Promise((resolve) => setImmediate(resolve))
    assert.equal(asked.length, 2)
    const renewed = await resolver.lookup(mx, 'A')
    assert.equal(renewed.kind === 'found' && renewed.expiresAt, 1_192_600)
    assert.equal(asked.length, 2)
  })

  test('an unused entry is not refreshed', async () => {
    const { resolver, asked, pass } = laboratory((now) => facts(100, now))
    await resolver.lookup(mx, 'A')
    pass(99)
    assert.equal(asked.length, 1)
  })

  test('after a failed refresh the entry is used until it expires, and no longer', async () => {
    let isBroken = false
    const { resolver, pass } = laboratory((now) =>
      isBroken
        ? { kind: 'failed', cause: 'bogus', detail: '', extendedErrors: [] }
        : facts(100, now),
    )
    await resolver.lookup(mx, 'A')
    isBroken = true
    pass(95)
    assert.equal((await resolver.lookup(mx, 'A')).kind, 'found')
    pass(4.9)
    assert.equal((await resolver.lookup(mx, 'A')).kind, 'found')
    pass(0.1)
    assert.equal((await resolver.lookup(mx, 'A')).kind, 'failed')
  })

  test('a resolver that returns the remaining TTL of its own cache is not queried repeatedly', async () => {
    const expiry = 1_000_000 + 100_000
    const { resolver, asked, pass } = laboratory((now) => facts((expiry - now()) / 1000, now))
    for (let second = 0; second < 99; second++) {
      await resolver.lookup(mx, 'A')
      pass(1)
    }
    assert.ok(asked.length <= 3, `${asked.length}`)
  })
})

describe('refresh', () => {
  test('bypasses the cache and stores what it finds', async () => {
    let address = '192.0.2.1'
    const { resolver, asked, pass } = laboratory((now) => ({
      ...facts(60, now),
      kind: 'found',
      records: [{ type: 'A', address }],
    }))
    await resolver.lookup(mx, 'A')
    address = '192.0.2.2'
    pass(6)
    const text = (lookup: Lookup): string => JSON.stringify(lookup)
    assert.match(text(await resolver.lookup(mx, 'A')), /192\.0\.2\.1/)
    assert.match(text(await resolver.refresh(mx, 'A')), /192\.0\.2\.2/)
    assert.match(text(await resolver.lookup(mx, 'A')), /192\.0\.2\.2/)
    assert.equal(asked.length, 2)
  })

  test('a thousand at once are one query; a name queried a moment ago is queried again, a moment later', async () => {
    const { resolver, asked, pass, pauses } = laboratory((now) => facts(60, now))
    await resolver.refresh(mx, 'A')
    assert.deepEqual([asked.length, pauses], [1, []])
    pass(0.1)
    await Promise.all(Array.from({ length: 1000 }, () => resolver.refresh(mx, 'A')))
    assert.deepEqual([asked.length, pauses], [2, [400]])
    pass(5)
    await Promise.all(Array.from({ length: 1000 }, () => resolver.refresh(mx, 'A')))
    assert.deepEqual([asked.length, pauses], [3, [400]])
  })

  test('an answer from the shared cache is looked up again, however new', async () => {
    const shared: SharedStore = {
      ...NO_SHARED_STORE,
      find: (_, type) =>
        Promise.resolve(
          ofType(
            facts(60, () => 1_000_000),
            type,
          ),
        ),
    }
    const { resolver, asked } = laboratory((now) => facts(60, now), 10, shared)
    await resolver.lookup(mx, 'A')
    assert.equal(asked.length, 0)
    await resolver.refresh(mx, 'A')
    assert.equal(asked.length, 1)
  })
})

describe('stale answers (RFC 8767)', () => {
  test('queried again after a moment; the current answer counts and is cached', async () => {
    let count = 0
    const { resolver, asked, pauses } = laboratory((now) => ({
      ...facts(60, now),
      ...(count++ === 0 && { isStale: true }),
    }))
    const lookup = await resolver.lookup(mx, 'A')
    assert.ok(lookup.kind !== 'failed' && lookup.isStale !== true)
    assert.deepEqual([asked.length, pauses], [2, [500]])
    await resolver.lookup(mx, 'A')
    assert.equal(asked.length, 2)
  })

  test('still stale: returned as such, and never cached', async () => {
    const { resolver, asked } = laboratory((now) => ({ ...facts(30, now), isStale: true }))
    const lookup = await resolver.lookup(mx, 'A')
    assert.ok(lookup.kind !== 'failed' && lookup.isStale)
    assert.equal(asked.length, 2)
    await resolver.lookup(mx, 'A')
    assert.equal(asked.length, 4)
  })

  test('and then a failure: the failure', async () => {
    let count = 0
    const { resolver } = laboratory((now) =>
      count++ === 0
        ? { ...facts(30, now), isStale: true }
        : { kind: 'failed', cause: 'bogus', detail: '', extendedErrors: [] },
    )
    assert.equal((await resolver.lookup(mx, 'A')).kind, 'failed')
  })
})

describe('shared cache', () => {
  const theirs = facts(60, () => 1_000_000)

  test('a fact in the shared cache needs no query and is cached here too', async () => {
    let gets = 0
    const shared: SharedStore = {
      ...NO_SHARED_STORE,
      find: (_, type) => {
        gets++
        return Promise.resolve(ofType(theirs, type))
      },
    }
    const { resolver, asked, events } = laboratory((now) => facts(60, now), 10, shared)
    await resolver.lookup(mx, 'A')
    await resolver.lookup(mx, 'A')
    assert.equal(asked.length, 0)
    assert.equal(gets, 1)
    assert.deepEqual(
      events.map((event) => (event.kind === 'hit' ? event.layer : event.kind)),
      ['redis', 'process'],
    )
  })

  test('a shared fact found during a flush is neither used nor cached', async () => {
    let find: (fact: Fact) => void = () => undefined
    const shared: SharedStore = {
      ...NO_SHARED_STORE,
      find: (_, type) =>
        new Promise((resolve) => {
          find = (fact) => {
            resolve(ofType(fact, type))
          }
        }),
    }
    const { resolver, asked, memory } = laboratory((now) => facts(60, now), 10, shared)
    const asking = resolver.lookup(mx, 'A')
    memory.clear()
    find(theirs)
    await asking
    assert.equal(asked.length, 1)
  })

  test('a DNS answer to a query sent before a flush is returned, but neither cached nor shared', async () => {
    let answer: (lookup: Lookup) => void = () => undefined
    const found: (Fact | undefined)[] = []
    const shared: SharedStore = {
      ...NO_SHARED_STORE,
      release: (_, __, fact) => {
        found.push(fact)
        return Promise.resolve()
      },
    }
    const { resolver, asked, memory } = laboratory(
      () =>
        new Promise((resolve) => {
          answer = resolve
        }),
      10,
      shared,
    )
    const asking = resolver.lookup(mx, 'A')
    await new Promise((resolve) => setImmediate(resolve))
    memory.clear()
    answer(theirs)
    assert.equal((await asking).kind, 'found')
    assert.deepEqual(found, [undefined])
    const again = resolver.lookup(mx, 'A')
    await new Promise((resolve) => setImmediate(resolve))
    answer(theirs)
    await again
    assert.equal(asked.length, 2)
  })

  const released: readonly (readonly [string, (now: () => number) => Lookup, boolean])[] = [
    ['a fact', (now) => facts(60, now), true],
    ['a fact with too short a TTL', (now) => facts(0, now), false],
    [
      'a failure',
      () => ({ kind: 'failed', cause: 'bogus', detail: '', extendedErrors: [] }),
      false,
    ],
  ]
  for (const [circumstance, answer, isShared] of released) {
    test(`the lease is released with ${circumstance}: ${isShared ? 'it is shared' : 'nothing is shared'}`, async () => {
      const found: (Fact | undefined)[] = []
      const shared: SharedStore = {
        ...NO_SHARED_STORE,
        release: (_, __, fact) => {
          found.push(fact)
          return Promise.resolve()
        },
      }
      const { resolver } = laboratory(answer, 10, shared)
      await resolver.lookup(mx, 'A')
      assert.equal(found.length, 1)
      assert.equal(found[0] !== undefined, isShared)
    })
  }
})

test('a hundred simultaneous callers share one lookup, and one failure', async () => {
  const { resolver, asked } = laboratory(async (now) => {
    await new Promise((resolve) => setTimeout(resolve, 5))
    return facts(0, now)
  })
  const all = await Promise.all(Array.from({ length: 100 }, () => resolver.lookup(mx, 'A')))
  assert.equal(asked.length, 1)
  assert.equal(new Set(all).size, 1)
  await resolver.lookup(mx, 'A')
  assert.equal(asked.length, 2)
})

test('an exception of the inner resolver is not cached either', async () => {
  let count = 0
  const { resolver } = laboratory((now) => {
    if (count++ === 0) throw new Error('a bug')
    return facts(60, now)
  })
  await assert.rejects(resolver.lookup(mx, 'A'), /a bug/)
  assert.equal((await resolver.lookup(mx, 'A')).kind, 'found')
})

test('the number of entries is bounded, the least recently used is evicted first', async () => {
  const { resolver, asked } = laboratory((now) => facts(60, now), 2)
  await resolver.lookup(name('a.example'), 'A')
  await resolver.lookup(name('b.example'), 'A')
  await resolver.lookup(name('a.example'), 'A')
  await resolver.lookup(name('c.example'), 'A')
  await resolver.lookup(name('a.example'), 'A')
  assert.equal(asked.length, 3)
  await resolver.lookup(name('b.example'), 'A')
  assert.equal(asked.length, 4)
})

test('entries added to the cache are reported', async () => {
  const { resolver, events } = laboratory((now) => facts(60, now))
  await resolver.lookup(mx, 'A')
  await resolver.lookup(mx, 'A')
  assert.deepEqual(
    events.map(({ kind }) => kind),
    ['cached', 'hit'],
  )
})

test('the largest answers do not fill the memory: size is bounded, not only the number', async () => {
  const rdata = Buffer.alloc(1000)
  const { resolver, asked } = laboratory(
    (now) => ({
      kind: 'found',
      records: Array.from({ length: 60 }, () => ({ type: 'TLSA' as const, rdata })),
      security: 'secure',
      canonicalName: mx,
      aliases: [],
      expiresAt: now() + 60_000,
    }),
    1000,
  )
  // Each takes about 70 kB of the 1000 kB allowed for a thousand entries.
  const names = Array.from({ length: 100 }, (_, index) => name(`n${index}.example`))
  for (const each of names) await resolver.lookup(each, 'TLSA')
  for (const each of names) await resolver.lookup(each, 'TLSA')
  assert.ok(asked.length > 180, `${asked.length}`)
})
