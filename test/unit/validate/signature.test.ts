/** Whether a signature vouches for a set (RFC 4035 §5.3). */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { RR_TYPE } from '../../../src/signed-message.js'
import type { RRset, Rrsig } from '../../../src/signed-message.js'
import {
  Budget,
  BUDGET,
  MOST_FAILED_PER_TAG,
  MOST_PER_SET,
  SLICE,
} from '../../../src/validate/budget.js'
import { readZoneKey } from '../../../src/validate/key.js'
import type { ZoneKey } from '../../../src/validate/key.js'
import { verifyRRset } from '../../../src/validate/signature.js'
import type { ZoneKeys } from '../../../src/validate/signature.js'
import { ROOT } from '../../../src/wire-name.js'
import { u16, wireName } from '../../support/dns-message.js'
import { newSigner, signatureOf, signedSet, wire } from '../../support/signed-records.js'
import type { Signer, Signing } from '../../support/signed-records.js'

const DAY = 86_400
/** 2026-11-27T12:00:00Z, in seconds. */
const NOW = 1_795_780_800
const ZONE = wire('example.org')
const signer = newSigner(15)
const A1 = Buffer.from([192, 0, 2, 1])
const A2 = Buffer.from([192, 0, 2, 2])

function keyOf({ rdata }: Signer): ZoneKey {
  const key = readZoneKey(rdata, { sha1: false })
  assert.ok(key.kind === 'key')
  return key
}

const KEYS: ZoneKeys = { zone: ZONE, keys: [keyOf(signer)] }

const BASE: Signing = {
  signer,
  zone: ZONE,
  owner: wire('www.example.org'),
  type: RR_TYPE.A,
  rdatas: [A1, A2],
  inception: NOW - DAY,
  expiration: NOW + 10 * DAY,
}

function verify(rrset: RRset, keys = KEYS, now = NOW, budget = new Budget()) {
  return verifyRRset(rrset, keys, now * 1000, budget)
}

function why(rrset: RRset, keys = KEYS, now = NOW): string {
  const result = verify(rrset, keys, now)
  return result.kind === 'bogus' ? result.detail : result.kind
}

describe('a set that is signed', () => {
  test('[DNSSEC-28] is verified, in whatever order its records come, and if one comes twice (RFC 4034 §6.3)', () => {
    const set = signedSet(BASE)
    for (const rdatas of [
      [A1, A2],
      [A2, A1],
      [A2, A1, A2],
    ]) {
      const result = verify({ ...set, rdatas })
      assert.ok(result.kind === 'verified')
      assert.equal(result.wildcard, undefined)
      assert.equal(result.closestEncloser, undefined)
      assert.equal(result.key.keyTag, signer.keyTag)
    }
  })

  test('names in RDATA count in lower case (RFC 4034 §6.2)', () => {
    const mx = (host: string) => Buffer.concat([u16(10), wireName(host)])
    const signing = { ...BASE, type: RR_TYPE.MX, rdatas: [mx('mx.example.org')] }
    assert.equal(verify({ ...signedSet(signing), rdatas: [mx('Mx.EXAMPLE.org')] }).kind, 'verified')
  })

  test('[DNSSEC-29] the original TTL is signed, the one received is not (RFC 4034 §3.1.8.1)', () => {
    const set = signedSet({ ...BASE, ttl: 17, originalTtl: 3600 })
    const result = verify(set)
    assert.ok(result.kind === 'verified')
    assert.equal(result.expiresAt, (NOW + 17) * 1000)
  })

  for (const [title, signing, seconds] of [
    ['the original TTL', { ttl: 7200, originalTtl: 60 }, 60],
    ['the end of the signature', { expiration: NOW + 30, inception: NOW - DAY }, 30],
    ['nothing, within the tolerance after the end', { expiration: NOW - 30 }, 0],
  ] as const) {
    test(`[DNSSEC-30] is kept no longer than ${title} (RFC 4035 §5.3.3)`, () => {
      const result = verify(signedSet({ ...BASE, ...signing }))
      assert.ok(result.kind === 'verified')
      assert.equal(result.expiresAt, (NOW + seconds) * 1000)
    })
  }

  test('[DNSSEC-23] one good signature is enough, whatever the others are (RFC 4035 §5.3.3, RFC 6840 §5.12)', () => {
    const good = signatureOf(BASE)
    const set = {
      ...signedSet(BASE),
      signatures: [
        { ...good, algorithm: 253 },
        signatureOf({ ...BASE, expiration: NOW - 9 * DAY, inception: NOW - 10 * DAY }),
        signatureOf({ ...BASE, signer: newSigner(13) }),
        { ...good, signature: Buffer.alloc(64) },
        good,
      ],
    }
    assert.equal(verify(set).kind, 'verified')
  })

  test('the root signs with no labels', () => {
    const rdatas = [signer.rdata]
    const set = signedSet({ ...BASE, zone: ROOT, owner: ROOT, type: RR_TYPE.DNSKEY, rdatas })
    assert.equal(verify(set, { ...KEYS, zone: ROOT }).kind, 'verified')
  })
})

