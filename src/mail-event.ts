/**
 * The events of a message that concern DANE.
 *
 * Each step is one `MailEvent`: a plain value, reported once. The log writes it and the
 * metrics count it; the code that reports it depends on neither. Lookups have events of
 * their own (lookup.ts), since they do not belong to a message.
 *
 * Plain data; pure.
 */
import type { DomainName } from './name.js'
import type { Security } from './lookup.js'
import type { HostPlan, Plan } from './plan.js'
import type { EnforcedPolicy, Policy } from './policy.js'
import type { Reason, Why } from './reason.js'
import type { TlsaRecord } from './tlsa.js'
import type { Authenticated, Encrypted } from './verdict.js'

/** Why a host, or the whole destination, was not used. */
export type Refusal = Why & {
  /** The MX host, or the domain if no single host is the cause. */
  readonly host: string
}

export type Session = { readonly protocol: string; readonly cipher: string }

/** One connection of Haraka to a mail host, as TLS reports count it (RFC 8460 §4.3). */
export type EndedSession = {
  /** The recipients' domain. */
  readonly domain: DomainName
  /** When TLS was there or had failed, in milliseconds since the epoch. */
  readonly endedAt: number
  /** What was applied to it: every TLSA record of the host, unusable ones as well. */
  readonly tlsa: { readonly base: DomainName; readonly records: readonly TlsaRecord[] } | undefined
  /** The MX hostname, or an IP address if the MX record contains one. */
  readonly host: string
  /** The name in the host's greeting, as sent; undefined: not seen. */
  readonly greeting: string | undefined
  /** Addresses of the connection, as Node writes them. */
  readonly localAddress: string | undefined
  readonly remoteAddress: string | undefined
  /** Undefined: TLS was established, and satisfied what was required. */
  readonly failure: Reason | undefined
}

/** A next hop that another plugin chose, and what DANE says of it. */
export type RoutedHost = {
  /** The name or address of the host, or the path of a socket. */
  readonly host: string
  /** Undefined: a socket, or an entry that cannot be used. */
  readonly port: number | undefined
  /** The policy that holds for it. */
  readonly policy: Policy
  readonly says:
    | { readonly kind: 'planned'; readonly plan: HostPlan; readonly security: Security }
    /** DANE does not apply to it. */
    | { readonly kind: 'exempt'; readonly why: Exemption }
    | { readonly kind: 'left-out'; readonly refusal: Refusal }
}

/**
 * lmtp, socket: not SMTP over a network. address: one without a name (RFC 7672 §2.2).
 * policy: its policy enforces nothing. skip: `routes = skip`.
 */
export type Exemption = 'lmtp' | 'socket' | 'address' | 'policy' | 'skip'

/** What would have happened to a message under a policy that is not in force. */
export type Forecast =
  /** Delivered, authenticated or encrypted as RFC 7672 requires. */
  | { readonly kind: 'verified' | 'encrypted' }
  /** DANE does not apply: delivered as without the plugin. */
  | { readonly kind: 'no-dane' }
  | { readonly kind: 'deferred' | 'returned'; readonly refusal: Refusal }
  /** It depends on hosts that were not tried, because another one took the message. */
  | { readonly kind: 'unknown'; readonly refusal: Refusal | undefined; readonly detail: string }

export type ForecastKind = Forecast['kind']

export type MailEvent =
  /** The plan: what DANE requires, host by host. */
  | { readonly kind: 'plan'; readonly policy: Policy; readonly plan: Plan }
  /** Another plugin chose the next hops, in this order; at least one. */
  | {
      readonly kind: 'routed'
      /** The strictest of theirs. */
      readonly policy: Policy
      readonly hosts: readonly RoutedHost[]
    }
  /** The decision for this attempt, and how long it took. */
  | {
      readonly kind: 'decision'
      readonly policy: EnforcedPolicy
      readonly decision: 'deliver' | 'defer' | 'return'
      readonly milliseconds: number
    }
  /** A TLS handshake is complete; certificates have not been checked yet. */
  | { readonly kind: 'handshake'; readonly milliseconds: number }
  /** One host is not used for this attempt. */
  | { readonly kind: 'refused'; readonly policy: Policy; readonly refusal: Refusal }
  /** Haraka found no connection to one address of a host; DANE is not the cause. */
  | { readonly kind: 'unreached'; readonly host: string; readonly detail: string }
  /** The cached TLSA records did not match, but those now in DNS do. */
  | { readonly kind: 'rollover'; readonly host: string }
  /** The connection has passed, and the message may be sent on it. */
  | {
      readonly kind: 'passed'
      readonly policy: Policy
      readonly host: string
      /** Undefined if the MX lookup was insecure (RFC 7672 §2.2.1). */
      readonly domain: DomainName | undefined
      readonly verdict: Authenticated | Encrypted
      readonly session: Session
    }
  /** A connection's attempt at TLS has ended; only while there are TLS reports. */
  | { readonly kind: 'session'; readonly session: EndedSession }
  /** A host that was verified for `domain` has accepted the message, for some recipients at least. */
  | { readonly kind: 'delivered'; readonly domain: DomainName; readonly host: string }
  /** The whole message is deferred, or returned. */
  | {
      readonly kind: 'settled'
      readonly policy: Policy
      readonly outcome: 'deferred' | 'returned'
      /** The recipients' domain. */
      readonly destination: string
      readonly refusal: Refusal
      /** Whether the refusal was already reported as a host's. */
      readonly isKnown: boolean
    }
  /** Under `policy = audit`: what would have happened under the enforced policies. */
  | {
      readonly kind: 'forecast'
      readonly destination: string
      readonly opportunistic: Forecast
      readonly mandatory: Forecast
      /** Hosts that were tried, and would have been refused. */
      readonly refusals: readonly Refusal[]
    }
  /** Under `policy = audit`: the message could not be judged, and mail was not affected. */
  | { readonly kind: 'unjudged'; readonly destination: string; readonly detail: string }
