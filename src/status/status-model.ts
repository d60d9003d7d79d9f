/**
 * The delivery status: which destinations wait, and what DANE says of each.
 *
 * The value behind the HTML page, /dane.json and `haraka-dane status`, which add nothing.
 * Two sources meet in it: Haraka's queue folder (queue-files.ts), and the mail events of
 * all processes (facts.ts). The queue survives a restart of Haraka, the events do not:
 * until its next attempt a destination is `unknown`.
 *
 * Every text is one line of printable ASCII and bounded, whoever wrote it; HTML still has
 * to be escaped. Domains are A-labels in lower case. No sender, recipient or subject.
 *
 * Plain data; pure.
 */
import type { Policy } from '../policy.js'
import type { Reason } from '../reason.js'

/** Milliseconds since the epoch. */
export type Instant = number

/** One view of the status: the sums of all destinations, and the rows that were asked for. */
export type StatusModel = {
  /** When this was put together. */
  readonly at: Instant
  readonly relay: RelayStatus
  readonly queue: QueueStatus
  readonly held: HeldTotals
  /** How many destinations each filter has, whatever was searched for. */
  readonly counts: Readonly<Record<Show, number>>
  /** How many destinations match filter and search. */
  readonly matching: number
  /** Those from `offset` on, at most `limit`. */
  readonly destinations: readonly DestinationStatus[]
}

/** What to show of the status. Bounded by parseQuery (status-query.ts). */
export type StatusQuery = {
  readonly show: Show
  readonly sort: Sort
  readonly order: 'ascending' | 'descending'
  /** Part of the name of a destination or of one of its MX hosts, in lower case; '' for all. */
  readonly search: string
  /** From 0. */
  readonly offset: number
  /** 1 to MAX_ROWS. */
  readonly limit: number
}

/** The most destinations in one view. */
export const MAX_ROWS = 1_000

/** all: everything known; the others as their words say. */
export const SHOWS = ['all', 'waiting', 'held', 'verified'] as const
export type Show = (typeof SHOWS)[number]

/** Columns to sort by; ties are sorted by name. */
export const SORTS = [
  'destination',
  'dane',
  'waiting',
  'oldest',
  'next',
  'refusal',
  'success',
] as const
export type Sort = (typeof SORTS)[number]

export type RelayStatus = {
  /** As Haraka names itself (config/me). */
  readonly name: string
  /** Of the plugin. */
  readonly version: string
  /** Worker processes; 0: Haraka is one process (`nodes` in smtp.ini). */
  readonly workers: number
  /** Workers that did not answer in time: what they know is as of their last answer. */
  readonly silentWorkers: number
  /** What happened to mail is known from then on. */
  readonly since: Instant
  /** In the order of dane.ini, at least one. */
  readonly resolvers: readonly ResolverStatus[]
  /** Undefined: no shared cache is configured. */
  readonly redis: RedisStatus | undefined
  /** Undefined: no TLS reports (RFC 8460) are sent. */
  readonly tlsrpt: TlsrptStatus | undefined
}

export type ResolverStatus = {
  /** As in dane.ini. */
  readonly server: string
  /**
   * The worst of all processes; `unknown` before the first lookup. Used are `validating`,
   * whose AD bit is believed, and `passing`, whose answers the plugin validates.
   */
  readonly state: 'validating' | 'passing' | 'unusable' | 'not-validating' | 'failing' | 'unknown'
  /** Why it is not used; may be empty. */
  readonly detail: string
}

export type RedisStatus = {
  /** `unavailable` in at least one process: it looks up DNS itself, mail is not held. */
  readonly state: 'available' | 'unavailable'
  /** Why it is unavailable; may be empty. */
  readonly detail: string
}

export type TlsrptStatus = {
  /** In words, such as the domain that sends them. */
  readonly detail: string
}

