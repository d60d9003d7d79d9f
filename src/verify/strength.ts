/**
 * Are a key and a signature strong enough, and what does it cost to use them?
 *
 * RFC 6698 §4.1 leaves weak algorithms to local policy; this is OpenSSL's security level
 * 2, 112 bits. Keys designed to waste a verifier's time are refused as well. Everything
 * is read from the bytes of the key, so that OpenSSL never sees such a key. DANE-EE(3) is
 * exempt: there the TLS library decides which keys it accepts. Pure.
 */
import { EC_PUBLIC_KEY } from '../x509/certificate.js'
import { contentOf, isDer, readChildren, readOid, readSequence, TAG } from '../x509/der.js'
import type { DerElement } from '../x509/der.js'
import { printable } from '../text.js'

/** Strength and cost of a public key. */
export type KeyStrength = {
  /** Why the key is not accepted; undefined if it is. */
  readonly weakness: string | undefined
  /** Microseconds that OpenSSL takes to verify a signature with it. */
  readonly cost: number
  /** Microseconds that OpenSSL takes to decode it, above those of an ordinary key. */
  readonly reading: number
}

/** @param spki SubjectPublicKeyInfo in DER */
export function keyStrength(spki: Buffer): KeyStrength {
  const key = isDer(spki) ? readKey(spki) : undefined
  if (key === undefined) return weak('a key that is not in DER is not accepted')
  const { type, parameters, bits } = key
  switch (type) {
    case OID.rsa:
    case OID.rsaPss:
      return rsaStrength(bits)
    case EC_PUBLIC_KEY:
      return curveStrength(readOid(spki, parameters))
    case OID.ed25519:
      return strong(130)
    case OID.ed448:
      return strong(260)
    default:
      return weak(`${OTHER_KEYS.get(type) ?? `keys of type ${printable(type)}`} are not accepted`)
  }
}

/** Why the key is not accepted; undefined if it is. */
export function keyWeakness(spki: Buffer): string | undefined {
  return keyStrength(spki).weakness
}

function weak(weakness: string): KeyStrength {
  return { weakness, cost: 0, reading: 0 }
}

function strong(cost: number, reading = 0): KeyStrength {
  return { weakness: undefined, cost, reading }
}

type Key = {
  readonly type: string
  readonly parameters: DerElement | undefined
  /** The content of the BIT STRING. */
  readonly bits: Buffer
}

function readKey(spki: Buffer): Key | undefined {
  const [algorithm, key] = readSequence(spki, 2) ?? []
  if (algorithm?.tag !== TAG.sequence || key?.tag !== TAG.bitString) return undefined
  const [id, parameters] = readChildren(spki, algorithm, 2) ?? []
  const type = readOid(spki, id)
  if (type === undefined || spki[key.contentStart] !== 0) return undefined
  return { type, parameters, bits: spki.subarray(key.contentStart + 1, key.end) }
}

/** RFC 8017 §A.1.1. */
function rsaStrength(bits: Buffer): KeyStrength {
  const [n, e] = (isDer(bits) ? readSequence(bits, 2) : undefined) ?? []
  const [modulus, exponent] = [n, e].map((number) =>
    number?.tag === TAG.integer ? withoutSign(contentOf(bits, number)) : undefined,
  )
  if (modulus === undefined || exponent === undefined) {
    return weak('an RSA key that cannot be read is not accepted')
  }
  const length = bitLength(modulus)
  if (length < MIN_RSA_BITS || length > MAX_RSA_BITS) {
    return weak(`RSA key of ${length} bits is not accepted`)
  }
  if (bitLength(exponent) > MAX_EXPONENT_BITS) {
    return weak('RSA exponent of more than 32 bits is not accepted')
  }
  // RFC 8017 §3.1: odd and at least 3. An even one has no inverse, and with 1 every signature verifies.
  const value = exponent.readUIntBE(0, exponent.length)
  if (value < 3 || value % 2 === 0) return weak(`RSA exponent ${value} is not accepted`)
  if (((modulus.at(-1) ?? 0) & 1) === 0) return weak('an even RSA modulus is not accepted')
  return strong(10 + length * length * bitLength(exponent) * MICROSECONDS_PER_RSA_BIT)
}

/** Undefined for a negative number, zero, or superfluous leading zeros (X.690 §8.3.2). */
function withoutSign(content: Buffer): Buffer | undefined {
  const [first = 0, second = 0] = content
  if (first >= 0x80) return undefined
  if (first > 0) return content
  return second >= 0x80 ? content.subarray(1) : undefined
}

function bitLength(number: Buffer): number {
  return number.length * 8 - (Math.clz32(number[0] ?? 0) - 24)
}

/** RFC 5480 §2.1.1: a named curve, never explicit parameters (CVE-2020-0601). */
function curveStrength(curve: string | undefined): KeyStrength {
  if (curve === undefined) return weak('a curve with explicit parameters is not accepted')
  const cost = CURVES.get(curve)
  return cost === undefined
    ? weak(`curve ${printable(OTHER_CURVES.get(curve) ?? curve)} is not accepted`)
    : strong(cost, curve === P224 ? P224_READING : 0)
}

/**
 * @param algorithm AlgorithmIdentifier in DER
 * @returns why the signature is not accepted; undefined if it is
 */
