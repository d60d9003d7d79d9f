/**
 * What are the parts of a certificate that a server or the DNS sent us?
 *
 * `parseCertificate` is the border: bytes in, a `Certificate` or nothing out. It
 * promises that the octets have a certificate's frame with nothing after it, and
 * that `spki`, `subject` and `issuer` are slices of those octets, never re-encoded:
 * TLSA digests are over what was sent (RFC 6698 §2.1.2). It is cheap, because for
 * DANE-EE(3) nothing more is needed.
 *
 * `isCertificate` and `isPublicKey` ask OpenSSL as well, for data that DNS
 * publishes and that has to be of use later.
 *
 * Limits: says nothing of trust. Larger than `MAX_CERTIFICATE` is refused. Pure.
 */
import { createPublicKey, X509Certificate } from 'node:crypto'
import { readChildren, readWhole, TAG } from './der.js'

export type Certificate = {
  readonly der: Buffer
  /** SubjectPublicKeyInfo with its AlgorithmIdentifier, as sent. */
  readonly spki: Buffer
  /** The subject's and issuer's Name, as sent. */
  readonly subject: Buffer
  readonly issuer: Buffer
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
  const at = fields[0]?.tag === TAG.context0 ? 1 : 0
  const [serial, , issuer, , subject, spki] = fields.slice(at)
  if (serial?.tag !== TAG.integer) return undefined
  if (issuer?.tag !== TAG.sequence || subject?.tag !== TAG.sequence) return undefined
  if (spki?.tag !== TAG.sequence) return undefined
  return {
    der,
    issuer: der.subarray(issuer.start, issuer.end),
    subject: der.subarray(subject.start, subject.end),
    spki: der.subarray(spki.start, spki.end),
  }
}

/** Whether the bytes are one certificate in DER that OpenSSL can read. Never throws. */
export function isCertificate(der: Buffer): boolean {
  return parseCertificate(der) !== undefined && succeeds(() => new X509Certificate(der))
}

/** Whether the bytes are one SubjectPublicKeyInfo in DER that OpenSSL can use. Never throws. */
export function isPublicKey(der: Buffer): boolean {
  if (der.length > MAX_CERTIFICATE || readWhole(der)?.tag !== TAG.sequence) return false
  return succeeds(() => createPublicKey({ key: der, format: 'der', type: 'spki' }))
}

function succeeds(parse: () => unknown): boolean {
  try {
    parse()
    return true
  } catch {
    return false // OpenSSL refused it: expected of hostile input, and an answer
  }
}

/** RFC 5280 §4.1: version, serial, signature, issuer, validity, subject, key, two unique ids, extensions. */
const MAX_TBS_FIELDS = 10
