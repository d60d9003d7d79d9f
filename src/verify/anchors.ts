/**
 * Finds the trust anchors that DANE-TA(2) records designate.
 *
 * RFC 7671 §5.2: with selector Cert(0) the anchor is a certificate, either sent by the
 * server or published in a 2 0 0 record. With selector SPKI(1) it is a public key, taken
 * from a certificate in the list or published in a 2 1 0 record. The digest covers only
 * the key, so nothing else in that certificate counts (RFC 7672 §3.1.2 requires
 * constraints for Cert(0) only).
 *
 * Each certificate is digested once, however many records there are. Pure.
 */
import { parseCertificate } from '../x509/certificate.js'
import type { Certificate } from '../x509/certificate.js'
import { MATCHING_TYPE, SELECTOR } from '../tlsa.js'
import type { UsableTlsa } from '../tlsa.js'
import { AssociationIndex } from './match-tlsa.js'

export type KeyAnchor = {
  readonly record: UsableTlsa
  /** SubjectPublicKeyInfo, possibly of a type that OpenSSL does not support. */
  readonly spki: Buffer
}

export type Anchors = {
  /** Distinct keys, in an order that depends only on the keys. */
  readonly keys: readonly KeyAnchor[]
  /** The record that makes this certificate an anchor, if there is one. */
  readonly recordFor: (certificate: Certificate) => UsableTlsa | undefined
}

/** Certificates published in full in 2 0 0 records (RFC 7671 §5.2.2). */
export function certificatesInDns(records: readonly UsableTlsa[]): readonly Certificate[] {
  return records
    .filter(
      ({ selector, matchingType }) =>
        selector === SELECTOR.cert && matchingType === MATCHING_TYPE.full,
    )
    .flatMap(({ data }) => parseCertificate(data) ?? [])
}

/** @param pool all certificates except the leaf, sent or published in DNS */
export function findAnchors(records: readonly UsableTlsa[], pool: readonly Certificate[]): Anchors {
  const whole = new AssociationIndex(records.filter(({ selector }) => selector === SELECTOR.cert))
  const byKey = records.filter(({ selector }) => selector === SELECTOR.spki)
  const keyIndex = new AssociationIndex(byKey)

  const spkis = new Map<string, KeyAnchor>()
  for (const record of byKey) {
    if (record.matchingType !== MATCHING_TYPE.full) continue
    spkis.set(record.data.toString('latin1'), { record, spki: record.data })
  }
  for (const certificate of pool) {
    const record = keyIndex.recordFor(certificate)
    const id = certificate.spki.toString('latin1')
    if (record && !spkis.has(id)) spkis.set(id, { record, spki: certificate.spki })
  }
  const keys = [...spkis.values()].sort((a, b) => Buffer.compare(a.spki, b.spki))
  return { keys, recordFor: (certificate) => whole.recordFor(certificate) }
}