describe('[DNSSEC-13 DNSSEC-14 DNSSEC-20] a set that is not signed by the zone is bogus', () => {
  const good = signedSet(BASE)
  const [rrsig] = good.signatures
  assert.ok(rrsig)
  const withSignature = (change: Partial<Rrsig>): RRset => ({
    ...good,
    signatures: [{ ...rrsig, ...change }],
  })
  const revoked = newSigner(15, { flags: 0x0181 })
  const sub = wire('sub.example.org')
  const ds = Buffer.from('123405020000', 'hex')

  for (const [title, rrset, expected, keys] of [
    ['no signature', { ...good, signatures: [] }, /no signature by example\.org/],
    ['a record changed', { ...good, rdatas: [A1, A1] }, /key \d+ does not match/],
    ['a record added', { ...good, rdatas: [A1, A2, Buffer.alloc(4)] }, /does not match/],
    ['a record missing', { ...good, rdatas: [A1] }, /does not match/],
    ['another owner', { ...good, owner: wire('xyz.example.org') }, /does not match/],
    ['another type', { ...good, type: RR_TYPE.TLSA }, /covers type 1/],
    ['another original TTL', withSignature({ originalTtl: 3601 }), /does not match/],
    ['another begin', withSignature({ inception: NOW - DAY - 1 }), /does not match/],
    ['another end', withSignature({ expiration: NOW + 11 * DAY }), /does not match/],
    ['another key tag', withSignature({ keyTag: 1 }), /no key 1 of algorithm 15/],
    ['another algorithm', withSignature({ algorithm: 8 }), /of algorithm 8/],
    ['another signer', withSignature({ signer: wire('example.net') }), /by example\.net, not by/],
    [
      'the zone below as signer (RFC 4035 §5.3.1)',
      signedSet({ ...BASE, owner: wire('a.sub.example.org'), zone: sub }),
      /by sub\.example\.org, not by zone example\.org/,
    ],
    [
      'an owner outside the zone (RFC 4035 §5.3.1)',
      signedSet({ ...BASE, owner: wire('www.example.net') }),
      /is not in zone/,
    ],
    [
      'an owner that ends like the zone',
      signedSet({ ...BASE, owner: wire('wwwexample.org') }),
      /is not in zone/,
    ],
    [
      '[DNSSEC-16] more labels than the owner (RFC 4035 §5.3.1)',
      signedSet({ ...BASE, labels: 4 }),
      /4 labels of 3/,
    ],
    [
      '[DNSSEC-17] a wildcard above the zone (CVE-2026-44690)',
      signedSet({ ...BASE, signedOwner: wire('*.org') }),
      /wildcard above its zone/,
    ],
    [
      '[DNSSEC-9 DNSSEC-15] a DS set signed by its own zone (RFC 4035 §2.4, RFC 6840 §4.4)',
      signedSet({ ...BASE, owner: ZONE, type: RR_TYPE.DS, rdatas: [ds] }),
      /DS of example\.org signed by itself/,
    ],
    [
      'a DNSKEY set below the apex',
      signedSet({ ...BASE, type: RR_TYPE.DNSKEY, rdatas: [signer.rdata] }),
      /below the apex/,
    ],
    [
      '[DNSSEC-22] a revoked key (RFC 5011 §2.1)',
      signedSet({ ...BASE, signer: revoked }),
      /is revoked/,
      { zone: ZONE, keys: [keyOf(revoked)] },
    ],
    [
      'the tag of a key that did not sign',
      signedSet({ ...BASE, signer: newSigner(15), keyTag: signer.keyTag }),
      /does not match/,
    ],
    ['no keys', good, /no key/, { zone: ZONE, keys: [] }],
  ] satisfies [string, RRset, RegExp, ZoneKeys?][]) {
    test(title, () => {
      assert.match(why(rrset, keys), expected)
    })
  }
})

