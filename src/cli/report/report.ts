/**
 * The result of `haraka-dane verify` for one domain.
 *
 * A `Report` is the whole of it: what DNS says, what every host presented at every
 * address, and what follows (conclude.ts). Renderers read it (text.ts, json.ts,
 * table.ts) and add nothing. A `Step` is one part of it, as soon as it is known. Plain
 * data; pure.
 */
import type { DomainName } from '../../name.js'
import type { Discovery, HostPlan, HostPolicy, Plan } from '../../plan.js'
import type { EnforcedPolicy, InsecureMx, Policy } from '../../policy.js'
import type { CertificateReason, SessionReason, Why } from '../../reason.js'
import type { ShownCertificate } from '../shown-certificate.js'
import type { Authenticated, Encrypted } from '../../verdict.js'

/** The domain, and the settings that apply to it. */
export type Question = {
  readonly domain: DomainName
  /** The policy that the verdict is for. */
  readonly judgedAs: EnforcedPolicy
  readonly policy: PolicyInForce
  readonly insecureMx: InsecureMx
  /** Of the mail hosts. */
  readonly port: number
  readonly isConnecting: boolean
  /** The name is that of a mail host, without MX records. */
  readonly isHost: boolean
}

/** The operator's policy for this domain, which may be none or audit, and where it is set. */
export type PolicyInForce = { readonly policy: Policy; readonly source: PolicySource }

export type PolicySource =
  | { readonly kind: 'default' }
  | { readonly kind: 'command' }
  /** The text is that of dane.ini. */
  | { readonly kind: 'line'; readonly line: number; readonly text: string }

export type TlsSession = {
  readonly protocol: string
  readonly cipher: string
  /** Our own address. */
  readonly local: string
  readonly milliseconds: number
  /** What the host showed, the first ten certificates. */
  readonly shown: readonly ShownCertificate[]
}

/** The result for one address. */
export type Connection =
  /** Nothing is demanded of the host, or connections are switched off. */
  | { readonly kind: 'not-tried' }
  /** This machine has no route to the address, which says nothing about the host. */
  | { readonly kind: 'no-route'; readonly detail: string }
  /** There was no TLS handshake. */
  | ({ readonly kind: 'failed' } & Why<SessionReason>)
  | ({ readonly kind: 'refused'; readonly session: TlsSession } & Why<CertificateReason>)
  | {
      readonly kind: 'passed'
      readonly session: TlsSession
      readonly verdict: Authenticated | Encrypted
      /** The cached TLSA records did not match, and those that DNS has now do. */
      readonly isRolledOver: boolean
    }

export type AddressReport = { readonly address: string; readonly connection: Connection }

export type HostReport = {
  readonly plan: HostPlan
  /** What each policy demands, by the same DNS answers. */
  readonly demands: Readonly<Record<EnforcedPolicy, HostPolicy>>
  readonly addresses: readonly AddressReport[]
}

/**
 * verified: every host, at every address. published: the same as far as DNS goes. no-dane:
 * DANE does not apply to one host or more. refused: something is wrong. undetermined: a
 * lookup failed or a host could not be reached, and nothing is known to be wrong or missing.
 */
export type DomainVerdict = 'verified' | 'published' | 'no-dane' | 'refused' | 'undetermined'

/** A reason, and the host that it is about. */
export type Cause = Why & {
  /** With its address where the reason is about one; undefined: the domain itself. */
  readonly host: string | undefined
}

/**
 * What happens to a message now. verified: delivered to an authenticated host. verify:
 * delivered if the host, which was not connected to, can be authenticated. fallback:
 * delivered without DANE. defer: it waits. return: it is returned at once.
 */
export type MailAction = 'verified' | 'verify' | 'fallback' | 'defer' | 'return'

export type MailOutcome = {
  readonly action: MailAction
  /** The host that takes it; undefined if none does. */
  readonly host: string | undefined
  /** Why it is not `verified`. */
  readonly cause: Cause | undefined
  /** A host that takes mail unverified if the preferred ones cannot be reached. */
  readonly exposure: Cause | undefined
}

export type Report = {
  readonly question: Question
  /** Milliseconds since the epoch: when the last result was known. */
  readonly instant: number
  readonly discovery: Discovery
  readonly hosts: readonly HostReport[]
  readonly verdict: DomainVerdict
  /** Undefined for verified and published. */
  readonly cause: Cause | undefined
  readonly mail: Readonly<Record<EnforcedPolicy, MailOutcome>>
}

export type Step =
  | { readonly kind: 'routed'; readonly discovery: Discovery }
  | {
      readonly kind: 'host'
      readonly index: number
      readonly plan: Plan
      readonly host: HostPlan
      readonly demand: HostPolicy
    }
  | {
      readonly kind: 'connecting'
      /** Of the addresses of this host. */
      readonly index: number
      readonly host: HostPlan
      readonly address: string
    }
  | {
      readonly kind: 'address'
      readonly host: HostPlan
      readonly demand: HostPolicy
      readonly report: AddressReport
    }
