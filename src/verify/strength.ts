/**
 * Is a key or a signature strong enough to prove anything?
 *
 * RFC 6698 §4.1 leaves weak algorithms to local policy; this is OpenSSL's security
 * level 2, 112 bits. It also refuses keys that exist only to waste a verifier's
 * time. A record of DANE-EE(3) is not held to it: there TLS itself decides which
 * keys it accepts. Pure.
 */
import type { KeyObject } from 'node:crypto'
import { printable } from '../text.js'

/** In words why the key counts for nothing; undefined if it counts. */
export function keyWeakness(key: KeyObject): string | undefined {
  const { asymmetricKeyType = 'unknown', asymmetricKeyDetails = {} } = key
  const { modulusLength = 0, publicExponent = 0n, namedCurve } = asymmetricKeyDetails
  switch (asymmetricKeyType) {
    case 'rsa':
    case 'rsa-pss':
      if (modulusLength < MIN_RSA_BITS || modulusLength > MAX_RSA_BITS) {
        return `RSA key of ${modulusLength} bits is not accepted`
      }
      return publicExponent > MAX_EXPONENT
        ? 'RSA exponent of more than 32 bits is not accepted'
        : undefined
    case 'ec':
      if (namedCurve !== undefined && STRONG_CURVES.has(namedCurve)) return undefined
      // Parameters that are spelled out and are not those of a named curve (CVE-2020-0601).
      return namedCurve === undefined || namedCurve === 'UNDEF'
        ? 'a curve with parameters of its own is not accepted'
        : `curve ${printable(namedCurve)} is not accepted`
    case 'ed25519':
    case 'ed448':
      return undefined
    case 'dsa':
    case 'x25519':
    case 'x448':
    case 'unknown':
      return `${asymmetricKeyType} keys are not accepted`
  }
}

/** In words why the algorithm, as @peculiar/x509 reads it, proves nothing. */
export function signatureWeakness(algorithm: object): string | undefined {
  const name = nameOf(algorithm)
  if (!STRONG_SIGNATURES.has(name)) return `signature algorithm ${printable(name)} is not accepted`
  const hash = 'hash' in algorithm ? nameOf(algorithm.hash) : undefined
  return hash === undefined || STRONG_HASHES.has(hash)
    ? undefined
    : `signature digest ${printable(hash)} is too weak`
}

function nameOf(algorithm: unknown): string {
  if (typeof algorithm !== 'object' || algorithm === null || !('name' in algorithm))
    return 'unknown'
  return typeof algorithm.name === 'string' ? algorithm.name : 'unknown'
}

const STRONG_SIGNATURES: ReadonlySet<string> = new Set([
  'RSASSA-PKCS1-v1_5',
  'RSA-PSS',
  'ECDSA',
  'Ed25519',
  'EdDSA',
])
const STRONG_HASHES: ReadonlySet<string> = new Set(['SHA-256', 'SHA-384', 'SHA-512'])
/** Of at least 224 bits. */
const STRONG_CURVES: ReadonlySet<string> = new Set([
  'secp224r1',
  'prime256v1',
  'secp256k1',
  'secp384r1',
  'secp521r1',
  'brainpoolP256r1',
  'brainpoolP320r1',
  'brainpoolP384r1',
  'brainpoolP512r1',
])
/** 112 bits of security (NIST SP 800-57 part 1, table 2). */
const MIN_RSA_BITS = 2048
/** OPENSSL_RSA_MAX_MODULUS_BITS. */
const MAX_RSA_BITS = 16_384
/** Real keys have 65537; FIPS 186-5 allows 256 bits, at a verifier's cost. */
const MAX_EXPONENT = 0xffff_ffffn
