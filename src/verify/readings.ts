/**
 * Has this certificate been read before?
 *
 * What it says, and whether a key made its signature, hangs on its octets and on nothing
 * else, and to find out takes longer than all the rest of a verdict. Hosts show the same
 * certificates to every message, and many hosts those of the same authorities. So they
 * are kept, by all their octets: a certificate that differs in one is another one.
 *
 * Nothing that hangs on time, on records or on the place in a path is kept. Bounded in
 * number and octets, least recently used out first. Pure, but for what it remembers.
 */
import type { KeyObject, X509Certificate } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import { openCertificate, openPublicKey } from '../certificate.js'
import type { Certificate } from '../certificate.js'
import { readProfile } from './profile.js'
import type { Profile } from './profile.js'

/** One certificate, read as far as somebody has asked. */
export type Reading = {
  /** OpenSSL's view. */
  readonly x509: () => X509Certificate | undefined
  /** The profile, or in words why there is none. */
  readonly profile: () => Profile | string
}

export function readingOf(certificate: Certificate): Reading {
  const key = certificate.der.toString('latin1')
  const known = readings.get(key)
  if (known) return known
  const x509 = once(() => openCertificate(certificate.der))
  const reading = { x509, profile: once(() => readProfile(certificate, x509)) }
  readings.set(key, reading)
  return reading
}

/** The key in a SubjectPublicKeyInfo, or undefined if OpenSSL knows no such key. */
export function keyIn(spki: Buffer): KeyObject | undefined {
  const text = spki.toString('latin1')
  const known = keys.get(text)
  if (known) return known
  const key = openPublicKey(spki)
  if (key) keys.set(text, key)
  return key
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
    return false // a key of another kind than the signature
  }
}

function once<T>(work: () => T): () => T {
  let done: { readonly result: T } | undefined
  return () => (done ??= { result: work() }).result
}

/** A certificate takes about ten times its octets when it is read. */
const MAX_OCTETS = 2 * 1024 * 1024
const MAX_CERTIFICATES = 1000
const MAX_KEYS = 200

const readings = new LRUCache<string, Reading>({
  max: MAX_CERTIFICATES,
  maxSize: MAX_OCTETS,
  sizeCalculation: (_, key) => key.length + 1,
})
const keys = new LRUCache<string, KeyObject>({
  max: MAX_KEYS,
  maxSize: MAX_OCTETS,
  sizeCalculation: (_, text) => text.length + 1,
})
const signatures = new WeakMap<X509Certificate, WeakMap<KeyObject, boolean>>()
