/**
 * The chain of trust of one answer, link by link, for people (`verify --chain`).
 *
 * Types only. Every text is printable ASCII. Key tags are hints: two keys can have the
 * same (RFC 4034 §8).
 */
import type { Lookup, RecordType } from '../lookup.js'
import type { DomainName } from '../name.js'

export type ChainReport = {
  readonly name: DomainName
  readonly type: RecordType
  /** From the root down, in the order in which they were established. */
  readonly zones: readonly ZoneReport[]
  /** The RRsets of the answer that were validated, aliases first. */
  readonly rrsets: readonly RRsetReport[]
  readonly lookup: Lookup
  /** Questions sent to resolvers. */
  readonly questions: number
}

export type ZoneReport = {
  /** '.' is the root. */
  readonly zone: string
  readonly kind: 'secure' | 'insecure' | 'bogus' | 'undetermined'
  /** Why, where it is not secure; how, where it is. */
  readonly detail: string
  /** What the parent publishes, or the trust anchors. Empty where the parent denies a DS. */
  readonly ds: readonly DsReport[]
  readonly keys: readonly KeyReport[]
  /** The end of the signatures over the DNSKEY RRset. */
  readonly signatures: readonly SignatureReport[]
}

export type DsReport = {
  readonly keyTag: number
  readonly algorithm: number
  /** 0: a DNSKEY as an anchor. */
  readonly digestType: number
  readonly isAnchor: boolean
}

export type KeyReport = {
  readonly keyTag: number
  readonly algorithm: number
  readonly isSep: boolean
  readonly isRevoked: boolean
  /** Why it verifies nothing here; undefined if it can. */
  readonly unusable: string | undefined
}

export type SignatureReport = {
  readonly keyTag: number
  readonly algorithm: number
  /** Milliseconds since the epoch. */
  readonly expiresAt: number
  /** Whole days from now; negative once expired. */
  readonly daysLeft: number
}

export type RRsetReport = {
  readonly owner: string
  /** The number of the type. */
  readonly type: number
  readonly kind: 'secure' | 'insecure' | 'bogus'
  readonly detail: string
  readonly signatures: readonly SignatureReport[]
}
