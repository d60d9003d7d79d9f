import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createCachingResolver } from '../../../src/cache/caching-resolver.js'
import { createMemoryStore } from '../../../src/cache/memory-store.js'
import type { Lookup, LookupEvent, Resolver } from '../../../src/lookup.js'
import { name } from '../../support/names.js'

const mx = name('mx.example')

function facts(ttl: number, now: () => number): Lookup {
  return {
    kind: 'found',
    records: [{ type: 'A', address: '192.0.2.1' }],
    security: 'secure',
    canonicalName: mx,
    aliases: [],
    expiresAt: now() + ttl * 1000,
  }
}

function laboratory(answer: (now: () => number) => Lookup | Promise<Lookup>, entries = 10) {
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
    store: createMemoryStore(entries),
    now,
    observe: (event) => events.push(event),
  })
  return { resolver, asked, events, pass: (seconds: number) => (instant += seconds * 1000) }
}

test('a fact is asked for once until its TTL has passed (RFC 6698 §8.2) [R6698-8-a R6698-8.2-a R6698-8.2-b]', async () => {
  const { resolver, asked, pass } = laboratory((now) => facts(60, now))
  await resolver.lookup(mx, 'A')
  pass(59.9)
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

test('a failure is not kept: the next message asks anew [R2308-7.1-a]', async () => {
  let isBroken = true
  const { resolver, asked } = laboratory((now) =>
    isBroken ? { kind: 'failed', cause: 'bogus', detail: '', extendedErrors: [] } : facts(60, now),
  )
  assert.equal((await resolver.lookup(mx, 'A')).kind, 'failed')
  isBroken = false
  assert.equal((await resolver.lookup(mx, 'A')).kind, 'found')
  assert.equal(asked.length, 2)
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
    ['cached'],
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
