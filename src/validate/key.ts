/**
 * Reads zone keys and verifies single signatures.
 *
 * A DNSKEY becomes a `ZoneKey`, or unusable: an algorithm that is not supported, no zone
 * key, or octets that are no key of its algorithm. None of them throws, and none is ever
 * taken for another: RSA keys have 1024 to 4096 bits and exponents of at most 64, the
 * others have exactly the lengths of their RFCs.
 *
 * Supported are algorithms 8, 10, 13, 14, 15 and 16 (RFC 9904); 5 and 7 only if the
 * operator says so (RFC 9905 lets a validator refuse SHA-1). Pure: the result depends on
 * the octets alone; a decoded key is kept as long as its `ZoneKey`.
 */
import { createHash, createPublicKey, verify } from 'node:crypto'
import type { JsonWebKey, KeyObject } from 'node:crypto'
import { printable } from '../text.js'
import type { WireName } from '../wire-name.js'

export type ZoneKey = {
  readonly kind: 'key'
  /** RFC 4034 App. B: identifies nothing, several keys may have it. */
  readonly keyTag: number
  readonly algorithm: number
  /** RFC 4034 §2.1.1: a hint only. */
  readonly isSep: boolean
  /** RFC 5011 §2.1: verifies nothing. */
  readonly isRevoked: boolean
  /** As published. */
  readonly rdata: Buffer
  /** Microseconds that one verification takes, rounded up. */
  readonly cost: number
}

/** A DNSKEY that verifies nothing here. */
export type UnusableKey = {
  readonly kind: 'unusable'
  readonly keyTag: number
  readonly algorithm: number
  readonly detail: string
}

/** What the operator allows besides the recommended algorithms. */
export type AlgorithmPolicy = {
  /** Algorithms 5 and 7. */
  readonly sha1: boolean
}

/** RFC 4034 §5.1. */
export type Ds = {
  readonly keyTag: number
  readonly algorithm: number
  readonly digestType: number
  readonly digest: Buffer
}

export function isSupportedAlgorithm(algorithm: number, policy: AlgorithmPolicy): boolean {
  return SCHEMES.has(algorithm) && (policy.sha1 || !SHA1_ALGORITHMS.has(algorithm))
}

/** RFC 4509, RFC 6605 §2; SHA-1 (1) counts only where there is no other (RFC 4509 §3). */
export function isSupportedDigest(digestType: number): boolean {
  return DIGESTS.has(digestType)
}

/** `8 RSASHA256`; the number alone if the algorithm has no name here. */
export function algorithmText(algorithm: number): string {
  const name = ALGORITHM_NAMES.get(algorithm)
  return name === undefined ? String(algorithm) : `${algorithm} ${name}`
}

/** @param rdata of a DNSKEY record, at least four octets (RFC 4034 §2.1) */
export function readZoneKey(rdata: Buffer, policy: AlgorithmPolicy): ZoneKey | UnusableKey {
  const flags = rdata.readUInt16BE(0)
  const algorithm = rdata[3] ?? 0
  const keyTag = keyTagOf(rdata)
  const unusable = (detail: string): UnusableKey => ({
    kind: 'unusable',
    keyTag,
    algorithm,
    detail: printable(`key ${keyTag} ${detail}`),
  })
  // RFC 4034 §2.1.1, §2.1.2: other keys must not be used to verify RRSIGs.
  if ((flags & ZONE_KEY) === 0) return unusable('is not a zone key')
  if (rdata[2] !== PROTOCOL) return unusable(`has protocol ${rdata[2] ?? 0}, not 3`)
  const scheme = SCHEMES.get(algorithm)
  if (scheme === undefined || !isSupportedAlgorithm(algorithm, policy)) {
    return unusable(`has algorithm ${algorithmText(algorithm)}, which is not supported`)
  }
  const jwk = scheme.read(rdata.subarray(KEY_FIXED))
  if (typeof jwk === 'string') return unusable(jwk)
  const key: ZoneKey = {
    kind: 'key',
    keyTag,
    algorithm,
    isSep: (flags & SEP) !== 0,
    isRevoked: (flags & REVOKED) !== 0,
    rdata,
    cost: scheme.cost,
  }
  return key
}

