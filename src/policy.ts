/**
 * What can DANE demand of a host, and what does the operator ask for?
 *
 * `Policy` is the operator's word for a destination. `HostPolicy` is what follows
 * for one MX host from that word and the DNS; it is made in one place,
 * discover/decide.ts, and `authenticate` cannot exist without a usable record and
 * a reference name. `Plan` is the list of hosts with what each owes.
 *
 * discover makes these, verify and the hosts take them. Plain data; pure.
 */
import type { Failed, Security } from './lookup.js'
import type { DomainName } from './name.js'
import type { LookupReason, NoDaneReason, UndeliverableReason } from './reason.js'
import type { UnusableTlsa, UsableTlsa } from './tlsa.js'

export const POLICIES = ['none', 'audit', 'opportunistic', 'mandatory'] as const

/**
 * none: the plugin leaves the message alone. audit: everything is judged, nothing
 * enforced. opportunistic: RFC 7672. mandatory: DANE or no delivery (RFC 7672 §6).
 */
export type Policy = (typeof POLICIES)[number]

/** The two that are enforced; audit judges as opportunistic. */
export type EnforcedPolicy = 'opportunistic' | 'mandatory'

/** RFC 7672 §2.2.1 leaves open what an insecure MX record means for its secure hosts. */
export const INSECURE_MX = ['dane', 'may'] as const
export type InsecureMx = (typeof INSECURE_MX)[number]

/** DANE does not apply: TLS where offered, as without this plugin. */
export type OpportunisticHost = { readonly kind: 'opportunistic'; readonly reason: NoDaneReason }

/** TLSA records exist but none can be used: TLS, not authenticated (RFC 7672 §2.2). */
export type EncryptHost = {
  readonly kind: 'encrypt'
  readonly tlsaBase: DomainName
  readonly unusable: readonly UnusableTlsa[]
}

/** TLS, authenticated by TLSA (RFC 7672 §2.2): the expectation that verify takes. */
export type AuthenticateHost = {
  readonly kind: 'authenticate'
  /** Also the SNI (RFC 7672 §8.1). */
  readonly tlsaBase: DomainName
  readonly records: readonly [UsableTlsa, ...UsableTlsa[]]
  /** RFC 7672 §3.2.2, the TLSA base domain first. */
  readonly referenceNames: readonly [DomainName, ...DomainName[]]
  readonly unusable: readonly UnusableTlsa[]
}

/** Not to be connected to now (RFC 7672 §2.1.2). */
export type UnreachableHost = {
  readonly kind: 'unreachable'
  readonly reason: LookupReason | NoDaneReason
  /** For people: which question, and what came back. Printable. */
  readonly detail: string
}

export type HostPolicy = OpportunisticHost | EncryptHost | AuthenticateHost | UnreachableHost

/** How the hosts were found (RFC 5321 §5.1), and whether DNSSEC vouches for the way. */
export type Route = {
  /** mx: an MX RRset. implicit-mx: the domain itself. relay: a host the operator named. */
  readonly kind: 'mx' | 'implicit-mx' | 'relay'
  readonly nextHop: DomainName
  /** The next hop after aliases; the same name without them. */
  readonly expandedNextHop: DomainName
  readonly security: Security
}

/** What the address queries for one host told (RFC 7672 §2.2.2). */
export type HostFacts =
  | {
      readonly kind: 'reachable'
      /** IP addresses, IPv6 first, at least one. */
      readonly addresses: readonly string[]
      readonly security: Security
      /** TLSA base domains to try, in order; empty where TLSA must not be asked. */
      readonly tlsaBases: readonly DomainName[]
    }
  | { readonly kind: 'literal'; readonly addresses: readonly string[] }
  | { readonly kind: 'no-address' }
  | { readonly kind: 'lookup-failed'; readonly question: string; readonly failed: Failed }
  | { readonly kind: 'alias-lookup-failed'; readonly question: string; readonly detail: string }

/** What the TLSA queries told (RFC 7672 §2.2.3). */
export type TlsaFacts =
  | {
      readonly kind: 'secure'
      readonly tlsaBase: DomainName
      readonly usable: readonly UsableTlsa[]
      readonly unusable: readonly UnusableTlsa[]
    }
  | { readonly kind: 'insecure' }
  | { readonly kind: 'absent' }
  | { readonly kind: 'lookup-failed'; readonly question: string; readonly failed: Failed }

export type HostPlan = {
  /** The MX hostname, or an IP address where the MX record holds one. */
  readonly exchange: string
  /** 0 to 65535, lower is preferred. */
  readonly preference: number
  readonly addresses: readonly string[]
  readonly policy: HostPolicy
  readonly facts: HostFacts
  /** Undefined where TLSA was not asked for. */
  readonly tlsa: TlsaFacts | undefined
}

/** Every host of the destination, in order of preference. */
export type Plan = {
  readonly kind: 'plan'
  readonly route: Route
  readonly hosts: readonly HostPlan[]
}

/** Nobody can say which hosts to use: the message waits (RFC 7672 §2.1.2). */
export type Unresolved = {
  readonly kind: 'unresolved'
  readonly reason: LookupReason
  readonly detail: string
}

/** There is nowhere to deliver to, and DNS says so (RFC 5321 §5.1, RFC 7505). */
export type Undeliverable = {
  readonly kind: 'undeliverable'
  readonly reason: UndeliverableReason
  readonly detail: string
}

export type Discovery = Plan | Unresolved | Undeliverable
