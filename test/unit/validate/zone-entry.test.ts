/** Zones from a store that others can write to: what is accepted, and what is not. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { readZoneKey } from '../../../src/validate/key.js'
import type { ZoneKey } from '../../../src/validate/key.js'
import { composeZone, parseZone } from '../../../src/validate/zone-entry.js'
import type { ZoneReading } from '../../../src/validate/zone-entry.js'
import type { KeptZone } from '../../../src/validate/zone-store.js'
import { ROOT } from '../../../src/wire-name.js'
import { newSigner, wire } from '../../support/signed-records.js'

const NOW = Date.UTC(2026, 10, 20)
const APEX = wire('example.org')
const UNDER = 'a'.repeat(32)
const READING: ZoneReading = {
  apex: APEX,
  under: UNDER,
  policy: { sha1: false },
  now: NOW,
  until: NOW + 600_000,
}

const SECURE: KeptZone = {
  apex: APEX,
  keys: [zoneKey(newSigner(13).rdata), zoneKey(newSigner(8).rdata)],
  detail: '',
  expiresAt: NOW + 300_000,
  under: UNDER,
}
const INSECURE: KeptZone = { ...SECURE, keys: undefined, detail: 'no DS of example.org' }

function zoneKey(rdata: Buffer): ZoneKey {
  const key = readZoneKey(rdata, { sha1: true })
  assert.equal(key.kind, 'key')
  return key
}

/** The text of SECURE with another list of keys. */
function withKeys(keys: unknown): string {
  return JSON.stringify([UNDER, base64(APEX), NOW + 300_000, keys])
}

function base64(octets: Buffer | string): string {
  return (typeof octets === 'string' ? Buffer.from(octets, 'latin1') : octets).toString('base64')
}

describe('a zone as text', () => {
  for (const [what, zone] of Object.entries({ SECURE, INSECURE })) {
    test(`is read as it was written: ${what}`, () => {
      assert.deepEqual(parseZone(composeZone(zone), READING), zone)
    })
  }

  test('ends when the store says so', () => {
    const zone = parseZone(composeZone(SECURE), { ...READING, until: NOW + 1 })
    assert.equal(zone?.expiresAt, NOW + 1)
  })

  test('RFC 4035 §5.3.3: ends with its signatures, whatever the store says', () => {
    const zone = parseZone(composeZone(SECURE), { ...READING, until: NOW + 86_400_000 })
    assert.equal(zone?.expiresAt, NOW + 300_000)
  })

  test('32 keys of 4096 bits fit', () => {
    const { rdata } = newSigner(8, { modulusLength: 4096 })
    const keys = Array.from({ length: 32 }, () => zoneKey(rdata))
    assert.equal(parseZone(composeZone({ ...SECURE, keys }), READING)?.keys?.length, 32)
  })
})

describe('a zone is not accepted', () => {
  const key = base64(newSigner(13).rdata)
  const sha1 = { ...SECURE, keys: [zoneKey(newSigner(5).rdata)] }
  const hostile: Readonly<Record<string, string>> = {
    'another apex': composeZone({ ...SECURE, apex: wire('example.com') }),
    'an apex above': composeZone({ ...SECURE, apex: wire('org') }),
    'an apex in capitals': composeZone(SECURE).replace(
      base64(APEX),
      base64('\u0007EXAMPLE\u0003org\0'),
    ),
    'other anchors or another policy': composeZone({ ...SECURE, under: 'b'.repeat(32) }),
    'no digest': composeZone({ ...SECURE, under: '' }),
    expired: composeZone({ ...SECURE, expiresAt: NOW }),
    'expired, insecure': composeZone({ ...INSECURE, expiresAt: NOW - 1 }),
    'an end that is no number': withKeys([key]).replace(String(NOW + 300_000), '"1"'),
    'an end that is no whole number': withKeys([key]).replace(String(NOW + 300_000), '1e400'),
    'no keys': withKeys([]),
    'more keys than a zone may have (CVE-2023-50387)': withKeys(
      Array.from({ length: 33 }, () => key),
    ),
    'one of the keys is none': withKeys([key, 7]),
    'a key shorter than its fixed part': withKeys(['AQA=']),
    'an empty key': withKeys(['']),
    'a key in another alphabet': withKeys([`${key} `]),
    'a key of a wrong length': withKeys([base64(newSigner(13).rdata.subarray(0, 40))]),
    'a key of an algorithm that is not allowed (RFC 9905)': composeZone(sha1),
    'a key that is no zone key (RFC 4034 §2.1.1)': withKeys([
      base64(newSigner(13, { flags: 0 }).rdata),
    ]),
    'a revoked key (RFC 5011 §2.1)': withKeys([base64(newSigner(13, { flags: 0x0181 }).rdata)]),
    'keys that are no list': withKeys({ length: 1, 0: key }),
    'nothing instead of keys': withKeys(null),
    'a part too many': JSON.stringify([UNDER, base64(APEX), NOW + 300_000, [key], 1]),
    'a part too few': JSON.stringify([UNDER, base64(APEX), NOW + 300_000]),
    'not a list': JSON.stringify({ under: UNDER }),
    'not JSON': composeZone(SECURE).slice(0, -1),
    nothing: '',
    'too long': JSON.stringify([UNDER, base64(APEX), NOW + 300_000, 'x'.repeat(40_000)]),
  }
  for (const [what, text] of Object.entries(hostile)) {
    test(what, () => {
      assert.equal(parseZone(text, READING), undefined)
    })
  }

  test('the store has it no longer', () => {
    assert.equal(parseZone(composeZone(SECURE), { ...READING, until: NOW }), undefined)
  })

  test('the root without keys: nothing can prove it insecure', () => {
    const text = composeZone({ ...INSECURE, apex: ROOT })
    assert.equal(parseZone(text, { ...READING, apex: ROOT }), undefined)
    const secure = composeZone({ ...SECURE, apex: ROOT })
    assert.equal(parseZone(secure, { ...READING, apex: ROOT })?.keys?.length, 2)
  })

  test('the detail reaches no log with control characters', () => {
    const zone = parseZone(composeZone({ ...INSECURE, detail: '\u001b[31m\n' }), READING)
    assert.doesNotMatch(zone?.detail ?? '', /\p{Cc}/u)
  })

  test('any text: no exception', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        assert.equal(parseZone(text, READING), undefined)
      }),
    )
  })
})
