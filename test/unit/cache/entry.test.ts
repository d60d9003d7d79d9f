import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { composeFact, parseFact } from '../../../src/cache/entry.js'
import type { Fact, RecordType } from '../../../src/lookup.js'
import { name } from '../../support/names.js'

const NOW = 1_750_000_000_000
const LATER = NOW + 300_000
const MX = name('mx.example.org')

const common = {
  security: 'secure',
  canonicalName: MX,
  aliases: [],
  expiresAt: LATER,
} as const

const facts: readonly (readonly [string, RecordType, Fact])[] = [
  [
    'MX',
    'MX',
    {
      kind: 'found',
      records: [
        { type: 'MX', preference: 0, exchange: { kind: 'root' } },
        { type: 'MX', preference: 65535, exchange: { kind: 'unusable' } },
        { type: 'MX', preference: 10, exchange: { kind: 'host', name: name('mx1.example.org') } },
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
    'TLSA with arbitrary octets, and empty',
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
    'reached through aliases',
    'A',
    {
      kind: 'found',
      records: [{ type: 'A', address: '192.0.2.1' }],
      ...common,
      canonicalName: name('real.example.net'),
      aliases: [MX, name('middle.example.net')],
    },
  ],
  [
    'behind a DNAME',
    'A',
    {
      kind: 'absent',
      reason: 'nodata',
      ...common,
      canonicalName: name('mx.example.net'),
      aliases: [MX],
      dname: name('example.org'),
    },
  ],
  [
    'DNAME',
    'DNAME',
    { kind: 'found', records: [{ type: 'DNAME', target: name('a.example.net') }], ...common },
  ],
  [
    'DNAME to the root',
    'DNAME',
    { kind: 'found', records: [{ type: 'DNAME', target: '.' }], ...common },
  ],
  [
    'TXT with arbitrary octets, and empty',
    'TXT',
    {
      kind: 'found',
      records: [
        { type: 'TXT', text: 'v=TLSRPTv1;\u0000\u001b\u007f\u00ff' },
        { type: 'TXT', text: '' },
      ],
      ...common,
    },
  ],
  ['NODATA', 'TLSA', { kind: 'absent', reason: 'nodata', ...common }],
  [
    'NXDOMAIN, insecure',
    'MX',
    { kind: 'absent', reason: 'nxdomain', ...common, security: 'insecure' },
  ],
]

describe('compose then parse gives the same fact', () => {
  for (const [circumstance, type, fact] of facts) {
    test(circumstance, () => {
      const text = composeFact(fact)
      assert.match(text, /^[ -~]+$/)
      assert.deepEqual(parseFact(MX, type, text, LATER), fact)
    })
  }
})

/** NODATA with one part changed. */
const changed = (change: (parts: unknown[]) => void): string => {
  const parts: unknown[] = ['secure', MX, [], 'nodata']
  change(parts)
  return JSON.stringify(parts)
}
const set = (index: number, value: unknown): string => changed((parts) => (parts[index] = value))
const found = (type: RecordType, ...records: readonly unknown[]): readonly [RecordType, string] => [
  type,
  set(3, records),
]

const misses: readonly (readonly [string, readonly [RecordType, string]])[] = [
  ['nothing', ['A', '']],
  ['a word', ['A', 'OK']],
  ['not JSON', ['A', '{']],
  ['JSON of another structure', ['A', '{"security":"secure"}']],
  ['null', ['A', 'null']],
  ['too few parts', ['A', '["secure"]']],
  ['too many parts', ['A', changed((parts) => parts.push(1))]],
  ['a DNAME of a name without aliases', ['A', changed((parts) => parts.push('example.org'))]],
  [
    'a DNAME that is not above the name',
    ['A', changed((parts) => parts.splice(2, 3, [MX], 'nodata', 'example.com'))],
  ],
  ['a DNAME to what is no name', found('DNAME', 'a b')],
  ['unknown security', ['A', set(0, 'bogus')]],
  ['security that is not a string', ['A', set(0, true)]],
  ['the fact of another name', ['A', set(1, 'other.example')]],
  ['aliases that do not start at the name', ['A', set(2, ['other.example'])]],
  [
    'more aliases than the limit',
    ['A', set(2, [MX, ...Array.from({ length: 17 }, () => 'a.example')])],
  ],
  ['an alias that is not a name', ['A', set(2, [MX, 'a b'])]],
  ['a canonical name with a line break', ['A', set(1, 'mx.example.org\n')]],
  ['a canonical name in capitals', ['A', set(1, 'MX.example.org')]],
  ['an unknown kind of absence', ['A', set(3, 'gone')]],
  ['no records', found('A')],
  ['an address that is not one', found('A', 'localhost')],
  ['an IPv6 address as A', found('A', '::1')],
  ['an address with a zone', found('AAAA', 'fe80::1%lo')],
  ['a good record and a bad one', found('A', '192.0.2.1', 7)],
  ['an MX record without preference', found('MX', 'mx1.example.org')],
  ['an MX preference too large', found('MX', [65536, 'mx1.example.org'])],
  ['an MX preference below zero', found('MX', [-1, 'mx1.example.org'])],
  ['an MX exchange that is not a name', found('MX', [1, 'mx\u0007.example.org'])],
  ['two CNAMEs', found('CNAME', 'a.example', 'b.example')],
  ['more TLSA records than the limit', found('TLSA', ...Array.from({ length: 65 }, () => 'AwEB'))],
  ['TXT that is not base64', found('TXT', 'v=TLSRPTv1;')],
  ['more TXT records than the limit', found('TXT', ...Array.from({ length: 65 }, () => 'AwEB'))],
  ['TLSA data that is not base64', found('TLSA', 'AwE=B')],
  ['TLSA data in another variant of base64', found('TLSA', 'AwEBAA')],
  ['a megabyte', ['A', `["secure","${'x'.repeat(1_000_000)}"]`]],
  ['deeply nested brackets', ['A', '['.repeat(100_000)]],
]

describe('anything but a valid entry is a miss', () => {
  for (const [circumstance, [type, text]] of misses) {
    test(circumstance, () => {
      assert.equal(parseFact(MX, type, text, LATER), undefined)
    })
  }

  test('the unchanged text is a valid entry', () => {
    assert.equal(parseFact(MX, 'A', set(0, 'secure'), LATER)?.kind, 'absent')
  })
})

test('any text is a miss or a fact for this name, never an exception', () => {
  const good = facts.map(([, , fact]) => composeFact(fact))
  const damaged = fc
    .tuple(fc.constantFrom(...good), fc.nat(400), fc.string({ unit: 'binary', maxLength: 6 }))
    .map(([text, at, piece]) => text.slice(0, at) + piece + text.slice(at + piece.length))
  const anything = fc.oneof(fc.string({ unit: 'binary' }), fc.json(), damaged)
  fc.assert(
    fc.property(
      anything,
      fc.constantFrom('MX', 'A', 'AAAA', 'CNAME', 'TLSA', 'TXT'),
      (text, type) => {
        const fact = parseFact(MX, type, text, LATER)
        if (fact === undefined) return
        assert.equal(fact.aliases[0] ?? fact.canonicalName, MX)
        assert.equal(fact.expiresAt, LATER)
        assert.ok(fact.kind === 'absent' || fact.records.every((record) => record.type === type))
      },
    ),
    { numRuns: 20_000 },
  )
})
