/**
 * Which published TLSA records can this client use, and why not the others?
 *
 * A `TlsaRecord` is unchecked RDATA. A `UsableTlsa` has passed the filter below: known
 * parameters and well-formed data (RFC 6698 §4.1), restricted to the usages that SMTP
 * defines (RFC 7672 §3.1.3), then to the strongest digest (RFC 7671 §9). Records that do
 * not pass are returned with the reason, for the log and the command line.
 *
 * An unknown code point makes a record unusable, never the RRset. Pure.
 */
import { createHash } from 'node:crypto'
import { isCertificate, isPublicKey } from './x509/certificate.js'

/** One TLSA record as published: RDATA, possibly too short for its fields. */
export type TlsaRecord = { readonly rdata: Buffer }

/** RFC 6698 §2.1.1. */
export const USAGE = { pkixTa: 0, pkixEe: 1, daneTa: 2, daneEe: 3 } as const
/** RFC 6698 §2.1.2. */
export const SELECTOR = { cert: 0, spki: 1 } as const
/** RFC 6698 §2.1.3. */
export const MATCHING_TYPE = { full: 0, sha256: 1, sha512: 2 } as const

type Value<T> = T[keyof T]
export type Selector = Value<typeof SELECTOR>
export type MatchingType = Value<typeof MATCHING_TYPE>

/** A record that a certificate can be compared with. */
export type UsableTlsa = {
  readonly published: TlsaRecord
  readonly usage: typeof USAGE.daneTa | typeof USAGE.daneEe
  readonly selector: Selector
  readonly matchingType: MatchingType
  /** Certificate association data: a digest of the right length, or a parsable certificate or key. */
  readonly data: Buffer
}

export type UnusableReason =
  | 'rdata-too-short'
  | 'pkix-usage'
  | 'unknown-usage'
  | 'unknown-selector'
  | 'unknown-matching-type'
  | 'wrong-digest-length'
  | 'not-a-certificate'
  | 'not-a-public-key'
  | 'weaker-digest'

export type UnusableTlsa = { readonly record: TlsaRecord; readonly reason: UnusableReason }

export type FilteredTlsa = {
  readonly usable: readonly UsableTlsa[]
  readonly unusable: readonly UnusableTlsa[]
}

/**
 * Filters the records. Digest agility is applied last, after malformed records are removed
 * (RFC 7671 §9).
 */
export function filterTlsa(records: readonly TlsaRecord[]): FilteredTlsa {
  const usable: UsableTlsa[] = []
  const unusable: UnusableTlsa[] = []
  let opened = 0
  const open = (isReadable: () => boolean): boolean => ++opened > MAX_OPENED || isReadable()
  for (const record of records) {
    const parsed = parseTlsa(record, open)
    if (parsed.kind === 'usable') usable.push(parsed.tlsa)
    else unusable.push({ record, reason: parsed.reason })
  }
  const strongest = strongestDigests(usable)
  const kept: UsableTlsa[] = []
  for (const tlsa of usable) {
    const best = strongest.get(group(tlsa))
    if (tlsa.matchingType === MATCHING_TYPE.full || tlsa.matchingType === best) kept.push(tlsa)
    else unusable.push({ record: tlsa.published, reason: 'weaker-digest' })
  }
  return { usable: kept, unusable }
}

/**
 * Presentation format of RFC 6698 §2.2, with the data truncated to `SHOWN_DIGITS`. Full
 * certificates and keys all begin alike, so a digest is shown instead.
 */
export function tlsaText({ rdata }: TlsaRecord): string {
  const [usage, selector, matchingType] = rdata
  if (usage === undefined || selector === undefined || matchingType === undefined) {
    return `\\# ${rdata.length} ${rdata.toString('hex')}`.trim()
  }
  const parameters = `${usage} ${selector} ${matchingType}`
  const hex = rdata.toString('hex', 3)
  if (hex.length <= SHOWN_DIGITS) return `${parameters} ${hex}`
  if (matchingType !== MATCHING_TYPE.full) return `${parameters} ${hex.slice(0, SHOWN_DIGITS)}...`
  const digest = createHash('sha256').update(rdata.subarray(3)).digest('hex')
  return `${parameters} (SHA2-256 ${digest.slice(0, SHOWN_DIGITS)}...)`
}

const SHOWN_DIGITS = 16

type Parsed =
  | { readonly kind: 'usable'; readonly tlsa: UsableTlsa }
  | { readonly kind: 'unusable'; readonly reason: UnusableReason }

/** @param open whether OpenSSL can parse it; limits the number of attempts */
function parseTlsa(published: TlsaRecord, open: (isReadable: () => boolean) => boolean): Parsed {
  const { rdata } = published
  const [usage, selector, matchingType] = rdata
  if (usage === undefined || selector === undefined || matchingType === undefined) {
    return unusable('rdata-too-short')
  }
  const data = rdata.subarray(3)
  // RFC 7672 §3.1.3: SMTP clients may treat PKIX-TA(0) and PKIX-EE(1) as unusable; so do all known ones.
  if (usage === USAGE.pkixTa || usage === USAGE.pkixEe) return unusable('pkix-usage')
  if (usage !== USAGE.daneTa && usage !== USAGE.daneEe) return unusable('unknown-usage')
  if (selector !== SELECTOR.cert && selector !== SELECTOR.spki) {
    return unusable('unknown-selector')
  }
  switch (matchingType) {
    case MATCHING_TYPE.full:
      // RFC 6698 §4.1: a record that can never match is unusable, not a mismatch.
      if (selector === SELECTOR.cert && !open(() => isCertificate(data))) {
        return unusable('not-a-certificate')
      }
      if (selector === SELECTOR.spki && !open(() => isPublicKey(data))) {
        return unusable('not-a-public-key')
      }
      return { kind: 'usable', tlsa: { published, usage, selector, matchingType, data } }
    case MATCHING_TYPE.sha256:
    case MATCHING_TYPE.sha512:
      if (data.length !== DIGEST_LENGTH[matchingType]) return unusable('wrong-digest-length')
      return { kind: 'usable', tlsa: { published, usage, selector, matchingType, data } }
    default:
      return unusable('unknown-matching-type')
  }
}

function unusable(reason: UnusableReason): Parsed {
  return { kind: 'unusable', reason }
}

/** RFC 7671 §9: for each usage and selector, the strongest digest published. */
function strongestDigests(records: readonly UsableTlsa[]): Map<number, MatchingType> {
  const strongest = new Map<number, MatchingType>()
  for (const record of records) {
    const best = strongest.get(group(record)) ?? MATCHING_TYPE.full
    // SHA2-512 is the stronger one; the code points happen to be in that order.
    if (record.matchingType > best) strongest.set(group(record), record.matchingType)
  }
  return strongest
}

function group(record: UsableTlsa): number {
  return record.usage * 2 + record.selector
}

/** Octets; RFC 6698 §2.1.3. */
const DIGEST_LENGTH = { [MATCHING_TYPE.sha256]: 32, [MATCHING_TYPE.sha512]: 64 } as const

/**
 * Full certificates and keys of one RRset that OpenSSL parses, at a tenth of a millisecond
 * each. Further ones count as usable without being parsed: the host then has to be
 * authenticated, which is the safe side. No legitimate RRset has so many.
 */
const MAX_OPENED = 16