export function signatureWeakness(algorithm: Buffer): string | undefined {
  const [id, parameters] = (isDer(algorithm) ? readSequence(algorithm, 2) : undefined) ?? []
  const type = readOid(algorithm, id)
  if (type === undefined) return 'signature algorithm that cannot be read is not accepted'
  if (type === OID.rsaPss) return pssWeakness(algorithm, parameters)
  if (STRONG_SIGNATURES.has(type)) return undefined
  const digest = WEAK_SIGNATURES.get(type)
  return digest === undefined
    ? `signature algorithm ${printable(type)} is not accepted`
    : `signature digest ${digest} is too weak`
}

/** RFC 4055 §3.1: the digest is in field [0] of the parameters and defaults to SHA-1. */
function pssWeakness(bytes: Buffer, parameters: DerElement | undefined): string | undefined {
  const parts = parameters?.tag === TAG.sequence ? readChildren(bytes, parameters, 4) : undefined
  const hash = parts?.find(({ tag }) => tag === TAG.context0)
  const [inner] = (hash && readChildren(bytes, hash, 1)) ?? []
  const [id] = (inner && readChildren(bytes, inner, 2)) ?? []
  const type = hash === undefined ? SHA1 : readOid(bytes, id)
  if (type !== undefined && STRONG_DIGESTS.has(type)) return undefined
  return `signature digest ${type === SHA1 ? 'SHA-1' : printable(type ?? 'unknown')} is too weak`
}

const OID = {
  rsa: '1.2.840.113549.1.1.1',
  rsaPss: '1.2.840.113549.1.1.10',
  ed25519: '1.3.101.112',
  ed448: '1.3.101.113',
} as const
const OTHER_KEYS: ReadonlyMap<string, string> = new Map([
  ['1.2.840.10040.4.1', 'dsa keys'],
  ['1.3.101.110', 'x25519 keys'],
  ['1.3.101.111', 'x448 keys'],
])
/**
 * Digests of 224 bits and more: security level 2. OpenSSL may support only some of them:
 * 3.0 has no ECDSA with SHA-3 and no PKCS #1 with a truncated SHA-512.
 */
const STRONG_SIGNATURES: ReadonlySet<string> = new Set([
  // RSA with PKCS #1: SHA-256, SHA-384, SHA-512, SHA-224, SHA-512/224, SHA-512/256.
  ...[11, 12, 13, 14, 15, 16].map((arc) => `1.2.840.113549.1.1.${arc}`),
  // ECDSA: SHA-224, SHA-256, SHA-384, SHA-512.
  ...[1, 2, 3, 4].map((arc) => `1.2.840.10045.4.3.${arc}`),
  // SHA3-224, SHA3-256, SHA3-384 and SHA3-512 with ECDSA, then with RSA.
  ...[9, 10, 11, 12, 13, 14, 15, 16].map((arc) => `2.16.840.1.101.3.4.3.${arc}`),
  OID.ed25519,
  OID.ed448,
])
/** Those still found in certificates, with their digest. */
const WEAK_SIGNATURES: ReadonlyMap<string, string> = new Map([
  ['1.2.840.113549.1.1.4', 'MD5'],
  ['1.2.840.113549.1.1.5', 'SHA-1'],
  ['1.2.840.10045.4.1', 'SHA-1'],
])
const SHA1 = '1.3.14.3.2.26'
/** SHA-2 and SHA-3, all of 224 bits and more. */
const STRONG_DIGESTS: ReadonlySet<string> = new Set(
  [1, 2, 3, 4, 5, 6, 7, 8, 9, 10].map((arc) => `2.16.840.1.101.3.4.2.${arc}`),
)
/** Decompressing a point takes a square root, which is slowest in this curve's field. */
const P224 = '1.3.132.0.33'
const P224_READING = 600
/** Prime curves of 224 bits and more, with the microseconds per signature. */
const CURVES: ReadonlyMap<string, number> = new Map([
  [P224, 330], // secp224r1
  ['1.2.840.10045.3.1.7', 80], // prime256v1
  ['1.3.132.0.10', 400], // secp256k1
  ['1.3.132.0.34', 750], // secp384r1
  ['1.3.132.0.35', 1700], // secp521r1
  ['1.3.36.3.3.2.8.1.1.7', 380], // brainpoolP256r1
  ['1.3.36.3.3.2.8.1.1.9', 560], // brainpoolP320r1
  ['1.3.36.3.3.2.8.1.1.11', 800], // brainpoolP384r1
  ['1.3.36.3.3.2.8.1.1.13', 1070], // brainpoolP512r1
])
const OTHER_CURVES: ReadonlyMap<string, string> = new Map([
  ['1.2.840.10045.3.1.1', 'prime192v1'],
  ['1.3.132.0.1', 'sect163k1'],
])
/** 112 bits of security (NIST SP 800-57 part 1, table 2). */
const MIN_RSA_BITS = 2048
/** OPENSSL_RSA_MAX_MODULUS_BITS. */
const MAX_RSA_BITS = 16_384
/** Real keys use 65537, a few another number of 17 bits; FIPS 186-5 allows 256 bits. */
const MAX_EXPONENT_BITS = 32
/** One step of the exponentiation, for each bit of the exponent. */
const MICROSECONDS_PER_RSA_BIT = 3.2e-7
