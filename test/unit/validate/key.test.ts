/** Zone keys and single signatures; the vectors are those of RFC 6605 §6 and RFC 8080 §6. */
import assert from 'node:assert/strict'
import { createPrivateKey, generateKeyPairSync } from 'node:crypto'
import { describe, test } from 'node:test'
import { RR_TYPE } from '../../../src/signed-message.js'
import type { RRset, Rrsig } from '../../../src/signed-message.js'
import { signedData } from '../../../src/validate/canonical.js'
import {
  algorithmText,
  dsMatches,
  isSignedBy,
  isSupportedAlgorithm,
  isSupportedDigest,
  keyTagOf,
  readDs,
  readZoneKey,
} from '../../../src/validate/key.js'
import type { ZoneKey } from '../../../src/validate/key.js'
import { u16, wireName } from '../../support/dns-message.js'
import { dsOf, newSigner, signOctets, wire } from '../../support/signed-records.js'
import type { Signer } from '../../support/signed-records.js'

const STRICT = { sha1: false }

function usable(rdata: Buffer, policy = STRICT): ZoneKey {
  const key = readZoneKey(rdata, policy)
  assert.ok(key.kind === 'key', key.kind === 'key' ? '' : key.detail)
  return key
}

function keyRdata(flags: number, algorithm: number, base64: string): Buffer {
  return Buffer.concat([u16(flags), Buffer.from([3, algorithm]), Buffer.from(base64, 'base64')])
}

type Vector = {
  readonly title: string
  readonly zone: string
  readonly key: Buffer
  readonly ds: string
  readonly owner: string
  readonly type: number
  readonly rdata: Buffer
  /** `labels expiration inception keyTag`, the times as RFC 4034 §3.2 writes them or in seconds. */
  readonly times: readonly [number, number]
  readonly signature: string
}

const seconds = (text: string) => Date.parse(text) / 1000
const A = Buffer.from([192, 0, 2, 1])
const MX = Buffer.concat([u16(10), wireName('mail.example.com')])

const VECTORS: readonly Vector[] = [
  {
    title: 'RFC 6605 §6.1, P-256',
    zone: 'example.net',
    key: keyRdata(
      257,
      13,
      'GojIhhXUN/u4v54ZQqGSnyhWJwaubCvTmeexv7bR6edbkrSqQpF64cYbcB7wNcP+e+MAnLr+Wi9xMWyQLc8NAA==',
    ),
    ds: 'd960 0d 02 b4c8c1fe2e7477127b27115656ad6256f424625bf5c1e2770ce6d6e37df61d17',
    owner: 'www.example.net',
    type: RR_TYPE.A,
    rdata: A,
    times: [seconds('2010-09-09T10:04:39Z'), seconds('2010-08-12T10:04:39Z')],
    signature:
      'qx6wLYqmh+l9oCKTN6qIc+bw6ya+KJ8oMz0YP107epXAyGmt+3SNruPFKG7tZoLBLlUzGGus7ZwmwWep666VCw==',
  },
  {
    title: 'RFC 6605 §6.2, P-384',
    zone: 'example.net',
    key: keyRdata(
      257,
      14,
      'xKYaNhWdGOfJ+nPrL8/arkwf2EY3MDJ+SErKivBVSum1w/egsXvSADtNJhyem5RCOpgQ6K8X1DRSEkrbYQ+OB+v8/uX45NBwY8rp65F6Glur8I/mlVNgF6W/qTI37m40',
    ),
    ds: '2a13 0e 04 72d7b62976ce06438e9c0bf319013cf801f09ecc84b8d7e9495f27e305c6a9b0563a9b5f4d288405c3008a946df983d6',
    owner: 'www.example.net',
    type: RR_TYPE.A,
    rdata: A,
    times: [seconds('2010-09-09T10:20:25Z'), seconds('2010-08-12T10:20:25Z')],
    signature:
      '/L5hDKIvGDyI1fcARX3z65qrmPsVz73QD1Mr5CEqOiLP95hxQouuroGCeZOvzFaxsT8Glr74hbavRKayJNuydCuzWTSSPdz7wnqXL5bdcJzusdnI0RSMROxxwGipWcJm',
  },
  {
    title: 'RFC 8080 §6.1, Ed25519',
    zone: 'example.com',
    key: keyRdata(257, 15, 'l02Woi0iS8Aa25FQkUd9RMzZHJpBoRQwAQEX1SxZJA4='),
    ds: '0e1d 0f 02 3aa5ab37efce57f737fc1627013fee07bdf241bd10f3b1964ab55c78e79a304b',
    owner: 'example.com',
    type: RR_TYPE.MX,
    rdata: MX,
    times: [1440021600, 1438207200],
    signature:
      'oL9krJun7xfBOIWcGHi7mag5/hdZrKWw15jPGrHpjQeRAvTdszaPD+QLs3fx8A4M3e23mRZ9VrbpMngwcrqNAg==',
  },
  {
    title: 'RFC 8080 §6.2, Ed448',
    zone: 'example.com',
    key: keyRdata(
      257,
      16,
      '3kgROaDjrh0H2iuixWBrc8g2EpBBLCdGzHmn+G2MpTPhpj/OiBVHHSfPodx1FYYUcJKm1MDpJtIA',
    ),
    ds: '25f1 10 02 6ccf18d5bc5d7fc2fceb1d59d17321402f2aa8d368048db93dd811f5cb2b19c7',
    owner: 'example.com',
    type: RR_TYPE.MX,
    rdata: MX,
    times: [1440021600, 1438207200],
    signature:
      '3cPAHkmlnxcDHMyg7vFC34l0blBhuG1qpwLmjInI8w1CMB29FkEAIJUA0amxWndkmnBZ6SKiwZSAxGILn/NBtOXft0+Gj7FSvOKxE/07+4RQvE581N3Aj/JtIyaiYVdnYtyMWbSNyGEY2213WKsJlwEA',
  },
]

