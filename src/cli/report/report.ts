/**
 * What was found about mail to this domain, and how far did each host get?
 *
 * A `Report` is the whole of one `haraka-dane verify`: what DNS says, what every host
 * showed at every address, and what follows (conclude.ts). Renderers read it (text.ts,
 * json.ts, table.ts) and add nothing. A `Step` is the part of it that has just come to
 * be known, for those who watch. Plain data; pure.
 */
import type { DomainName } from '../../name.js'
import type {
  Discovery,
  EnforcedPolicy,
  HostPlan,
  HostPolicy,
  InsecureMx,
  Plan,
  Policy,
} from '../../policy.js'
import type { Reason, SessionReason } from '../../reason.js'
import type { Authenticated, Encrypted, RefusalReason } from '../../verdict.js'

/** Under what circumstances the domain was looked at. */
export type Question = {
  readonly domain: DomainName
  /** The policy by whose eyes the verdict is given. */
  readonly judgedAs: EnforcedPolicy
  readonly policy: PolicyInForce
  readonly insecureMx: InsecureMx
  /** Of mail hosts. */
  readonly port: number
  readonly isConnecting: boolean
}

/** The operator's word for this domain, which may be none or audit, and where it stands. */
export type PolicyInForce = { readonly policy: Policy; readonly source: PolicySource }

export type PolicySource =
  | { readonly kind: 'default' }
  | { readonly kind: 'command' }
  /** As it stands in dane.ini. */
  | { readonly kind: 'line'; readonly line: number; readonly text: string }

export type TlsSession = {
  readonly protocol: string
  readonly cipher: string
  /** Our own address. */
  readonly local: string
}

/** What came of one address. */
export type Encounter =
  /** Nothing is demanded of the host, or nobody was to connect. */
  | { readonly kind: 'not-tried' }
  /** This machine has no way there: it says nothing of the host. */
  | { readonly kind: 'no-route'; readonly detail: string }
  /** It did not come to certificates. */
  | { readonly kind: 'failed'; readonly reason: SessionReason; readonly detail: string }
  | {
      readonly kind: 'refused'
      readonly session: TlsSession
      readonly reason: RefusalReason
      readonly detail: string
    }
  | {
      readonly kind: 'passed'
      readonly session: TlsSession
      readonly verdict: Authenticated | Encrypted
      /** The TLSA records had changed since they were first asked for. */
      readonly isRolledOver: boolean
    }

export type AddressReport = { readonly address: string; readonly encounter: Encounter }

export type HostReport = {
  readonly plan: HostPlan
  /** What each policy demands, from the same facts. */
  readonly demands: Readonly<Record<EnforcedPolicy, HostPolicy>>
  readonly addresses: readonly AddressReport[]
}

/** verified: every host, at every address. published: the same as far as DNS goes. */
export type DomainVerdict = 'verified' | 'published' | 'failed' | 'undetermined'

/** Why, and what it is about. */
export type Cause = {
  readonly reason: Reason
  /** A host, with the address where it is about one; undefined: the domain itself. */
  readonly at: string | undefined
  /** Empty where the reason says it all. */
  readonly detail: string
}

/**
 * What happens to a message now. verified: delivered to a host that proves who it is.
 * verify: delivered to one that does, which nobody has tried. fallback: delivered as
 * without DANE. defer: it waits. return: it goes back at once.
 */
export type MailAction = 'verified' | 'verify' | 'fallback' | 'defer' | 'return'

export type MailFate = {
  readonly action: MailAction
  /** Who takes it; undefined if nobody does. */
  readonly host: string | undefined
  /** Why it is not `verified`. */
  readonly cause: Cause | undefined
  /** A host that takes mail unverified where the better ones are out of reach. */
  readonly exposure: Cause | undefined
}

export type Report = {
  readonly question: Question
  /** Milliseconds since the epoch: when the last word was heard. */
  readonly instant: number
  readonly discovery: Discovery
  readonly hosts: readonly HostReport[]
  readonly verdict: DomainVerdict
  /** Undefined for verified and published. */
  readonly cause: Cause | undefined
  readonly mail: Readonly<Record<EnforcedPolicy, MailFate>>
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
      readonly kind: 'met'
      readonly host: HostPlan
      readonly demand: HostPolicy
      readonly met: AddressReport
    }