/** RFC 4034 App. B; algorithm 1, which counts otherwise, is not supported. */
export function keyTagOf(rdata: Buffer): number {
  let sum = 0
  for (let i = 0; i < rdata.length; i++) sum += (rdata[i] ?? 0) << (i & 1 ? 0 : 8)
  return (sum + ((sum >>> 16) & 0xffff)) & 0xffff
}

/** @param rdata of a DS record, at least four octets */
export function readDs(rdata: Buffer): Ds {
  return {
    keyTag: rdata.readUInt16BE(0),
    algorithm: rdata[2] ?? 0,
    digestType: rdata[3] ?? 0,
    digest: rdata.subarray(4),
  }
}

/**
 * Whether the DS refers to this key of the zone `owner`: tag, algorithm and digest
 * (RFC 4034 §5.1.4). False for a revoked key (RFC 5011 §2.1) and for an unsupported digest.
 */
export function dsMatches(ds: Ds, owner: WireName, key: ZoneKey): boolean {
  if (key.isRevoked || ds.keyTag !== key.keyTag || ds.algorithm !== key.algorithm) return false
  return digestOf(ds.digestType, owner, key.rdata)?.equals(ds.digest) ?? false
}

/** RFC 4034 §5.1.4: of the owner and the RDATA of the DNSKEY; undefined if not supported. */
export function digestOf(digestType: number, owner: WireName, rdata: Buffer): Buffer | undefined {
  const name = DIGESTS.get(digestType)
  if (name === undefined) return undefined
  return createHash(name).update(owner, 'latin1').update(rdata).digest()
}

/** Whether the signature over `data` is by this key. Never throws. */
export function isSignedBy(key: ZoneKey, data: Buffer, signature: Buffer): boolean {
  const scheme = SCHEMES.get(key.algorithm)
  const object = key.isRevoked ? undefined : keyObjectOf(key)
  if (scheme === undefined || object === undefined) return false
  // RFC 6605 §4, RFC 8080 §4: no octets more or less; OpenSSL compares RSA's with the modulus.
  if (scheme.signatureLength !== undefined && signature.length !== scheme.signatureLength) {
    return false
  }
  try {
    return verify(scheme.hash, data, { key: object, dsaEncoding: 'ieee-p1363' }, signature)
  } catch {
    return false // OpenSSL cannot verify with this key at all
  }
}

const keyObjects = new WeakMap<ZoneKey, KeyObject | 'undecodable'>()

function keyObjectOf(key: ZoneKey): KeyObject | undefined {
  let object = keyObjects.get(key)
  if (object === undefined) {
    object = decode(key)
    keyObjects.set(key, object)
  }
  return object === 'undecodable' ? undefined : object
}

/** OpenSSL refuses a point that is not on its curve (RFC 6605 §4). */
function decode({ algorithm, rdata }: ZoneKey): KeyObject | 'undecodable' {
  const jwk = SCHEMES.get(algorithm)?.read(rdata.subarray(KEY_FIXED))
  if (jwk === undefined || typeof jwk === 'string') return 'undecodable'
  try {
    return createPublicKey({ key: jwk, format: 'jwk' })
  } catch {
    return 'undecodable'
  }
}

type Scheme = {
  /** The key, or why it is none. */
  readonly read: (octets: Buffer) => JsonWebKey | string
  /** Undefined: part of the scheme. */
  readonly hash: 'sha1' | 'sha256' | 'sha384' | 'sha512' | undefined
  /** Octets; undefined: as long as the modulus. */
  readonly signatureLength?: number
  /** Microseconds, import of the key included (docs/dev/bench.md). */
  readonly cost: number
}

