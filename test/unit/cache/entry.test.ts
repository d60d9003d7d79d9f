import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { composeEntry, entryKey, parseEntry } from '../../../src/cache/entry.js'
import type { Fact, RecordType } from '../../../src/lookup.js'
import { name } from '../../support/names.js'

const NOW = 1_750_000_000_000
const HOUR = 3_600_000
const SECRET = 'a key that nobody can guess'
const MX = name('mx.example.org')

const common = {
  security: 'secure',
  canonicalName: MX,
  aliases: [],
  expiresAt: NOW + 300_000,
} as const

const facts: readonly (readonly [string, RecordType, Fact])[] = [
  [
    'MX',
    'MX',
    {
      kind: 'found',
      records: [
        { type: 'MX', preference: 0, exchange: '.' },
        { type: 'MX', preference: 65535, exchange: '' },
        { type: 'MX', preference: 10, exchange: name('mx1.example.org') },
      ],
      ...common,
    },
  ],
  ['A', 'A', { kind: 'found', records: [{ type: 'A', address: '192.0.2.1' }], ...common }],
  [
    'AAAA, insecure',
    'AAAA',
    {
      kind: 'found',
      records: [{ type: 'AAAA', address: '2001:db8::1' }],
      ...common,
      security: 'insecure',
    },
  ],
  [
    'CNAME',
    'CNAME',
    { kind: 'found', records: [{ type: 'CNAME', target: name('_a.example.net') }], ...common },
  ],
  [
    'TLSA of any octets, and of none',
    'TLSA',
    {
      kind: 'found',
      records: [
        { type: 'TLSA', rdata: Buffer.from(Array.from({ length: 256 }, (_, octet) => octet)) },
        { type: 'TLSA', rdata: Buffer.alloc(0) },
      ],
      ...common,
    },
  ],
  [
    'behind aliases',
    'A',
    {
      kind: 'found',
      records: [{ type: 'A', address: '192.0.2.1' }],
      ...common,
      canonicalName: name('real.example.net'),
      aliases: [MX, name('middle.example.net')],
    },
  ],
  ['NODATA', 'TLSA', { kind: 'absent', reason: 'nodata', ...common }],
  [
    'NXDOMAIN, insecure',
    'MX',
    { kind: 'absent', reason: 'nxdomain', ...common, security: 'insecure' },
  ],
]

describe('compose, then parse, is the same fact', () => {
  for (const [circumstance, type, fact] of facts) {
    for (const secret of [undefined, SECRET]) {
      test(`${circumstance}, ${secret === undefined ? 'open' : 'authenticated'}`, () => {
        const text = composeEntry(MX, type, fact, secret)
        assert.match(text, /^[ -~]+$/)
        assert.deepEqual(parseEntry(MX, type, text, secret, NOW, HOUR), fact)
      })
    }
  }
})

test('one key for each name and type, with the version in it', () => {
  assert.equal(entryKey(MX, 'TLSA'), '1:TLSA:mx.example.org')
})

/** An entry of NODATA with one part changed. */
const changed = (change: (parts: unknown[]) => void): string => {
  const parts: unknown[] = ['secure', MX, [], NOW + 1000, 'nodata']
  change(parts)
  return `- ${JSON.stringify(parts)}`
}
const set = (index: number, value: unknown): string => changed((parts) => (parts[index] = value))
const found = (type: RecordType, ...records: readonly unknown[]): readonly [RecordType, string] => [
  type,
  set(4, records),
]

