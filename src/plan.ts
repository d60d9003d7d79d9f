/**
 * What DANE requires of a host.
 *
 * The `HostPolicy` of an MX host follows from the operator's policy (policy.ts) and DNS.
 * It is constructed only in discover/decide.ts, and `authenticate` cannot exist without a
 * usable record and a reference name. A `Plan` lists the hosts of a destination, each
 * with its `HostPolicy`.
 *
 * Created by discover; used by verify, haraka and cli. Plain data; pure.
 */
import type { Failed, Security } from './lookup.js'
import type { DomainName } from './name.js'
import type { LookupReason, NoDaneReason, UndeliverableReason, Why } from './reason.js'
import type { UnusableTlsa, UsableTlsa } from './tlsa.js'

/** DANE does not apply: TLS if offered, as without this plugin. */
export type OpportunisticHost = { readonly kind: 'opportunistic'; readonly reason: NoDaneReason }

/** TLSA records exist but none can be used: TLS, not authenticated (RFC 7672 §2.2). */
export type EncryptHost = {
  readonly kind: 'encrypt'
  readonly tlsaBase: DomainName
  readonly unusable: readonly UnusableTlsa[]
}

/** TLS, authenticated by TLSA (RFC 7672 §2.2): the expectation passed to verify. */
export type AuthenticateHost = {
  readonly kind: 'authenticate'
  /** Also the SNI (RFC 7672 §8.1). */
  readonly tlsaBase: DomainName
  readonly records: readonly [UsableTlsa, ...UsableTlsa[]]
  /** RFC 7672 §3.2.2, the TLSA base domain first. */
  readonly referenceNames: readonly [DomainName, ...DomainName[]]
  readonly unusable: readonly UnusableTlsa[]
}

/** Must not be contacted on this attempt (RFC 7672 §2.1.2). */
export type UnreachableHost = { readonly kind: 'unreachable' } & Why<LookupReason | NoDaneReason>

export type HostPolicy = OpportunisticHost | EncryptHost | AuthenticateHost | UnreachableHost

/** How the hosts were found (RFC 5321 §5.1), and whether the lookup was secure. */
export type Route = {
  /**
   * mx: an MX RRset. implicit-mx: the domain itself. relay: a host that replaces the MX
   * records.
   */
  readonly kind: 'mx' | 'implicit-mx' | 'relay'
  readonly nextHop: DomainName
  /** The next hop after aliases; the same name without them. */
  readonly expandedNextHop: DomainName
  readonly security: Security
  /** By an expired answer (RFC 8767): nothing unverified is sent this way. */
  readonly isStale?: true
}

/** The result of the address queries for one host (RFC 7672 §2.2.2). */
export type HostFacts =
  | {
      readonly kind: 'reachable'
      /** IP addresses, IPv6 first, at least one. */
      readonly addresses: readonly string[]
      readonly laterAddresses?: readonly string[]
      readonly security: Security
      /** TLSA base domains to try, in order; empty if TLSA must not be queried. */
      readonly tlsaBases: readonly DomainName[]
      readonly isStale?: true
    }
  | { readonly kind: 'literal'; readonly addresses: readonly string[] }
  | { readonly kind: 'no-address' }
  | { readonly kind: 'lookup-failed'; readonly question: string; readonly failed: Failed }
  | { readonly kind: 'alias-lookup-failed'; readonly question: string; readonly detail: string }

/** The result of the TLSA queries for one host (RFC 7672 §2.2.3). */
export type TlsaFacts =
  | {
      readonly kind: 'secure'
      readonly tlsaBase: DomainName
      /** Milliseconds since the epoch, by the TTL. */
      readonly expiresAt: number
      readonly usable: readonly UsableTlsa[]
      readonly unusable: readonly UnusableTlsa[]
      readonly isStale?: true
    }
  | { readonly kind: 'insecure' }
  | { readonly kind: 'absent' }
  | { readonly kind: 'lookup-failed'; readonly question: string; readonly failed: Failed }

/** One entry of the list of hosts: a name to look up, or an IP address instead. */
export type MailHost = {
  readonly kind: 'name' | 'literal'
  readonly exchange: DomainName
  readonly preference: number
}

export type HostPlan = {
  /** The MX hostname, or an IP address if the MX record contains one. */
  readonly exchange: string
  /** 0 to 65535, lower is preferred. */
  readonly preference: number
  readonly addresses: readonly string[]
  /** Addresses beyond the limit, tried when those of all hosts did not answer. */
  readonly laterAddresses?: readonly string[]
  readonly policy: HostPolicy
  readonly facts: HostFacts
  /** Undefined if no TLSA query was made. */
  readonly tlsa: TlsaFacts | undefined
}

/** Every host of the destination, in order of preference. */
export type Plan = {
  readonly kind: 'plan'
  readonly route: Route
  readonly hosts: readonly HostPlan[]
  /** Hosts that are looked up and tried when none of `hosts` takes the message. */
  readonly laterHosts?: readonly MailHost[]
  /** How many hosts are never used, because the list is too long. */
  readonly omittedHosts?: number
}

/** The hosts could not be determined: the message is deferred (RFC 7672 §2.1.2). */
export type Unresolved = { readonly kind: 'unresolved' } & Why<LookupReason>

/** According to DNS the domain accepts no mail (RFC 5321 §5.1, RFC 7505). */
export type Undeliverable = { readonly kind: 'undeliverable' } & Why<UndeliverableReason>

export type Discovery = Plan | Unresolved | Undeliverable
