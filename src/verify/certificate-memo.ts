/**
 * Remembers parsed certificates and checked signatures.
 *
 * A certificate's contents and signature depend only on its bytes, and parsing and
 * checking them costs more than the rest of verification. Hosts present the same
 * certificates in every session, and many hosts share an issuer. Certificates are
 * therefore remembered by all their bytes: one that differs in a single byte is a
 * different certificate.
 *
 * Nothing that depends on time, on TLSA records or on the position in a path is kept.
 * There is no flush, because an entry cannot become stale: neither a reload of the
 * settings nor new DNS data changes what the same bytes contain. Bounded in number and
 * bytes; the least recently used are dropped first. Pure, except for what it remembers.
 */
import type { KeyObject, X509Certificate } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import { openCertificate, openPublicKey } from '../x509/certificate.js'
import type { Certificate } from '../x509/certificate.js'
import { readDirectoryName } from './directory-name.js'
import { parseCertificateFields } from './parsed-certificate.js'
import type { CertificateReading } from './parsed-certificate.js'
import { keyStrength } from './strength.js'
import type { KeyStrength } from './strength.js'

/** Computes its result at most once; `isDone` reports whether that has happened. */
export type Remembered<T> = { (): T; readonly isDone: () => boolean }

/** One certificate, each part parsed on first use. */
export type CertificateMemo = {
  /** OpenSSL's view. */
  readonly x509: Remembered<X509Certificate | undefined>
  /** Its fields and extensions. */
  readonly parsed: Remembered<CertificateReading>
  /** Subject and issuer in a form in which equal names are equal; undefined if unreadable. */
  readonly names: Remembered<{
    readonly subject: string | undefined
    readonly issuer: string | undefined
  }>
  /** Strength of the key, and the cost of using it. */
  readonly key: Remembered<KeyStrength>
}

export function memoOf(certificate: Certificate): CertificateMemo {
  const key = certificate.der.toString('latin1')
  const known = memos.get(key)
  if (known) return known
  const x509 = remembered(() => openCertificate(certificate.der))
  const memo = {
    x509,
    parsed: remembered(() => parseCertificateFields(certificate, x509)),
    names: remembered(() => ({
      subject: comparable(certificate.subject),
      issuer: comparable(certificate.issuer),
    })),
    key: remembered(() => keyStrength(certificate.spki)),
  }
  memos.set(key, memo)
  return memo
}

/** Never throws. */
function comparable(name: Buffer): string | undefined {
  try {
    return readDirectoryName(name).rdns.join('\n')
  } catch {
    return undefined
  }
}

/** Whether `keyIn` will answer without OpenSSL. */
export function isKeyKnown(spki: Buffer): boolean {
  return keys.has(spki.toString('latin1'))
}

/** The key in a SubjectPublicKeyInfo, or undefined if OpenSSL does not support it. */
export function keyIn(spki: Buffer): KeyObject | undefined {
  const text = spki.toString('latin1')
  const known = keys.get(text)
  if (known) return known.key
  const key = openPublicKey(spki)
  keys.set(text, { key })
  return key
}

/** Whether `isSignedBy` will answer without verifying. */
export function isSignatureKnown(x509: X509Certificate, key: KeyObject): boolean {
  return signatures.get(x509)?.has(key) ?? false
}

/** Whether this key made the signature on the certificate. */
export function isSignedBy(x509: X509Certificate, key: KeyObject): boolean {
  const results = signatures.get(x509) ?? new WeakMap<KeyObject, boolean>()
  const known = results.get(key)
  if (known !== undefined) return known
  const isSigned = verifies(x509, key)
  signatures.set(x509, results.set(key, isSigned))
  return isSigned
}

function verifies(x509: X509Certificate, key: KeyObject): boolean {
  try {
    return x509.verify(key)
  } catch {
    return false // the key and the signature are of different types
  }
}

function remembered<T>(work: () => T): Remembered<T> {
  let done: { readonly result: T } | undefined
  return Object.assign(() => (done ??= { result: work() }).result, {
    isDone: () => done !== undefined,
  })
}

/** A parsed certificate takes about ten times its size in memory. */
const MAX_OCTETS = 2 * 1024 * 1024
const MAX_CERTIFICATES = 1000
const MAX_KEYS = 200

const memos = new LRUCache<string, CertificateMemo>({
  max: MAX_CERTIFICATES,
  maxSize: MAX_OCTETS,
  sizeCalculation: (_, key) => key.length + 1,
})
const keys = new LRUCache<string, { readonly key: KeyObject | undefined }>({
  max: MAX_KEYS,
  maxSize: MAX_OCTETS,
  sizeCalculation: (_, text) => text.length + 1,
})
const signatures = new WeakMap<X509Certificate, WeakMap<KeyObject, boolean>>()