const misses: readonly (readonly [string, readonly [RecordType, string]])[] = [
  ['nothing', ['A', '']],
  ['a word', ['A', 'OK']],
  ['no JSON', ['A', '- {']],
  ['JSON of another shape', ['A', '- {"security":"secure"}']],
  ['null', ['A', '- null']],
  ['too few parts', ['A', '- ["secure"]']],
  ['too many parts', ['A', changed((parts) => parts.push(1))]],
  ['another version: authenticated, where nothing is', ['A', `x ${set(0, 'secure').slice(2)}`]],
  ['unknown security', ['A', set(0, 'bogus')]],
  ['security that is no word', ['A', set(0, true)]],
  ['expired', ['A', set(3, NOW)]],
  ['longer life than allowed', ['A', set(3, NOW + HOUR + 1)]],
  ['an expiry that is no number', ['A', set(3, 'tomorrow')]],
  ['an expiry with a fraction', ['A', set(3, NOW + 0.5)]],
  ['an expiry beyond all numbers', ['A', set(3, 1e300)]],
  ['the fact of another name', ['A', set(1, 'other.example')]],
  ['aliases that begin elsewhere', ['A', set(2, ['other.example'])]],
  [
    'more aliases than are followed',
    ['A', set(2, [MX, ...Array.from({ length: 17 }, () => 'a.example')])],
  ],
  ['an alias that is no name', ['A', set(2, [MX, 'a b'])]],
  ['a canonical name with a line break', ['A', set(1, 'mx.example.org\n')]],
  ['a canonical name in capitals', ['A', set(1, 'MX.example.org')]],
  ['an unknown kind of absence', ['A', set(4, 'gone')]],
  ['no records', found('A')],
  ['an address that is none', found('A', 'localhost')],
  ['an IPv6 address as A', found('A', '::1')],
  ['an address with a zone', found('AAAA', 'fe80::1%lo')],
  ['a good record and a bad one', found('A', '192.0.2.1', 7)],
  ['an MX record without preference', found('MX', 'mx1.example.org')],
  ['an MX preference too large', found('MX', [65536, 'mx1.example.org'])],
  ['an MX preference below zero', found('MX', [-1, 'mx1.example.org'])],
  ['an MX exchange that is no name', found('MX', [1, 'mx\u0007.example.org'])],
  ['two CNAMEs', found('CNAME', 'a.example', 'b.example')],
  [
    'more TLSA records than anybody has',
    found('TLSA', ...Array.from({ length: 65 }, () => 'AwEB')),
  ],
  ['TLSA data that is no base64', found('TLSA', 'AwE=B')],
  ['TLSA data in other base64 than ours', found('TLSA', 'AwEBAA')],
  ['a megabyte', ['A', `- ["secure","${'x'.repeat(1_000_000)}"]`]],
  ['brackets without end', ['A', `- ${'['.repeat(100_000)}`]],
]

describe('what is no entry is a miss', () => {
  for (const [circumstance, [type, text]] of misses) {
    test(circumstance, () => {
      assert.equal(parseEntry(MX, type, text, undefined, NOW, HOUR), undefined)
    })
  }

  test('the entry that these are made from is one', () => {
    assert.equal(parseEntry(MX, 'A', set(0, 'secure'), undefined, NOW, HOUR)?.kind, 'absent')
  })
})

describe('authenticated entries', () => {
  const [, , fact] = facts[1] ?? []
  assert.ok(fact)
  const entry = composeEntry(MX, 'A', fact, SECRET)
  const cases: readonly (readonly [string, Parameters<typeof parseEntry>])[] = [
    ['another key', [MX, 'A', entry, 'another key of that length', NOW, HOUR]],
    ['no key', [MX, 'A', entry, undefined, NOW, HOUR]],
    ['at another name', [name('other.example'), 'A', entry, SECRET, NOW, HOUR]],
    ['at another type', [MX, 'AAAA', entry, SECRET, NOW, HOUR]],
    ['not authenticated', [MX, 'A', composeEntry(MX, 'A', fact, undefined), SECRET, NOW, HOUR]],
    ['cut off', [MX, 'A', entry.slice(0, -1), SECRET, NOW, HOUR]],
    ['a code of another length', [MX, 'A', `x${entry}`, SECRET, NOW, HOUR]],
    [
      'a code of as many characters, and more octets',
      [MX, 'A', `\u00fc${entry.slice(1)}`, SECRET, NOW, HOUR],
    ],
  ]
  for (const [circumstance, args] of cases) {
    test(`${circumstance} is a miss`, () => {
      assert.equal(parseEntry(...args), undefined)
    })
  }

  test('no single character can be changed', () => {
    for (let at = 0; at < entry.length; at++) {
      const forged = `${entry.slice(0, at)}${entry[at] === '1' ? '2' : '1'}${entry.slice(at + 1)}`
      assert.equal(parseEntry(MX, 'A', forged, SECRET, NOW, HOUR), undefined, forged)
    }
  })
})

test('any text is a miss or a fact about this name, never an exception', () => {
  const good = facts.map(([, type, fact]) => composeEntry(MX, type, fact, undefined))
  const damaged = fc
    .tuple(fc.constantFrom(...good), fc.nat(400), fc.string({ unit: 'binary', maxLength: 6 }))
    .map(([text, at, piece]) => text.slice(0, at) + piece + text.slice(at + piece.length))
  const anything = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.json().map((json) => `- ${json}`),
    damaged,
  )
  fc.assert(
    fc.property(anything, fc.constantFrom('MX', 'A', 'AAAA', 'CNAME', 'TLSA'), (text, type) => {
      const fact = parseEntry(MX, type, text, undefined, NOW, HOUR)
      if (fact === undefined) return
      assert.equal(fact.aliases[0] ?? fact.canonicalName, MX)
      assert.ok(fact.expiresAt > NOW && fact.expiresAt <= NOW + HOUR)
      assert.ok(fact.kind === 'absent' || fact.records.every((record) => record.type === type))
    }),
    { numRuns: 20_000 },
  )
})
