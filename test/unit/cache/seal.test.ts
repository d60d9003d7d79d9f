/** Which entries in Redis are accepted, depending on who wrote them, when, and under which key. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import {
  claimKey,
  composeEntry,
  factKey,
  MAX_ENTRY,
  openEntry,
  SKEW_MS,
} from '../../../src/cache/seal.js'
import type { Entry, Reading, Vault } from '../../../src/cache/seal.js'
import { name } from '../../support/names.js'

const NOW = 1_750_000_000_000
const MINUTE = 60_000
const HOUR = 60 * MINUTE
const MX = name('mx.example.org')
const OWNER = name('_25._tcp.mx.example.org')
const VAULT: Vault = { prefix: 'dane:', secret: 'a key that cannot be guessed' }
const OPEN: Vault = { prefix: 'dane:', secret: undefined }
const EPOCH = '0001750000000000.0123456789abcdef'

const KEY = factKey(VAULT, OWNER, 'TLSA')
const ENTRY: Entry = { epoch: EPOCH, askedAt: NOW, lifeMs: HOUR, body: '["a body", 1]' }
const READING: Reading = { epoch: EPOCH, wall: NOW, leftMs: HOUR, maxTtlMs: 24 * HOUR }

/** Milliseconds for which it is accepted; undefined: not at all. */
function believed(
  entry: Partial<Entry>,
  reading: Partial<Reading>,
  vault: Vault = VAULT,
): number | undefined {
  const text = composeEntry(vault, KEY, { ...ENTRY, ...entry })
  return openEntry(vault, KEY, text, { ...READING, ...reading })?.leftMs
}

test('one key per name and type, including the version', () => {
  assert.equal(factKey(VAULT, MX, 'TLSA'), 'dane:2:TLSA:mx.example.org')
  assert.equal(claimKey(VAULT, MX, 'TLSA'), 'dane:2:claim:TLSA:mx.example.org')
})

for (const vault of [VAULT, OPEN]) {
  test(`a written entry is read back, ${vault.secret === undefined ? 'open' : 'authenticated'}`, () => {
    const text = composeEntry(vault, KEY, { ...ENTRY, askedAt: NOW - 0.5 })
    assert.match(text, /^[ -~]+$/)
    assert.deepEqual(openEntry(vault, KEY, text, READING), { body: ENTRY.body, leftMs: HOUR })
  })
}

describe('how long an entry is accepted', () => {
  const cases: readonly (readonly [
    string,
    Partial<Entry>,
    Partial<Reading>,
    number | undefined,
  ])[] = [
    ['for as long as Redis keeps it', {}, { wall: NOW + MINUTE, leftMs: 59 * MINUTE }, 59 * MINUTE],
    ['no longer than its own lifetime, whatever Redis says', {}, { leftMs: 30 * HOUR }, HOUR],
    ['without expiry in Redis: not written by a relay', {}, { leftMs: -1 }, undefined],
    ['expired in Redis', {}, { leftMs: -2 }, undefined],
    ['its last millisecond in Redis is over', {}, { leftMs: 0 }, undefined],
    [
      'an expired entry written again with a new expiry: for the allowed clock skew',
      {},
      { wall: NOW + HOUR + MINUTE, leftMs: HOUR },
      SKEW_MS - MINUTE,
    ],
    [
      'the same, written later than that',
      {},
      { wall: NOW + HOUR + SKEW_MS, leftMs: HOUR },
      undefined,
    ],
    [
      'the writer’s clock is ahead: no longer than its lifetime',
      {},
      { wall: NOW - 4 * MINUTE },
      HOUR,
    ],
    ['the writer’s clock is behind: accepted', {}, { wall: NOW + 4 * MINUTE, leftMs: HOUR }, HOUR],
    [
      'a short-lived entry of a writer whose clock is behind: accepted',
      { lifeMs: MINUTE },
      { wall: NOW + 4 * MINUTE, leftMs: MINUTE },
      MINUTE,
    ],
    [
      'the writer’s clock is ahead by more than the allowed skew',
      {},
      { wall: NOW - 6 * MINUTE },
      undefined,
    ],
    [
      'from a relay with a larger max_ttl: limited to our own max_ttl',
      { lifeMs: 24 * HOUR },
      { leftMs: 23.5 * HOUR, wall: NOW + HOUR / 2, maxTtlMs: HOUR },
      HOUR / 2,
    ],
    [
      'from such a relay, expired by our own max_ttl',
      { lifeMs: 24 * HOUR },
      { leftMs: 22 * HOUR, wall: NOW + 2 * HOUR, maxTtlMs: HOUR },
      undefined,
    ],
    ['from another epoch', { epoch: EPOCH.replace('cd', 'dc') }, {}, undefined],
    ['from an epoch that is a prefix of ours', { epoch: EPOCH.slice(0, -1) }, {}, undefined],
    ['an age that is not a number', { askedAt: NaN }, {}, undefined],
    ['a negative age', { askedAt: -1 }, {}, undefined],
    ['an age that overflows', { askedAt: 1e300 }, {}, undefined],
    ['a fractional lifetime', { lifeMs: 0.5 }, {}, undefined],
    ['no lifetime', { lifeMs: 0 }, {}, undefined],
  ]
  for (const [circumstance, entry, reading, left] of cases) {
    test(circumstance, () => {
      assert.equal(believed(entry, reading), left)
      assert.equal(believed(entry, reading, OPEN), left)
    })
  }
})

