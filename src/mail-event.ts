/**
 * What happens to a message, as far as DANE has a part in it?
 *
 * Each step of a message's way is one `MailEvent`: a plain value, told once to whoever
 * listens. The log writes it down, the metrics count it; neither is known to who tells
 * it. What the lookups do has its own events (lookup.ts), since no message owns them.
 *
 * Plain data; pure.
 */
import type { DomainName } from './name.js'
import type { EnforcedPolicy, Plan, Policy } from './policy.js'
import type { Reason } from './reason.js'
import type { Authenticated, Encrypted } from './verdict.js'

/** Why one host, or the whole destination, got no mail. */
export type Refusal = {
  readonly reason: Reason
  /** The MX host, or the domain where no host is to blame. */
  readonly host: string
  /** For the log. */
  readonly detail: string
}

export type Session = { readonly protocol: string; readonly cipher: string }

/** What a policy that is not in force would have made of a message. */
export type Forecast =
  /** It would go where it went, authenticated or encrypted as RFC 7672 wants it. */
  | { readonly kind: 'verified' | 'encrypted' }
  /** DANE has no word in it: as without the plugin. */
  | { readonly kind: 'no-dane' }
  | { readonly kind: 'deferred' | 'returned'; readonly refusal: Refusal }
  /** It hangs on hosts that were not called, because another one took the message. */
  | { readonly kind: 'unknown'; readonly refusal: Refusal | undefined; readonly detail: string }

export type ForecastKind = Forecast['kind']

export type MailEvent =
  /** What the lookups led to, host by host. */
  | { readonly kind: 'plan'; readonly policy: Policy; readonly plan: Plan }
  /** What is done about the message at this attempt, and how long it took to find out. */
  | {
      readonly kind: 'decision'
      readonly policy: EnforcedPolicy
      readonly decision: 'deliver' | 'defer' | 'return'
      readonly milliseconds: number
    }
  /** A TLS handshake is over; nothing is judged yet. */
  | { readonly kind: 'handshake'; readonly milliseconds: number }
  /** One host gets no mail at this attempt. */
  | { readonly kind: 'refused'; readonly policy: Policy; readonly refusal: Refusal }
  /** The records that were remembered did not match, and those in DNS do. */
  | { readonly kind: 'rollover'; readonly host: string }
  /** The connection is good, and the message goes out on it. */
  | {
      readonly kind: 'passed'
      readonly policy: Policy
      readonly host: string
      /** Undefined where the way to the host was insecure (RFC 7672 §2.2.1). */
      readonly domain: DomainName | undefined
      readonly verdict: Authenticated | Encrypted
      readonly session: Session
    }
  /** The message as a whole waits, or is returned. */
  | {
      readonly kind: 'settled'
      readonly policy: Policy
      readonly outcome: 'deferred' | 'returned'
      /** The recipients' domain. */
      readonly destination: string
      readonly refusal: Refusal
      /** Whether the refusal has been told as a host's already. */
      readonly isKnown: boolean
    }
  /** Under `policy = audit`: what the others would have made of it. */
  | {
      readonly kind: 'forecast'
      readonly destination: string
      readonly opportunistic: Forecast
      readonly mandatory: Forecast
      /** Hosts that were called, and would have been given up. */
      readonly refusals: readonly Refusal[]
    }
  /** Under `policy = audit`: nothing was found out, and mail flowed on. */
  | { readonly kind: 'unjudged'; readonly destination: string; readonly detail: string }