describe('[DNSSEC-16 DNSSEC-29] wildcards (RFC 4035 §5.3.2)', () => {
  const expanded = { ...BASE, owner: wire('a.b.example.org'), signedOwner: wire('*.example.org') }

  test('an expanded set is verified, and says what has to be denied', () => {
    const result = verify(signedSet(expanded))
    assert.ok(result.kind === 'verified')
    assert.equal(result.wildcard, wire('*.example.org'))
    assert.equal(result.closestEncloser, ZONE)
  })

  test('a set at the wildcard itself is not expanded', () => {
    const result = verify(signedSet({ ...BASE, owner: wire('*.example.org') }))
    assert.ok(result.kind === 'verified')
    assert.equal(result.wildcard, undefined)
  })

  for (const [title, type, rdata] of [
    ['NSEC', RR_TYPE.NSEC, Buffer.from('000001', 'hex')],
    ['NSEC3', RR_TYPE.NSEC3, Buffer.from('0100000000010100', 'hex')],
    ['DS', RR_TYPE.DS, Buffer.alloc(36)],
    ['SOA', RR_TYPE.SOA, Buffer.alloc(22)],
  ] as const) {
    test(`[DNSSEC-18] ${title} is never expanded (RFC 4592 §4, CVE-2017-15105)`, () => {
      assert.match(why(signedSet({ ...expanded, type, rdatas: [rdata] })), /never expanded/)
      const own = signedSet({ ...BASE, owner: wire('*.example.org'), type, rdatas: [rdata] })
      assert.equal(why(own), 'verified')
    })
  }

  test('a wildcard of 255 octets and more cannot have signed', () => {
    const label = 'a'.repeat(63)
    const owner = wire(`b.${label}.${label}.${label}.${'a'.repeat(47)}.example.org`)
    const set = signedSet({ ...BASE, owner, labels: 7 })
    assert.equal(set.owner.length <= 255, true)
    assert.equal(
      why({ ...set, signatures: [signatureOf({ ...BASE, owner, labels: 6 })] }).includes(
        'does not match',
      ),
      true,
    )
  })
})

describe('[DNSSEC-19] times (RFC 4034 §3.1.5)', () => {
  const signed = (inception: number, expiration: number) =>
    signedSet({ ...BASE, inception, expiration })

  for (const [title, rrset, expected] of [
    ['at the first second', signed(NOW, NOW + DAY), /verified/],
    ['at the last second', signed(NOW - DAY, NOW), /verified/],
    ['an hour late, of a day', signed(NOW - DAY, NOW - 3_600), /verified/],
    ['an hour early, of a short life', signed(NOW + 3600, NOW + 7200), /verified/],
    ['more than an hour early', signed(NOW + 3601, NOW + 7200), /not valid before 2026-11-27/],
    [
      'more than a tenth of its life late',
      signed(NOW - 11 * DAY, NOW - DAY - 1),
      /expired on 2026-11-26/,
    ],
    ['more than a day late, of a year', signed(NOW - 365 * DAY, NOW - DAY - 1), /expired on/],
    [
      'more than a day early, of a year',
      signed(NOW + DAY + 1, NOW + 365 * DAY),
      /not valid before/,
    ],
    ['ending before it begins', signed(NOW + 60, NOW - 60), /ends before it begins/],
    ['for longer than 2^31 s (RFC 1982)', signed(NOW, NOW + 2 ** 31 + 9), /ends before it begins/],
  ] as const) {
    test(title, () => {
      assert.match(why(rrset), expected)
    })
  }

  test('past 2106 the numbers wrap (RFC 1982)', () => {
    const late = 2 ** 32 + 1000
    const set = signedSet({ ...BASE, inception: 2 ** 32 - DAY, expiration: 2 ** 32 + DAY })
    assert.equal(why(set, KEYS, late), 'verified')
    assert.match(why(set, KEYS, late + 10 * DAY), /expired on 2106-02-08/)
  })
})