describe('[DNSSEC-25] vectors', () => {
  for (const { title, zone, key, ds, owner, type, rdata, times, signature } of VECTORS) {
    const rrsig: Rrsig = {
      typeCovered: type,
      algorithm: key[3] ?? 0,
      labels: owner.split('.').length,
      originalTtl: 3600,
      expiration: times[0],
      inception: times[1],
      keyTag: keyTagOf(key),
      signer: wire(zone),
      signature: Buffer.from(signature, 'base64'),
    }
    const rrset: RRset = { owner: wire(owner), type, ttl: 60, rdatas: [rdata], signatures: [rrsig] }
    const data = signedData(rrset, rrsig, wire(owner))

    test(`${title}: the signature is by the key`, () => {
      assert.equal(isSignedBy(usable(key), data, rrsig.signature), true)
    })

    test(`${title}: not over other data, nor with an octet more or less`, () => {
      const changed = Buffer.from(data)
      changed[data.length - 1] = (data[data.length - 1] ?? 0) ^ 1
      assert.equal(isSignedBy(usable(key), changed, rrsig.signature), false)
      assert.equal(isSignedBy(usable(key), data, rrsig.signature.subarray(1)), false)
      const longer = Buffer.concat([rrsig.signature, Buffer.alloc(1)])
      assert.equal(isSignedBy(usable(key), data, longer), false)
      assert.equal(isSignedBy(usable(key), data, Buffer.alloc(0)), false)
    })

    test(`${title}: the DS refers to the key`, () => {
      const record = readDs(Buffer.from(ds.replaceAll(' ', ''), 'hex'))
      assert.equal(dsMatches(record, wire(zone), usable(key)), true)
      assert.equal(dsMatches(record, wire('example.org'), usable(key)), false)
    })
  }
})

describe('[DNSSEC-33] every algorithm', () => {
  const data = Buffer.from('signed')
  for (const algorithm of [8, 10, 13, 14, 15, 16]) {
    test(`${algorithmText(algorithm)}: its signature is good, one by another key is not`, () => {
      const [one, other] = [newSigner(algorithm), newSigner(algorithm)]
      assert.equal(isSignedBy(usable(one.rdata), data, signOctets(one, data)), true)
      assert.equal(isSignedBy(usable(one.rdata), data, signOctets(other, data)), false)
      assert.equal(usable(one.rdata).keyTag, one.keyTag)
    })
  }

  for (const algorithm of [5, 7]) {
    test(`${algorithmText(algorithm)} only by the operator's word (RFC 9905)`, () => {
      const signer = newSigner(algorithm)
      const refused = readZoneKey(signer.rdata, STRICT)
      assert.ok(refused.kind === 'unusable')
      assert.match(refused.detail, /algorithm \d RSASHA1.*not supported/)
      assert.equal(isSupportedAlgorithm(algorithm, STRICT), false)
      const key = usable(signer.rdata, { sha1: true })
      assert.equal(isSignedBy(key, data, signOctets(signer, data)), true)
    })
  }

  for (const algorithm of [0, 1, 2, 3, 6, 12, 17, 23, 252, 253, 255]) {
    test(`algorithm ${algorithm} never (RFC 8624 §3.1)`, () => {
      assert.equal(isSupportedAlgorithm(algorithm, { sha1: true }), false)
      const rdata = Buffer.from(newSigner(15).rdata)
      rdata[3] = algorithm
      assert.equal(readZoneKey(rdata, { sha1: true }).kind, 'unusable')
    })
  }

  test('a signature by a P-256 key in DER is not one (RFC 6605 §4)', () => {
    const signer = newSigner(13)
    const raw = signOctets(signer, data)
    assert.equal(isSignedBy(usable(signer.rdata), data, Buffer.concat([raw, raw])), false)
  })
})

