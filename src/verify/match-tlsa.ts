/**
 * Does this certificate match that TLSA record?
 *
 * RFC 6698 §2.1: the whole certificate or its SubjectPublicKeyInfo, in full or as a
 * digest, compared octet by octet. Where in a chain a match counts is decided in
 * verify.ts and path.ts. Pure.
 */
import { createHash } from 'node:crypto'
import type { Certificate } from '../x509/certificate.js'
import { MATCHING_TYPE, SELECTOR, tlsaText } from '../tlsa.js'
import type { MatchingType, UsableTlsa } from '../tlsa.js'

/**
 * The first record that matches the certificate. Each kind of association data is computed
 * once, however many records there are: digesting a certificate of 100 kB takes a quarter
 * of a millisecond, and an RRset may have more than a thousand records.
 */
export function matchingRecord(
  records: readonly UsableTlsa[],
  certificate: Certificate,
): UsableTlsa | undefined {
  const known = new Map<number, Buffer>()
  return records.find((record) => {
    const kind = record.selector * 4 + record.matchingType
    const data = known.get(kind) ?? associationData(record, certificate)
    known.set(kind, data)
    return record.data.equals(data)
  })
}

/** The association data of a matching record with these parameters (RFC 6698 §2.1.4). */
export function associationData(
  { selector, matchingType }: Pick<UsableTlsa, 'selector' | 'matchingType'>,
  { der, spki }: Certificate,
): Buffer {
  const selected = selector === SELECTOR.cert ? der : spki
  switch (matchingType) {
    case MATCHING_TYPE.full:
      return selected
    case MATCHING_TYPE.sha256:
      return createHash('sha256').update(selected).digest()
    case MATCHING_TYPE.sha512:
      return createHash('sha512').update(selected).digest()
  }
}

/** The record with the same parameters that would match this certificate. */
export function recordThatMatches(parameters: UsableTlsa, certificate: Certificate): UsableTlsa {
  const data = associationData(parameters, certificate)
  const rdata = Buffer.concat([parameters.published.rdata.subarray(0, 3), data])
  return { ...parameters, published: { rdata }, data }
}

/** The records in one printable line. */
export function recordsText(records: readonly UsableTlsa[]): string {
  const shown = new Set(records.slice(0, MAX_SHOWN).map(({ published }) => tlsaText(published)))
  const more = records.length > MAX_SHOWN ? ` or ${records.length - MAX_SHOWN} more` : ''
  return [...shown].join(' or ') + more
}

/** Records shown in one line. A rollover has two, or four with both digests. */
export const MAX_SHOWN = 4

/** Looks up records by their data, so that a certificate is compared with all of them at once. */
export class AssociationIndex {
  private readonly byType = new Map<MatchingType, Map<string, UsableTlsa>>()
  private readonly selector: UsableTlsa['selector']
  private readonly known = new Map<Certificate, UsableTlsa | undefined>()

  /** @param records all with the same selector */
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