describe('budget', () => {
  const other = newSigner(15)
  const colliding = (count: number): ZoneKeys => ({
    zone: ZONE,
    keys: Array.from({ length: count }, () => ({ ...keyOf(other), keyTag: signer.keyTag })),
  })

  test('[DNSSEC-21] all keys of a tag are tried, up to the limit (RFC 6840 §5.5, CVE-2023-50387)', () => {
    const set = signedSet(BASE)
    const most = { ...colliding(MOST_FAILED_PER_TAG - 1) }
    assert.equal(why(set, { ...most, keys: [...most.keys, ...KEYS.keys] }), 'verified')
    const more = colliding(MOST_FAILED_PER_TAG)
    assert.match(
      why(set, { ...more, keys: [...more.keys, ...KEYS.keys] }),
      /too many keys with tag/,
    )
  })

  test('keys of one tag do not keep those of another from the set', () => {
    const more = colliding(9)
    const second = newSigner(13)
    const set = {
      ...signedSet(BASE),
      signatures: [signatureOf(BASE), signatureOf({ ...BASE, signer: second })],
    }
    assert.equal(why(set, { ...more, keys: [...more.keys, keyOf(second)] }), 'verified')
  })

  test('[DNSSEC-72] signatures over one set are limited', () => {
    const signers = Array.from({ length: MOST_PER_SET + 1 }, () => newSigner(15))
    const keys = { zone: ZONE, keys: signers.map(keyOf) }
    const signatures = signers.map((signer) => ({
      ...signatureOf({ ...BASE, signer }),
      signature: Buffer.alloc(64),
    }))
    const result = verify({ ...signedSet(BASE), signatures }, keys)
    assert.ok(result.kind === 'exhausted')
    assert.match(result.detail, /16 signatures over one RRset/)
  })

  test('[DNSSEC-72] signatures of one lookup are limited, and a result is paid for once', () => {
    const budget = new Budget()
    const first = signedSet(BASE)
    for (let i = 0; i < 10; i++) assert.equal(verify(first, KEYS, NOW, budget).kind, 'verified')
    for (let i = 1; i < BUDGET.verifications; i++) {
      assert.equal(verify(signedSet(BASE), KEYS, NOW, budget).kind, 'verified')
    }
    const result = verify(signedSet(BASE), KEYS, NOW, budget)
    assert.ok(result.kind === 'exhausted')
    assert.match(result.detail, /more than 64 signatures/)
    assert.equal(verify(first, KEYS, NOW, budget).kind, 'verified')
    assert.match(budget.exhausted ?? '', /more than 64 signatures/)
  })

  test('a bad result is remembered as well, for its own key only', () => {
    const budget = new Budget()
    const set = signedSet(BASE)
    const wrong = { zone: ZONE, keys: [{ ...keyOf(other), keyTag: signer.keyTag }] }
    assert.equal(verify(set, wrong, NOW, budget).kind, 'bogus')
    assert.equal(verify(set, wrong, NOW, budget).kind, 'bogus')
    assert.equal(verify(set, KEYS, NOW, budget).kind, 'verified')
  })

  test('work is counted in slices', () => {
    const budget = new Budget()
    assert.equal(budget.take('hashes', SLICE - 1), true)
    assert.equal(budget.isSliceSpent, false)
    assert.equal(budget.take('hashes', 1), true)
    assert.equal(budget.isSliceSpent, true)
    budget.startSlice()
    assert.equal(budget.isSliceSpent, false)
    while (budget.take('questions'));
    assert.match(budget.exhausted ?? '', /more than 48 questions/)
  })
})