describe('keys', () => {
  const edited = (rdata: Buffer, edit: (copy: Buffer) => void) => {
    const copy = Buffer.from(rdata)
    edit(copy)
    return copy
  }
  const signer = newSigner(13)
  const why = (rdata: Buffer) => {
    const key = readZoneKey(rdata, STRICT)
    return key.kind === 'unusable' ? key.detail : undefined
  }

  test('[DNSSEC-20] without the zone flag (RFC 4034 §2.1.1)', () => {
    assert.match(why(newSigner(13, { flags: 0x0001 }).rdata) ?? '', /not a zone key/)
  })

  test('the SEP flag is a hint (RFC 4034 §2.1.1)', () => {
    assert.equal(usable(newSigner(13, { flags: 0x0100 }).rdata).isSep, false)
    assert.equal(usable(signer.rdata).isSep, true)
  })

  test('[DNSSEC-20] of another protocol (RFC 4034 §2.1.2)', () => {
    assert.match(why(newSigner(13, { protocol: 2 }).rdata) ?? '', /protocol 2/)
  })

  test('[DNSSEC-22] a revoked key signs nothing, and no DS refers to it (RFC 5011 §2.1)', () => {
    const revoked = newSigner(13, { flags: 0x0181 })
    const key = usable(revoked.rdata)
    assert.equal(key.isRevoked, true)
    assert.equal(isSignedBy(key, Buffer.from('x'), signOctets(revoked, Buffer.from('x'))), false)
    assert.equal(dsMatches(readDs(dsOf(wire('a'), revoked)), wire('a'), key), false)
  })

  for (const algorithm of [13, 14, 15, 16]) {
    test(`[DNSSEC-32] ${algorithmText(algorithm)} with an octet more or less (RFC 6605 §4, RFC 8080 §3)`, () => {
      const { rdata } = newSigner(algorithm)
      assert.match(why(rdata.subarray(0, -1)) ?? '', /octets, not/)
      assert.match(why(Buffer.concat([rdata, Buffer.alloc(1)])) ?? '', /octets, not/)
      assert.match(why(rdata.subarray(0, 4)) ?? '', /has 0 octets/)
    })
  }

  test('[DNSSEC-32] a point that is not on the curve verifies nothing', () => {
    const off = usable(edited(signer.rdata, (copy) => (copy[10] = (copy[10] ?? 0) ^ 1)))
    const data = Buffer.from('x')
    assert.equal(isSignedBy(off, data, signOctets(signer, data)), false)
  })

  const rsa = (exponent: Buffer, modulus: Buffer, long = false) =>
    Buffer.concat([
      u16(257),
      Buffer.from([3, 8]),
      long
        ? Buffer.concat([Buffer.alloc(1), u16(exponent.length)])
        : Buffer.from([exponent.length]),
      exponent,
      modulus,
    ])
  const F4 = Buffer.from([1, 0, 1])
  const modulus = (octets: number, first = 0x80) => Buffer.alloc(octets, 0xff).fill(first, 0, 1)

  for (const [title, rdata, expected] of [
    ['1024 bits', rsa(F4, modulus(128)), undefined],
    ['1023 bits', rsa(F4, modulus(128, 0x7f)), /1023 bits, too few/],
    ['4096 bits', rsa(F4, modulus(512)), undefined],
    ['4097 bits', rsa(F4, modulus(513, 1)), /4097 bits, too many/],
    [
      'leading zeros do not count',
      rsa(F4, Buffer.concat([Buffer.alloc(9), modulus(128)])),
      undefined,
    ],
    ['an exponent of 64 bits', rsa(Buffer.alloc(8, 0xff), modulus(256)), undefined],
    ['an exponent of 65 bits', rsa(Buffer.alloc(9, 1), modulus(256)), /more than 64 bits/],
    ['an exponent length in three octets', rsa(F4, modulus(256), true), undefined],
    ['no exponent', rsa(Buffer.alloc(0), modulus(256), true), /well-formed/],
    ['an exponent of zero', rsa(Buffer.alloc(3), modulus(256)), /well-formed/],
    ['no modulus', rsa(F4, Buffer.alloc(0)), /well-formed/],
    ['an exponent that overruns', rsa(F4, Buffer.alloc(0)).subarray(0, -1), /well-formed/],
    ['nothing', Buffer.from([1, 1, 3, 8]), /exponent/],
    ['half a length', Buffer.from([1, 1, 3, 8, 0, 1]), /exponent/],
  ] as const) {
    test(`[DNSSEC-31] RSA: ${title} (RFC 3110 §2)`, () => {
      if (expected === undefined) assert.equal(why(rdata), undefined)
      else assert.match(why(rdata) ?? 'usable', expected)
    })
  }

  test('RSA with the exponent 2^32+1, which zones use', () => {
    const signer = withExponent(2n ** 32n + 1n)
    const data = Buffer.from('x')
    assert.equal(isSignedBy(usable(signer.rdata), data, signOctets(signer, data)), true)
  })

  test('random octets never throw, and verify nothing', () => {
    for (let i = 0; i < 500; i++) {
      const rdata = Buffer.from(newSigner(15).rdata)
      rdata[3] = [8, 10, 13, 14, 15, 16][i % 6] ?? 8
      const key = readZoneKey(Buffer.concat([rdata, Buffer.alloc(i % 140, i)]), STRICT)
      if (key.kind === 'key') assert.equal(isSignedBy(key, rdata, Buffer.alloc(64, i)), false)
    }
  })
})

