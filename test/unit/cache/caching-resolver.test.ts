import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { createCachingResolver } from '../../../src/cache/caching-resolver.js'
import { createMemoryStore } from '../../../src/cache/memory-store.js'
import { NO_SHARED_STORE, THEIRS } from '../../../src/cache/shared-store.js'
import type { SharedStore } from '../../../src/cache/shared-store.js'
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
  const events: LookupEvent[] = []
  const inner: Resolver = {
    async lookup(owner, type) {
      asked.push(`${type} ${owner}`)
      return answer(now)
    },
  }
  const resolver = createCachingResolver({
    inner,
    memory: createMemoryStore(entries),
    shared,
    minTtlMs: 1_000,
    maxTtlMs: 3_600_000,
    now,
    random: () => 0.5,
    observe: (event) => events.push(event),
  })
  return { resolver, asked, events, pass: (seconds: number) => (instant += seconds * 1000) }
}

test('a fact is asked for once until its TTL has passed (RFC 6698 §8.2) [R6698-8-a R6698-8.2-a R6698-8.2-b]', async () => {
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
  const { resolver, asked } = laboratory((now) => facts(60, now))
  await resolver.lookup(mx, 'A')
  await resolver.lookup(mx, 'AAAA')
  await resolver.lookup(name('other.example'), 'A')
  assert.deepEqual(asked, ['A mx.example', 'AAAA mx.example', 'A other.example'])
})

test('absence is a fact too', async () => {
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

test('TTL 0 is not kept', async () => {
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
    test(`${cause} is remembered for ${seconds} s and never as a fact [R2308-7.1-a]`, async () => {
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
  test('what lives shorter than min_ttl is an answer and is not kept', async () => {
    const { resolver, asked } = laboratory((now) => facts(0.9, now))
    await resolver.lookup(mx, 'A')
    await resolver.lookup(mx, 'A')
    assert.equal(asked.length, 2)
  })

  test('nothing is kept longer than max_ttl', async () => {
    const { resolver, asked, pass } = laboratory((now) => facts(100_000, now))
    const lookup = await resolver.lookup(mx, 'A')
    assert.equal(lookup.kind === 'found' && lookup.expiresAt, 1_000_000 + 3_600_000)
    pass(3_600)
    await resolver.lookup(mx, 'A')
    assert.equal(asked.length, 2)
  })
})

describe('renewal', () => {
  test('what is in use is asked for again shortly before it expires, beside the answer', async () => {
    const { resolver, asked, pass } = laboratory((now) => facts(100, now))
    await resolver.lookup(mx, 'A')
    // A tenth of its life, times three quarters by chance.
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

  test('what nobody uses is not asked for again', async () => {
    const { resolver, asked, pass } = laboratory((now) => facts(100, now))
    await resolver.lookup(mx, 'A')
    pass(99)
    assert.equal(asked.length, 1)
  })

  test('a renewal that fails leaves the fact its life, and not an instant more', async () => {
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

  test('a resolver that gives out what is left of its own cache is not asked over and over', async () => {
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
  test('goes past what is remembered, and what it finds is remembered', async () => {
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

  test('a thousand at once are one question; what was asked a moment ago is fresh', async () => {
    const { resolver, asked, pass } = laboratory((now) => facts(60, now))
    await resolver.refresh(mx, 'A')
    await Promise.all(Array.from({ length: 1000 }, () => resolver.refresh(mx, 'A')))
    assert.equal(asked.length, 1)
    pass(5)
    await Promise.all(Array.from({ length: 1000 }, () => resolver.refresh(mx, 'A')))
    assert.equal(asked.length, 2)
  })

  test('what somebody else was told is asked for, however new', async () => {
    const shared: SharedStore = {
      ...NO_SHARED_STORE,
      get: () => Promise.resolve(facts(60, () => 1_000_000)),
    }
    const { resolver, asked } = laboratory((now) => facts(60, now), 10, shared)
    await resolver.lookup(mx, 'A')
    assert.equal(asked.length, 0)
    await resolver.refresh(mx, 'A')
    assert.equal(asked.length, 1)
  })
})

describe('what is shared', () => {
  const theirs = facts(60, () => 1_000_000)

  test('a fact that others know asks nobody, and is kept here too', async () => {
    let gets = 0
    const shared: SharedStore = {
      ...NO_SHARED_STORE,
      get: () => {
        gets++
        return Promise.resolve(theirs)
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

  test('somebody else is at it: their answer is waited for', async () => {
    const shared: SharedStore = {
      ...NO_SHARED_STORE,
      claim: () => Promise.resolve(THEIRS),
      wait: () => Promise.resolve(theirs),
    }
    const { resolver, asked } = laboratory((now) => facts(60, now), 10, shared)
    assert.equal((await resolver.lookup(mx, 'A')).kind, 'found')
    assert.equal(asked.length, 0)
  })

  test('somebody else was at it and came to nothing: DNS is asked', async () => {
    const shared: SharedStore = { ...NO_SHARED_STORE, claim: () => Promise.resolve(THEIRS) }
    const { resolver, asked } = laboratory((now) => facts(60, now), 10, shared)
    assert.equal((await resolver.lookup(mx, 'A')).kind, 'found')
    assert.equal(asked.length, 1)
  })

  test('somebody has found it between the look and the claim: DNS is not asked', async () => {
    const released: unknown[] = []
    const shared: SharedStore = {
      ...NO_SHARED_STORE,
      claim: () => Promise.resolve({ kind: 'known', fact: theirs }),
      release: (...args) => Promise.resolve(void released.push(args)),
    }
    const { resolver, asked } = laboratory((now) => facts(60, now), 10, shared)
    assert.equal((await resolver.lookup(mx, 'A')).kind, 'found')
    assert.equal(asked.length, 0)
    assert.deepEqual(released, [], 'the claim is not ours')
  })

  const released: readonly (readonly [string, (now: () => number) => Lookup, boolean])[] = [
    ['a fact', (now) => facts(60, now), true],
    ['a fact that is not worth keeping', (now) => facts(0, now), false],
    [
      'a failure',
      () => ({ kind: 'failed', cause: 'bogus', detail: '', extendedErrors: [] }),
      false,
    ],
  ]
  for (const [circumstance, answer, isShared] of released) {
    test(`the claim is given up with ${circumstance}: ${isShared ? 'it is shared' : 'nothing is shared'}`, async () => {
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

test('a hundred that ask at once share one lookup, and one failure', async () => {
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

test('an inner resolver that throws is not remembered either', async () => {
  let count = 0
  const { resolver } = laboratory((now) => {
    if (count++ === 0) throw new Error('a bug')
    return facts(60, now)
  })
  await assert.rejects(resolver.lookup(mx, 'A'), /a bug/)
  assert.equal((await resolver.lookup(mx, 'A')).kind, 'found')
})

test('no more entries than allowed, the least used out first', async () => {
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

test('what goes into the cache is reported', async () => {
  const { resolver, events } = laboratory((now) => facts(60, now))
  await resolver.lookup(mx, 'A')
  await resolver.lookup(mx, 'A')
  assert.deepEqual(
    events.map(({ kind }) => kind),
    ['cached', 'hit'],
  )
})

test('the largest answers do not fill the memory: size counts, not only number', async () => {
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
  // Each takes about 70 kB of the 1000 kB that a thousand entries may have.
  const names = Array.from({ length: 100 }, (_, index) => name(`n${index}.example`))
  for (const each of names) await resolver.lookup(each, 'TLSA')
  for (const each of names) await resolver.lookup(each, 'TLSA')
  assert.ok(asked.length > 180, `${asked.length}`)
})
