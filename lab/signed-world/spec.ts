/** What the zones of a signed world are, before anything is signed. Types only. */

export const SUPPORTED = [8, 10, 13, 14, 15, 16] as const
/** RSASHA1 and RSASHA1-NSEC3-SHA1 (RFC 9905). */
export const SHA1_ALGORITHMS = [5, 7] as const
export type Algorithm = (typeof SUPPORTED)[number] | (typeof SHA1_ALGORITHMS)[number]

export type Denial =
  | { readonly kind: 'nsec' }
  | {
      readonly kind: 'nsec3'
      readonly iterations: number
      /** Hex digits; may be empty. */
      readonly salt: string
      /** Unsigned delegations have no NSEC3 record (RFC 5155 §6). */
      readonly isOptOut: boolean
    }

/** `csk`: one key for all; `split`: KSK and ZSK; `rolling`: a second key of each, without signatures. */
export type KeyScheme = 'csk' | 'split' | 'rolling'

export type Signing = {
  readonly algorithm: Algorithm
  readonly scheme: KeyScheme
  readonly denial: Denial
  readonly period: 'now' | 'past' | 'future'
}

/** The DS records in the parent. */
export type DsForm =
  | 'sha256'
  | 'sha384'
  | 'sha1'
  | 'sha1-and-sha256'
  /** The SHA-1 digest is right, the SHA-256 digest is not (RFC 4509 §3). */
  | 'sha1-and-wrong-sha256'
  | 'none'
  /** An algorithm that no validator supports. */
  | 'unknown-algorithm'
  | 'unknown-digest'
  | 'wrong-digest'
  | 'wrong-tag'
  /** One DS record that matches a key, another that matches none. */
  | 'one-of-two'

/** What is wrong with a whole zone, apart from `Signing.period` and `DsForm`. */
export type ZoneBreak =
  | 'no-dnskey'
  | 'unsigned-dnskey'
  | 'dnskey-signed-by-zsk-only'
  | 'no-signatures'
  | 'no-denial'
  /** The KSK has the REVOKE bit, and the DS record is that of the revoked key (RFC 5011 §2.1). */
  | 'revoked'
  /** The zone bit of the ZSK is clear (RFC 4034 §2.1.1). */
  | 'no-zone-bit'

/** What is done to one RRset and its signatures. */
export const SET_BREAKS = [
  'no-signature',
  'damaged-signature',
  'changed-rdata',
  'expired',
  'not-yet-valid',
  'unknown-key',
  'signed-by-parent',
  'signed-by-sibling',
  'signer-renamed',
  'fewer-labels',
  'more-labels',
  'other-original-ttl',
  'extra-record',
  /** These three leave the set valid: one good signature is enough. */
  'also-damaged',
  'also-expired',
  'also-unknown-algorithm',
] as const
export type SetBreak = (typeof SET_BREAKS)[number]

export type ZoneSpec = {
  /** Without the final dot; '' is the root. */
  readonly origin: string
  /** `owner TYPE rdata`, all names absolute. Without delegations, SOA and NS of the apex. */
  readonly records: readonly string[]
  readonly signing: Signing | undefined
  readonly ds: DsForm
  readonly zoneBreak: ZoneBreak | undefined
  readonly setBreaks: readonly SetBreakAt[]
  /** The owners whose NSEC record, or NSEC3 record of their hash, is removed. */
  readonly undenied: number
}

export type SetBreakAt = { readonly owner: string; readonly type: string; readonly kind: SetBreak }
