/**
 * What are the parts of a certificate that a server or the DNS sent us?
 *
 * `parseCertificate` is the border: bytes in, a `Certificate` or nothing out. It
 * promises that the octets have a certificate's frame with nothing after it, and
 * that `spki`, `subject` and `issuer` are slices of those octets, never re-encoded:
 * TLSA digests are over what was sent (RFC 6698 §2.1.2). It is cheap, because for
 * DANE-EE(3) nothing more is needed.
 *
 * `openCertificate` and `openPublicKey` ask OpenSSL as well, where signatures and
 * names are to be checked.
 *
 * Limits: says nothing of trust. Larger than `MAX_CERTIFICATE` is refused. Pure.
 */
import { createPublicKey, X509Certificate } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { readChildren, readWhole, TAG } from './der.js'
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
}

/**
 * Octets of the largest certificate read. OpenSSL takes a chain of at most 100 kB
 * in a handshake by default (`SSL_MAX_CERT_LIST_DEFAULT`), so no server can show more.
 */
export const MAX_CERTIFICATE = 100 * 1024

/** One certificate in DER (RFC 5280 §4.1), or undefined. Never throws, whatever the bytes. */
export function parseCertificate(der: Buffer): Certificate | undefined {
  const outer = der.length <= MAX_CERTIFICATE ? readWhole(der) : undefined
  if (outer?.tag !== TAG.sequence) return undefined
  const [tbs, , signature, surplus] = readChildren(der, outer, 3) ?? []
  if (tbs?.tag !== TAG.sequence || signature?.tag !== TAG.bitString || surplus) return undefined
  const fields = readChildren(der, tbs, MAX_TBS_FIELDS)
  if (fields === undefined) return undefined
  // version is [0] EXPLICIT with a default, so it may be missing.
  const isVersion1 = fields[0]?.tag !== TAG.context0
  const [serial, , issuer, validity, subject, spki] = fields.slice(isVersion1 ? 0 : 1)
  if (serial?.tag !== TAG.integer) return undefined
  if (issuer?.tag !== TAG.sequence || subject?.tag !== TAG.sequence) return undefined
  if (validity?.tag !== TAG.sequence || spki?.tag !== TAG.sequence) return undefined
  const slice = ({ start, end }: DerElement): Buffer => der.subarray(start, end)
  return {
    der,
    issuer: slice(issuer),
    subject: slice(subject),
    validity: slice(validity),
    spki: slice(spki),
    isVersion1,
  }
}

/**
 * OpenSSL's view of a certificate, or undefined if it has none. Never throws.
 *
 * Node looks for PEM before it tries DER, and finds a PEM block anywhere in the
 * bytes: a forged certificate with a genuine one inside an extension would come back
 * as the genuine one. So what came back has to be what went in.
 */
export function openCertificate(der: Buffer): X509Certificate | undefined {
  try {
    const x509 = new X509Certificate(der)
    return x509.raw.equals(der) ? x509 : undefined
  } catch {
    return undefined // OpenSSL refused it: expected of hostile input, and an answer
  }
}

/** Whether the bytes are one certificate in DER that OpenSSL can read. Never throws. */
export function isCertificate(der: Buffer): boolean {
  return parseCertificate(der) !== undefined && openCertificate(der) !== undefined
}

/** The key in one SubjectPublicKeyInfo in DER, or undefined if OpenSSL knows no such key. Never throws. */
export function openPublicKey(der: Buffer): KeyObject | undefined {
  if (der.length > MAX_CERTIFICATE || readWhole(der)?.tag !== TAG.sequence) return undefined
  try {
    return createPublicKey({ key: der, format: 'der', type: 'spki' })
  } catch {
    return undefined
  }
}

/** RFC 5280 §4.1: version, serial, signature, issuer, validity, subject, key, two unique ids, extensions. */
const MAX_TBS_FIELDS = 10
