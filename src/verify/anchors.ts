/**
 * Which trust anchors do the DANE-TA(2) records name?
 *
 * RFC 7671 §5.2: with selector Cert(0) the anchor is a certificate, found in the
 * list by its octets or brought along by a 2 0 0 record. With selector SPKI(1) it is
 * a key, found in some certificate of the list or brought along by a 2 1 0 record:
 * the digest says nothing of what else stands in that certificate, so nothing else
 * of it counts (RFC 7672 §3.1.2 wants constraints applied for Cert(0) alone).
 *
 * Each certificate is digested once, however many records there are. Pure.
 */
import type { KeyObject } from 'node:crypto'
import { parseCertificate } from '../certificate.js'
import type { Certificate } from '../certificate.js'
import { MATCHING_TYPE, SELECTOR } from '../tlsa.js'
import type { MatchingType, UsableTlsa } from '../tlsa.js'
import { associationData } from './association.js'
import { keyIn } from './readings.js'

export type KeyAnchor = { readonly record: UsableTlsa; readonly key: KeyObject }

export type Anchors = {
  /** Distinct keys, in an order that depends on nothing but the keys. */
  readonly keys: readonly KeyAnchor[]
  /** The record that makes this certificate an anchor, if there is one. */
  readonly recordFor: (certificate: Certificate) => UsableTlsa | undefined
}

/** Certificates that 2 0 0 records bring along (RFC 7671 §5.2.2). */
export function certificatesInDns(records: readonly UsableTlsa[]): readonly Certificate[] {
  return records
    .filter(
      ({ selector, matchingType }) =>
        selector === SELECTOR.cert && matchingType === MATCHING_TYPE.full,
    )
    .flatMap(({ data }) => parseCertificate(data) ?? [])
}

/** @param pool everything above the leaf, sent or in DNS */
export function findAnchors(records: readonly UsableTlsa[], pool: readonly Certificate[]): Anchors {
  const whole = new AssociationIndex(records.filter(({ selector }) => selector === SELECTOR.cert))
  const byKey = records.filter(({ selector }) => selector === SELECTOR.spki)
  const keyIndex = new AssociationIndex(byKey)

  const spkis = new Map<string, { record: UsableTlsa; spki: Buffer }>()
  for (const record of byKey) {
    if (record.matchingType !== MATCHING_TYPE.full) continue
    spkis.set(record.data.toString('latin1'), { record, spki: record.data })
  }
  for (const certificate of pool) {
    const record = keyIndex.recordFor(certificate)
    const id = certificate.spki.toString('latin1')
    if (record && !spkis.has(id)) spkis.set(id, { record, spki: certificate.spki })
  }
  const keys = [...spkis.values()]
    .sort((a, b) => Buffer.compare(a.spki, b.spki))
    .flatMap(({ record, spki }) => {
      const key = keyIn(spki)
      return key ? [{ record, key }] : []
    })
  return { keys, recordFor: (certificate) => whole.recordFor(certificate) }
}

/** Records by their data, so that a certificate is held against all of them at once. */
class AssociationIndex {
  private readonly byType = new Map<MatchingType, Map<string, UsableTlsa>>()
  private readonly selector: UsableTlsa['selector']
  private readonly known = new Map<Certificate, UsableTlsa | undefined>()

  /** @param records all of one selector */
  constructor(records: readonly UsableTlsa[]) {
    this.selector = records[0]?.selector ?? SELECTOR.cert
    for (const record of records) {
      const same = this.byType.get(record.matchingType) ?? new Map<string, UsableTlsa>()
      this.byType.set(record.matchingType, same.set(record.data.toString('latin1'), record))
    }
  }

  recordFor(certificate: Certificate): UsableTlsa | undefined {
    if (this.known.has(certificate)) return this.known.get(certificate)
    let found: UsableTlsa | undefined
    for (const [matchingType, records] of this.byType) {
      const data = associationData({ selector: this.selector, matchingType }, certificate)
      found ??= records.get(data.toString('latin1'))
    }
    this.known.set(certificate, found)
    return found
  }
}