/** RFC 3110 §2: exponent length in one or three octets, exponent, modulus. */
function readRsa(octets: Buffer): JsonWebKey | string {
  const isLong = octets[0] === 0
  const start = isLong ? 3 : 1
  if (octets.length < start) return 'has no RSA exponent'
  const length = isLong ? octets.readUInt16BE(1) : (octets[0] ?? 0)
  const e = withoutZeros(octets.subarray(start, start + length))
  const n = withoutZeros(octets.subarray(start + length))
  if (start + length >= octets.length || e.length === 0) return 'is not a well-formed RSA key'
  if (e.length > MOST_EXPONENT) return 'has an RSA exponent of more than 64 bits'
  const bits = n.length === 0 ? 0 : n.length * 8 - Math.clz32(n[0] ?? 0) + 24
  // RFC 5702 §2, §3
  if (bits < RSA_BITS.least) return `has ${bits} bits, too few for RSA`
  if (bits > RSA_BITS.most) return `has ${bits} bits, too many for RSA`
  return { kty: 'RSA', n: n.toString('base64url'), e: e.toString('base64url') }
}

function withoutZeros(octets: Buffer): Buffer {
  const first = octets.findIndex((octet) => octet !== 0)
  return first === -1 ? Buffer.alloc(0) : octets.subarray(first)
}

/** RFC 6605 §4: the coordinates x and y. */
function readPoint(crv: string, size: number): Scheme['read'] {
  return (octets) => {
    if (octets.length !== 2 * size) return `has ${octets.length} octets, not ${2 * size}`
    const [x, y] = [octets.subarray(0, size), octets.subarray(size)]
    return { kty: 'EC', crv, x: x.toString('base64url'), y: y.toString('base64url') }
  }
}

/** RFC 8080 §3. */
function readEdwards(crv: string, size: number): Scheme['read'] {
  return (octets) =>
    octets.length === size
      ? { kty: 'OKP', crv, x: octets.toString('base64url') }
      : `has ${octets.length} octets, not ${size}`
}

/** By algorithm number: RFC 3110, 5155, 5702, 6605, 8080. */
const SCHEMES: ReadonlyMap<number, Scheme> = new Map<number, Scheme>([
  [5, { read: readRsa, hash: 'sha1', cost: 60 }],
  [7, { read: readRsa, hash: 'sha1', cost: 60 }],
  [8, { read: readRsa, hash: 'sha256', cost: 60 }],
  [10, { read: readRsa, hash: 'sha512', cost: 60 }],
  [13, { read: readPoint('P-256', 32), hash: 'sha256', signatureLength: 64, cost: 90 }],
  [14, { read: readPoint('P-384', 48), hash: 'sha384', signatureLength: 96, cost: 770 }],
  [15, { read: readEdwards('Ed25519', 32), hash: undefined, signatureLength: 64, cost: 70 }],
  [16, { read: readEdwards('Ed448', 57), hash: undefined, signatureLength: 114, cost: 160 }],
])
const SHA1_ALGORITHMS: ReadonlySet<number> = new Set([5, 7])

/** By digest type: RFC 4034, 4509, 6605. */
const DIGESTS: ReadonlyMap<number, string> = new Map([
  [1, 'sha1'],
  [2, 'sha256'],
  [4, 'sha384'],
])

/** IANA, DNS Security Algorithm Numbers. */
const ALGORITHM_NAMES: ReadonlyMap<number, string> = new Map([
  [1, 'RSAMD5'],
  [3, 'DSA'],
  [5, 'RSASHA1'],
  [6, 'DSA-NSEC3-SHA1'],
  [7, 'RSASHA1-NSEC3-SHA1'],
  [8, 'RSASHA256'],
  [10, 'RSASHA512'],
  [12, 'ECC-GOST'],
  [13, 'ECDSAP256SHA256'],
  [14, 'ECDSAP384SHA384'],
  [15, 'ED25519'],
  [16, 'ED448'],
])

/** RFC 4034 §2.1.1, RFC 5011 §2.1. */
const ZONE_KEY = 0x0100
const REVOKED = 0x0080
const SEP = 0x0001
/** RFC 4034 §2.1.2. */
const PROTOCOL = 3
/** Octets before the public key. */
const KEY_FIXED = 4
/** Octets of an RSA exponent; zones with 2^32+1 exist. */
const MOST_EXPONENT = 8
const RSA_BITS = { least: 1024, most: 4096 } as const
