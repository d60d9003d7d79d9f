/**
 * What a TLS report counts (RFC 8460 §4.3): sessions, per day, recipient domain and policy.
 *
 * Plain data; pure.
 */
import type { DomainName } from '../name.js'
import type { UtcDay } from './day.js'

/** RFC 8460 §4.3: the result types that DANE can have. */
export const RESULT_TYPES = [
  'starttls-not-supported',
  'certificate-host-mismatch',
  'certificate-expired',
  'certificate-not-trusted',
  'validation-failure',
  'tlsa-invalid',
  'dnssec-invalid',
  'dane-required',
] as const

export type ResultType = (typeof RESULT_TYPES)[number]

/** The policy that was applied to a session (RFC 8460 §4.4). */
export type ReportPolicy =
  | {
      readonly kind: 'tlsa'
      /** The TLSA base domain. */
      readonly domain: DomainName
      /**
       * The whole RRset that was applied, unusable records as well, each as `3 1 1 HEX` in
       * lower case; sorted, without duplicates, bounded. Empty if the set is not known
       * because its lookup failed.
       */
      readonly records: readonly string[]
    }
  | {
      readonly kind: 'no-policy-found'
      /** The recipient domain. */
      readonly domain: DomainName
    }

/** RFC 8460 §4.3. Addresses are as RFC 5952 writes them; unknown fields are undefined. */
export type FailureDetail = {
  readonly resultType: ResultType
  readonly sendingMtaIp: string | undefined
  /** A name in A-labels, lower case, without a final dot. */
  readonly receivingMxHostname: string | undefined
  readonly receivingMxHelo: string | undefined
  readonly receivingIp: string | undefined
  /** A reason of reason.ts. */
  readonly reasonCode: string | undefined
  /** Printable ASCII, at most 1,024 characters, in words of this plugin. */
  readonly additionalInformation: string | undefined
}

export type CountedDetail = FailureDetail & {
  /** At least 1. */
  readonly sessions: number
}

/** The sessions under one policy; `failed` is the sum of the sessions of `details`. */
export type PolicyCounts = {
  readonly policy: ReportPolicy
  readonly successful: number
  readonly failed: number
  readonly details: readonly CountedDetail[]
}

/** One recipient domain on one day: what one report says. */
export type DayCounts = {
  readonly day: UtcDay
  /** The recipient domain; its `_smtp._tls` record is asked. */
  readonly domain: DomainName
  /** Equal policies are merged, so that each is listed once; never empty. */
  readonly policies: readonly PolicyCounts[]
}

/** One counter: the sessions of a domain under a policy that ended in the same way. */
export type Tally = {
  readonly day: UtcDay
  readonly domain: DomainName
  readonly policy: ReportPolicy
  /** Undefined: the sessions succeeded. */
  readonly detail: FailureDetail | undefined
  /** At least 1. */
  readonly sessions: number
}
