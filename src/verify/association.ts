/**
 * Does this certificate match that TLSA record?
 *
 * RFC 6698 §2.1: the whole certificate or its SubjectPublicKeyInfo, as it is or
 * digested, octet by octet. Says nothing about where in a chain a match counts;
 * that is verify.ts's and path.ts's. Pure.
 */
import { createHash } from 'node:crypto'
import type { Certificate } from '../certificate.js'
import { MATCHING_TYPE, SELECTOR } from '../tlsa.js'
import type { UsableTlsa } from '../tlsa.js'

export function matchesAssociation(record: UsableTlsa, certificate: Certificate): boolean {
  return record.data.equals(associationData(record, certificate))
}

/** The data that a record of these parameters would have for this certificate (RFC 6698 §2.1.4). */
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

/**
 * For people: which records, in one printable line. The data of whole certificates and
 * keys all begin alike, so these are told apart by their SHA2-256.
 */
export function recordsText(records: readonly UsableTlsa[]): string {
  const shown = new Set(records.slice(0, MAX_SHOWN).map(recordText))
  const more = records.length > MAX_SHOWN ? ` or ${records.length - MAX_SHOWN} more` : ''
  return [...shown].join(' or ') + more
}

function recordText({ usage, selector, matchingType, data }: UsableTlsa): string {
  const isWhole = matchingType === MATCHING_TYPE.full
  const digest = isWhole ? createHash('sha256').update(data).digest() : data
  const prefix = `${digest.toString('hex', 0, 8)}...`
  return `${usage} ${selector} ${matchingType} ${isWhole ? `(SHA2-256 ${prefix})` : prefix}`
}

/** Records in a line; rollovers have two, or four with both digests. */
const MAX_SHOWN = 4
