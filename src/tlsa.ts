/**
 * Which of the published TLSA records can this client use, and why not the others?
 *
 * A `TlsaRecord` is what DNS holds: octets, of which nothing is known. A
 * `UsableTlsa` has passed the filter below: known parameters and data of the right
 * shape (RFC 6698 §4.1), restricted to the usages that SMTP defines (RFC 7672
 * §3.1.3), then to the strongest digest (RFC 7671 §9). Every record the filter
 * takes out is returned with its reason, for the log and the command line.
 *
 * Code points stay open numbers until here; unknown ones make a record unusable,
 * never the RRset. Pure.
 */
import { isCertificate, openPublicKey } from './certificate.js'

/** One TLSA record as published: RDATA, possibly too short to have any field. */
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

/** A record that a certificate can be held against. */
export type UsableTlsa = {
  readonly usage: typeof USAGE.daneTa | typeof USAGE.daneEe
  readonly selector: Selector
  readonly matchingType: MatchingType
  /** Certificate association data: never empty, of the digest's length or a parsable certificate or key. */
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

/** The filter. Digest agility comes last, after the malformed are gone (RFC 7671 §9). */
export function filterTlsa(records: readonly TlsaRecord[]): FilteredTlsa {
  const usable: { record: TlsaRecord; parsed: UsableTlsa }[] = []
  const unusable: UnusableTlsa[] = []
  for (const record of records) {
    const parsed = parseTlsa(record)
    if (typeof parsed === 'string') unusable.push({ record, reason: parsed })
    else usable.push({ record, parsed })
  }
  const strongest = strongestDigests(usable.map((entry) => entry.parsed))
  const kept: UsableTlsa[] = []
  for (const { record, parsed } of usable) {
    const best = strongest.get(group(parsed))
    if (parsed.matchingType === MATCHING_TYPE.full || parsed.matchingType === best)
      kept.push(parsed)
    else unusable.push({ record, reason: 'weaker-digest' })
  }
  return { usable: kept, unusable }
}

/** Presentation as in RFC 6698 §2.2, the data cut to `most` hexadecimal digits. */
export function tlsaText(record: TlsaRecord, most = 16): string {
  const { rdata } = record
  const [usage, selector, matchingType] = rdata
  if (usage === undefined || selector === undefined || matchingType === undefined) {
    return `\\# ${rdata.length} ${rdata.toString('hex')}`.trim()
  }
  const hex = rdata.toString('hex', 3)
  return `${usage} ${selector} ${matchingType} ${hex.length > most ? `${hex.slice(0, most)}...` : hex}`
}

/** The record that a usable one was parsed from. */
export function toRecord(usable: UsableTlsa): TlsaRecord {
  const { usage, selector, matchingType, data } = usable
  return { rdata: Buffer.concat([Buffer.from([usage, selector, matchingType]), data]) }
}

function parseTlsa({ rdata }: TlsaRecord): UsableTlsa | UnusableReason {
  const [usage, selector, matchingType] = rdata
  if (usage === undefined || selector === undefined || matchingType === undefined) {
    return 'rdata-too-short'
  }
  const data = rdata.subarray(3)
  // RFC 7672 §3.1.3: SMTP clients may treat PKIX-TA(0) and PKIX-EE(1) as unusable; so do all known ones.
  if (usage === USAGE.pkixTa || usage === USAGE.pkixEe) return 'pkix-usage'
  if (usage !== USAGE.daneTa && usage !== USAGE.daneEe) return 'unknown-usage'
  if (selector !== SELECTOR.cert && selector !== SELECTOR.spki) return 'unknown-selector'
  switch (matchingType) {
    case MATCHING_TYPE.full:
      // RFC 6698 §4.1: what could never match is unusable rather than a mismatch.
      if (selector === SELECTOR.cert && !isCertificate(data)) return 'not-a-certificate'
      if (selector === SELECTOR.spki && openPublicKey(data) === undefined) return 'not-a-public-key'
      return { usage, selector, matchingType, data }
    case MATCHING_TYPE.sha256:
    case MATCHING_TYPE.sha512:
      if (data.length !== DIGEST_LENGTH[matchingType]) return 'wrong-digest-length'
      return { usage, selector, matchingType, data }
    default:
      return 'unknown-matching-type'
  }
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
