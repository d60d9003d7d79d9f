/**
 * A DNS reply as DNSSEC validation needs it: RRsets with their signatures, octet by octet.
 *
 * Types only, and the numbers of the types. dns/ creates these from a reply
 * (signed-reply.ts), validate/ decides what they prove. Nothing here is believed: RCODE,
 * TTLs and sections are what the resolver said (RFC 4035 §3.2.3). Pure.
 */
import type { ExtendedError } from './extended-error.js'
import type { Failed } from './lookup.js'
import type { WireName } from './wire-name.js'

/** IANA DNS parameters. */
export const RR_TYPE = {
  A: 1,
  NS: 2,
  CNAME: 5,
  SOA: 6,
  MX: 15,
  TXT: 16,
  AAAA: 28,
  DNAME: 39,
  DS: 43,
  RRSIG: 46,
  NSEC: 47,
  DNSKEY: 48,
  NSEC3: 50,
  TLSA: 52,
} as const

/** All records of one owner and type, class IN (RFC 2181 §5), from answer and authority. */
export type RRset = {
  readonly owner: WireName
  /** One of `RR_TYPE`, never RRSIG. */
  readonly type: number
  /** Seconds: 0 to 2^31-1, the lowest of the records. */
  readonly ttl: number
  /**
   * RDATA as sent, except that names in it are uncompressed; letter case as sent. At least
   * one; each well formed to its last octet for its type.
   */
  readonly rdatas: readonly Buffer[]
  /** RRSIGs of the same owner that cover the type (RFC 4035 §5.3.1). May be empty. */
  readonly signatures: readonly Rrsig[]
}

/** RFC 4034 §3.1. */
export type Rrsig = {
  readonly typeCovered: number
  readonly algorithm: number
  readonly labels: number
  /** Seconds. */
  readonly originalTtl: number
  /** Seconds since the epoch modulo 2^32 (RFC 1982). */
  readonly expiration: number
  readonly inception: number
  readonly keyTag: number
  readonly signer: WireName
  readonly signature: Buffer
}

/** A reply that was read whole; a malformed one is a `Failed` with cause `malformed`. */
export type SignedReply = {
  readonly kind: 'reply'
  /** All twelve bits; unauthenticated. */
  readonly rcode: number
  readonly rrsets: readonly RRset[]
  readonly extendedErrors: readonly ExtendedError[]
  /** Some extended error says that the answer is stale (RFC 8914 §4.4, §4.20). */
  readonly isStale: boolean
  /** Milliseconds since the epoch: when the reply arrived. */
  readonly receivedAt: number
}

/** A question of the validator: DO and CD set (RFC 4035 §3.2.1, §3.2.2). */
export type SignedQuestion = { readonly name: WireName; readonly type: number }

/** Why there is no reply. */
export type Unanswered = Failed & {
  /** There was one, truncated, but none over TCP. */
  readonly isTruncated?: true
}

/**
 * Asks a resolver. Never rejects for what the network does.
 *
 * @param deadline milliseconds since the epoch
 */
export type AskSigned = (
  question: SignedQuestion,
  deadline: number,
) => Promise<SignedReply | Unanswered>
