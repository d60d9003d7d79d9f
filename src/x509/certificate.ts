/**
 * Splits a certificate received from a server or from DNS into its fields.
 *
 * `parseCertificate` takes bytes and returns a `Certificate` or undefined. It promises
 * that the bytes have the structure of a certificate with nothing after it, and that
 * `spki`, `subject` and `issuer` are slices of those bytes, never re-encoded: TLSA
 * digests are computed over what was sent (RFC 6698 §2.1.2). It is cheap, because
 * DANE-EE(3) needs nothing more.
 *
 * `openCertificate` and `openPublicKey` use OpenSSL as well, to check signatures and
 * names.
 *
 * Limits: makes no statement about trust; refuses anything larger than `MAX_CERTIFICATE`.
 * Pure.
 */
import { createPublicKey, X509Certificate } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { contentOf, octetsOf, readChildren, readOid, readSequence, readWhole, TAG } from './der.js'
import type { DerElement } from './der.js'

export type Certificate = {
  readonly der: Buffer
  /** SubjectPublicKeyInfo with its AlgorithmIdentifier, as sent. */
  readonly spki: Buffer
  /** The subject's and issuer's Name, as sent. */
  readonly subject: Buffer
  readonly issuer: Buffer
  /** The Validity, as sent. */
  readonly validity: Buffer
  /** Version 1 has no extensions (RFC 5280 §4.1.2.1). */
  readonly isVersion1: boolean
  /** The content of the serial number. */
  readonly serial: Buffer
  /** The AlgorithmIdentifier of the signature, from outside the signed part. */
  readonly algorithm: Buffer
  /** The content of field [3], the extensions; undefined if there are none. */
  readonly extensions: Buffer | undefined
}

/**
 * Largest certificate accepted, in octets. OpenSSL by default accepts a chain of at most
 * 100 kB in a handshake (`SSL_MAX_CERT_LIST_DEFAULT`), so no server can present a larger
 * one.
 */
export const MAX_CERTIFICATE = 100 * 1024

/** One certificate in DER (RFC 5280 §4.1), or undefined. Never throws, whatever the bytes. */
export function parseCertificate(der: Buffer): Certificate | undefined {
  const outer = der.length <= MAX_CERTIFICATE ? readWhole(der) : undefined
  if (outer?.tag !== TAG.sequence) return undefined
  const [tbs, algorithm, signature, surplus] = readChildren(der, outer, 3) ?? []
  if (tbs?.tag !== TAG.sequence || signature?.tag !== TAG.bitString || surplus) return undefined
  if (algorithm === undefined) return undefined
  const fields = readChildren(der, tbs, MAX_TBS_FIELDS)
  if (fields === undefined) return undefined
  // version is [0] EXPLICIT with a default, so it may be missing.
  const isVersion1 = fields[0]?.tag !== TAG.context0
  const [serial, , issuer, validity, subject, spki, ...rest] = fields.slice(isVersion1 ? 0 : 1)
  if (serial?.tag !== TAG.integer) return undefined
  if (issuer?.tag !== TAG.sequence || subject?.tag !== TAG.sequence) return undefined
  if (validity?.tag !== TAG.sequence || spki?.tag !== TAG.sequence) return undefined
  const slice = (element: DerElement): Buffer => octetsOf(der, element)
  const extensions = rest.find(({ tag }) => tag === TAG.context3)
  return {
    der,
    issuer: slice(issuer),
    subject: slice(subject),
    validity: slice(validity),
    spki: slice(spki),
    isVersion1,
    serial: contentOf(der, serial),
    algorithm: slice(algorithm),
    extensions: extensions && contentOf(der, extensions),
  }
}

/**
 * OpenSSL's view of a certificate; undefined if it cannot parse it. Never throws.
 *
 * Node looks for PEM before it tries DER, and finds a PEM block anywhere in the bytes: a
 * forged certificate with a genuine one inside an extension would be read as the genuine
 * one. The result must therefore have the same bytes as the input.
 */
export function openCertificate(der: Buffer): X509Certificate | undefined {
  try {
    const x509 = new X509Certificate(der)
    return x509.raw.equals(der) ? x509 : undefined
  } catch {
    return undefined // OpenSSL refused it, as expected for hostile input
  }
}

/**
 * Whether the bytes are one certificate in DER that OpenSSL can parse, or that must not be
 * passed to OpenSSL (`hasOwnCurve`). Never throws.
 */
export function isCertificate(der: Buffer): boolean {
  const certificate = parseCertificate(der)
  if (certificate === undefined) return false
  return hasOwnCurve(certificate.spki) || openCertificate(der) !== undefined
}

/** The same for a key. */
export function isPublicKey(der: Buffer): boolean {
  return hasOwnCurve(der) || openPublicKey(der) !== undefined
}

/**
 * The key in one SubjectPublicKeyInfo in DER; undefined if OpenSSL does not support it.
 * Never throws.
 */
export function openPublicKey(der: Buffer): KeyObject | undefined {
  if (der.length > MAX_CERTIFICATE || readWhole(der)?.tag !== TAG.sequence) return undefined
  try {
    return createPublicKey({ key: der, format: 'der', type: 'spki' })
  } catch {
    return undefined
  }
}

/**
 * Whether a SubjectPublicKeyInfo has an elliptic curve with explicit parameters (forbidden
 * by RFC 5480 §2.1.1). OpenSSL may take a quarter of a second to decode one, so it is not
 * passed to OpenSSL.
 */
export function hasOwnCurve(spki: Buffer): boolean {
  const [algorithm] = readSequence(spki) ?? []
  if (algorithm?.tag !== TAG.sequence) return false
  const [id, parameters] = readChildren(spki, algorithm, 2) ?? []
  return readOid(spki, id) === EC_PUBLIC_KEY && parameters?.tag !== TAG.oid
}

/** RFC 5480 §2.1.1. */
export const EC_PUBLIC_KEY = '1.2.840.10045.2.1'

/** RFC 5280 §4.1: version, serial, signature, issuer, validity, subject, key, two unique ids, extensions. */
const MAX_TBS_FIELDS = 10