describe('an authentic entry is rejected', () => {
  const text = composeEntry(VAULT, KEY, ENTRY)
  const cases: readonly (readonly [string, Vault, string])[] = [
    ['at another name', VAULT, factKey(VAULT, name('_25._tcp.other.example'), 'TLSA')],
    ['at another type', VAULT, factKey(VAULT, OWNER, 'A')],
    ['at another port', VAULT, factKey(VAULT, name('_26._tcp.mx.example.org'), 'TLSA')],
    ['as a lease', VAULT, claimKey(VAULT, OWNER, 'TLSA')],
    ['under another prefix', { ...VAULT, prefix: 'test:' }, 'test:2:TLSA:_25._tcp.mx.example.org'],
    ['under another key', { ...VAULT, secret: 'another key of that length' }, KEY],
    ['when authentication is off', OPEN, KEY],
  ]
  for (const [circumstance, vault, key] of cases) {
    test(circumstance, () => {
      assert.equal(openEntry(vault, key, text, READING), undefined)
    })
  }

  test('with any character changed, added or removed', () => {
    for (let at = 0; at < text.length; at++) {
      const forged = `${text.slice(0, at)}${text[at] === '1' ? '2' : '1'}${text.slice(at + 1)}`
      assert.equal(openEntry(VAULT, KEY, forged, READING), undefined, forged)
    }
    for (const forged of [text.slice(0, -1), `x${text}`, `${text} `, `\u00fc${text.slice(1)}`]) {
      assert.equal(openEntry(VAULT, KEY, forged, READING), undefined, forged)
    }
  })

  test('without its authentication tag', () => {
    const bare = composeEntry(OPEN, KEY, ENTRY)
    assert.equal(openEntry(VAULT, KEY, bare, READING), undefined)
  })

  test('when it is longer than any entry', () => {
    const long = composeEntry(VAULT, KEY, { ...ENTRY, body: 'x'.repeat(MAX_ENTRY) })
    assert.equal(openEntry(VAULT, KEY, long, READING), undefined)
  })
})

test('any text is rejected, never an exception', () => {
  const good = composeEntry(OPEN, KEY, ENTRY)
  const damaged = fc
    .tuple(fc.nat(good.length), fc.string({ unit: 'binary', maxLength: 6 }))
    .map(([at, piece]) => good.slice(0, at) + piece + good.slice(at + piece.length))
  const anything = fc.oneof(fc.string({ unit: 'binary' }), damaged)
  fc.assert(
    fc.property(anything, (text) => {
      assert.equal(openEntry(VAULT, KEY, text, READING), undefined)
      const opened = openEntry(OPEN, KEY, text, READING)
      assert.ok(opened === undefined || (opened.leftMs > 0 && opened.leftMs <= HOUR))
    }),
    { numRuns: 5_000 },
  )
})