/** Haraka's queue folder. */
export type QueueStatus = {
  /**
   * counted: all of it, as of `at`. counting: the first count is under way, and the numbers
   * are those of the files read so far. unreadable: the folder cannot be read, see `detail`.
   */
  readonly kind: 'counted' | 'counting' | 'unreadable'
  /** When the folder was last read; undefined: never yet. */
  readonly at: Instant | undefined
  readonly detail: string
  /** Files with the name of a message. */
  readonly files: number
  /** Those whose domain and recipients are known. Fewer than `files` while counting. */
  readonly messages: number
  readonly recipients: number
  /** Files that are no message: another name, or a head that cannot be read. */
  readonly unreadable: number
  /** Messages of destinations beyond MAX_DESTINATIONS, which have no row; included in `messages`. */
  readonly messagesWithoutRow: number
  readonly oldest: OldestMessage | undefined
  /** The next message whose time has not come yet. */
  readonly next: { readonly at: Instant; readonly destination: string } | undefined
}

export type OldestMessage = {
  readonly destination: string
  readonly arrivedAt: Instant
  /** When Haraka returns it if each attempt until then fails at once. */
  readonly givesUpAt: Instant
}

export type HeldTotals = {
  /** Destinations that DANE holds mail for. */
  readonly destinations: number
  readonly messages: number
}

/** One row. */
export type DestinationStatus = {
  /** The recipients' domain, or what stands in its place in the envelope. */
  readonly destination: string
  readonly waiting: Waiting
  readonly dane: DaneState
  /** What dane.ini says of it. */
  readonly policy: Policy
  /** Its MX hosts by the last plan, by preference, at most MAX_HOSTS. */
  readonly hosts: readonly string[]
  /** The last acceptance by a host, for some recipients at least. */
  readonly lastSuccess: Success | undefined
  /** The last time that a message was deferred or returned, by DANE or by a host. */
  readonly lastRefusal: RefusalStatus | undefined
}

/** All zero and undefined if nothing waits. */
export type Waiting = {
  readonly messages: number
  readonly recipients: number
  /** Of `messages`, those whose time has come: being sent, or in line for it. */
  readonly due: number
  readonly oldestAt: Instant | undefined
  /** When Haraka returns the first of them if each attempt until then fails at once. */
  readonly givesUpAt: Instant | undefined
  /** The earliest next attempt that is not due yet. */
  readonly nextRetryAt: Instant | undefined
}

/** What DANE said at the last attempt that came to a conclusion. */
export type DaneState =
  /** A host was authenticated by its TLSA records. */
  | { readonly kind: 'verified'; readonly at: Instant; readonly host: string }
  /** TLS without authentication: no TLSA record is usable (RFC 7672 §2.2). */
  | { readonly kind: 'encrypted'; readonly at: Instant; readonly host: string }
  /** DANE does not apply; `reason` of the first host. */
  | {
      readonly kind: 'no-dane'
      readonly at: Instant
      readonly reason: Reason
      readonly phrase: string
    }
  /** The last message was deferred or returned because of DANE. */
  | {
      readonly kind: 'held'
      readonly at: Instant
      readonly reason: Reason
      readonly phrase: string
    }
  /**
   * Nothing is enforced: the policy is none or audit; or, with `at`, another plugin chose
   * hosts that are beyond DANE.
   */
  | { readonly kind: 'not-enforced'; readonly at?: Instant }
  /** Not tried since Haraka was started, or there is no conclusion yet. */
  | { readonly kind: 'unknown' }

export type Success = {
  readonly at: Instant
  /** The MX host's name or address. */
  readonly host: string
  /** Whether DANE verified the host for the destination. */
  readonly isVerified: boolean
}

export type RefusalStatus = {
  readonly at: Instant
  readonly outcome: 'deferred' | 'returned'
  /** The host that is the cause, or the destination if no single host is. */
  readonly host: string
  /** The reason word; undefined: not because of DANE. */
  readonly reason: Reason | undefined
  /** For a person: the phrase of the reason, or what kind of refusal it was. */
  readonly phrase: string
  /** What was expected and found, or the host's reply; may be empty. */
  readonly detail: string
}

/** Hosts, addresses and records beyond these are only counted. */
export const MAX_HOSTS = 10
export const MAX_ADDRESSES = 8
export const MAX_RECORDS = 8

/** Destinations with a row; mail for further ones is only counted. */
export const MAX_DESTINATIONS = 10_000