/** An RSA key with an exponent that Node does not generate. */
function withExponent(e: bigint): Signer {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const jwk = privateKey.export({ format: 'jwk' })
  const number = (text = '') => BigInt(`0x${Buffer.from(text, 'base64url').toString('hex')}`)
  const octets = (value: bigint) => {
    const hex = value.toString(16)
    return Buffer.from(hex.padStart(hex.length + (hex.length % 2), '0'), 'hex')
  }
  const [p, q] = [number(jwk.p), number(jwk.q)]
  const d = inverse(e, (p - 1n) * (q - 1n))
  if (d === undefined) return withExponent(e)
  const text = (value: bigint) => octets(value).toString('base64url')
  const key = createPrivateKey({
    key: { ...jwk, e: text(e), d: text(d), dp: text(d % (p - 1n)), dq: text(d % (q - 1n)) },
    format: 'jwk',
  })
  const exponent = octets(e)
  const rdata = Buffer.concat([
    u16(257),
    Buffer.from([3, 8, exponent.length]),
    exponent,
    Buffer.from(jwk.n ?? '', 'base64url'),
  ])
  return { algorithm: 8, privateKey: key, rdata, keyTag: keyTagOf(rdata) }
}

/** Undefined if there is none. */
function inverse(value: bigint, modulus: bigint): bigint | undefined {
  let [a, b, x, y] = [value % modulus, modulus, 1n, 0n]
  while (b !== 0n) [a, b, x, y] = [b, a % b, y, x - (a / b) * y]
  return a === 1n ? ((x % modulus) + modulus) % modulus : undefined
}

describe('DS', () => {
  const owner = wire('example.org')
  const signer = newSigner(15)
  const key = usable(signer.rdata)

  for (const type of [1, 2, 4]) {
    test(`digest type ${type} (RFC 4034 §5.1.4, RFC 4509, RFC 6605 §2)`, () => {
      const ds = readDs(dsOf(owner, signer, type))
      assert.equal(isSupportedDigest(type), true)
      assert.equal(dsMatches(ds, owner, key), true)
      assert.equal(dsMatches({ ...ds, keyTag: ds.keyTag ^ 1 }, owner, key), false)
      assert.equal(dsMatches({ ...ds, algorithm: 13 }, owner, key), false)
      assert.equal(dsMatches({ ...ds, digest: ds.digest.subarray(1) }, owner, key), false)
      assert.equal(dsMatches({ ...ds, digest: Buffer.alloc(0) }, owner, key), false)
    })
  }

  for (const type of [0, 3, 5, 6, 255]) {
    test(`digest type ${type} is not supported`, () => {
      assert.equal(isSupportedDigest(type), false)
      const ds = { ...readDs(dsOf(owner, signer)), digestType: type }
      assert.equal(dsMatches(ds, owner, key), false)
    })
  }
})
