/** Entries are returned unchanged, whether they have been packed in the meantime or not. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { createMemoryStore } from '../../../src/cache/memory-store.js'
import type { Held } from '../../../src/cache/memory-store.js'
import type { Fact, RecordType } from '../../../src/lookup.js'
import { name } from '../../support/names.js'

const owner = name('_25._tcp.mx.example.org')
const other = name('other.example')
const common = { security: 'secure', canonicalName: owner, aliases: [], expiresAt: 9_000 } as const
const found = { kind: 'found', ...common } as const

const FACTS: Readonly<Record<string, readonly [RecordType, Fact]>> = {
  'MX records, null MX and an unusable exchange': [
    'MX',
    {
      ...found,
      records: [
        { type: 'MX', preference: 10, exchange: { kind: 'host', name: name('mx.example.org') } },
        { type: 'MX', preference: 65535, exchange: { kind: 'root' } },
        { type: 'MX', preference: 0, exchange: { kind: 'unusable' } },
      ],
    },
  ],
  addresses: ['A', { ...found, records: [{ type: 'A', address: '192.0.2.1' }] }],
  'addresses of the other family': [
    'AAAA',
    { ...found, security: 'insecure', records: [{ type: 'AAAA', address: '2001:db8::1' }] },
  ],
  'TLSA records, one too short': [
    'TLSA',
    {
      ...found,
      records: [
        { type: 'TLSA', rdata: Buffer.from('030101ff', 'hex') },
        { type: 'TLSA', rdata: Buffer.alloc(0) },
      ],
    },
  ],
  'an alias': [
    'CNAME',
    { ...found, records: [{ type: 'CNAME', target: name('elsewhere.example') }] },
  ],
  'records reached through aliases': [
    'A',
    {
      ...found,
      canonicalName: other,
      aliases: [owner, name('middle.example')],
      records: [{ type: 'A', address: '192.0.2.1' }],
    },
  ],
  absence: ['AAAA', { kind: 'absent', reason: 'nodata', ...common }],
  'absence of the name': ['TLSA', { kind: 'absent', reason: 'nxdomain', ...common }],
}

/** Fills the unpacked slots with two entries, so that older ones are packed. */
function packing(type: RecordType, held: Held, most = 100) {
  const store = createMemoryStore(most, 2)
  for (const each of [owner, other, name('third.example')]) store.put(each, type, held)
  return store
}

describe('an entry is the same after packing and unpacking', () => {
  for (const [what, [type, fact]] of Object.entries(FACTS)) {
    test(what, () => {
      for (const prefetchAt of [8_000, Infinity]) {
        const held = { fact, askedAt: 1_000, prefetchAt }
        const store = packing(type, held)
        const back = store.get(owner, type, 8_999)
        assert.deepEqual(back, held)
        assert.notEqual(back, held)
        // Unpacked again: the identical object.
        assert.equal(store.get(owner, type, 8_999), back)
      }
    })
  }
})

describe('packed or not', () => {
  const [type, fact] = ['A', { ...found, records: [{ type: 'A', address: '192.0.2.1' }] }] as const
  const held = (): Held => ({ fact, askedAt: 0, prefetchAt: 5_000 })

  test('an entry is gone at its expiry', () => {
    assert.equal(packing(type, held()).get(owner, type, 9_000), undefined)
    const store = createMemoryStore(100)
    store.put(owner, type, held())
    assert.equal(store.get(owner, type, 9_000), undefined)
  })

  test('a new entry replaces the old one', () => {
    const store = packing(type, held())
    const fresh = { ...held(), fact: { ...fact, expiresAt: 20_000 } }
    store.put(owner, type, fresh)
    for (let i = 0; i < 3; i++) store.put(name(`later-${i}.example`), type, held())
    assert.equal(store.get(owner, type, 8_000)?.fact.expiresAt, 20_000)
  })

  test('flush removes it with all others', () => {
    const store = packing(type, held())
    store.clear()
    assert.equal(store.get(owner, type, 0), undefined)
    assert.equal(store.get(other, type, 0), undefined)
  })

  test('the number of entries is bounded, the least recently used is evicted first', () => {
    const store = createMemoryStore(10, 3)
    const names = Array.from({ length: 20 }, (_, i) => name(`n${i}.example`))
    for (const each of names) {
      store.put(each, type, { ...held(), fact: { ...fact, canonicalName: each } })
      store.get(names[0] ?? each, type, 0)
    }
    const kept = names.filter((each) => store.get(each, type, 0) !== undefined)
    assert.deepEqual(kept, [names[0], ...names.slice(11)])
  })
})
