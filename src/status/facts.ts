/**
 * What one process knows of each destination: what DANE said, what hosts answered.
 *
 * Fed by the mail events, and by how Haraka's deliveries end. Row facts are handed out once
 * per change (`drain`), so that they can be sent to the process that puts the status
 * together; plans stay here until somebody looks at the destination.
 *
 * Bounded: `MAX_KNOWN` destinations, those without an event for the longest time are
 * forgotten first, and `MAX_HOSTS` hosts of each. Plans are kept as they were made, without
 * a copy. Pure.
 */
import { LRUCache } from 'lru-cache'
import type { MailEvent, Refusal, RoutedHost, Session } from '../mail-event.js'
import type { HostPlan, HostPolicy, Plan } from '../plan.js'
import type { Policy } from '../policy.js'
import { phraseOf, statusOf } from '../reason.js'
import type { Authenticated, Encrypted } from '../verdict.js'
import { printable } from '../text.js'
import { MAX_HOSTS } from './status-model.js'
import type { DaneState, Instant, RefusalStatus, Success } from './status-model.js'

/** How Haraka's delivery of a message ended, where DANE was not the cause. */
export type Outcome =
  | { readonly kind: 'accepted'; readonly host: string }
  | {
      readonly kind: 'not-accepted'
      readonly outcome: 'deferred' | 'returned'
      readonly host: string | undefined
      readonly phrase: string
      readonly detail: string
    }

/** What a row of the status needs. */
export type RowFacts = {
  readonly destination: string
  readonly dane: DaneState
  /** By the last plan, by preference. */
  readonly hosts: readonly string[]
  /** When the last plan was made; 0: never. */
  readonly plannedAt: Instant
  /** Another plugin chose the hosts of the last plan: the policy is theirs. */
  readonly isRouted: boolean
  readonly lastSuccess: Success | undefined
  readonly lastRefusal: RefusalStatus | undefined
}

/** The last plan and, by host, what the hosts showed. */
export type PlanFacts = {
  readonly planned: Planned | undefined
  readonly attempts: ReadonlyMap<string, Attempted>
}

export type Planned = { readonly at: Instant; readonly policy: Policy } & (
  | { readonly kind: 'found'; readonly plan: Plan }
  /** Another plugin chose the hosts. */
  | { readonly kind: 'routed'; readonly hosts: readonly RoutedHost[] }
)

export type Attempted = { readonly at: Instant } & (
  | {
      readonly kind: 'passed'
      readonly verdict: Authenticated | Encrypted
      readonly session: Session
    }
  | { readonly kind: 'refused'; readonly refusal: Refusal }
  | Unreached
)

type Unreached = Extract<MailEvent, { kind: 'unreached' }>

type Known = {
  dane: DaneState
  planned: Planned | undefined
  success: Success | undefined
  refusal: RefusalStatus | undefined
  /** At the current attempt: the last address without a connection. */
  unreached: Unreached | undefined
  readonly attempts: Map<string, Attempted>
}

export class DestinationFacts {
  private readonly known: LRUCache<string, Known>
  private readonly changed = new Set<string>()

  constructor(limit = MAX_KNOWN) {
    this.known = new LRUCache({
      max: limit,
      dispose: (_, destination) => this.changed.delete(destination),
    })
  }

  noteMail(destination: string, event: MailEvent, at: Instant): void {
    switch (event.kind) {
      case 'plan': {
        const known = this.change(destination)
        const { policy, plan } = event
        known.planned = { kind: 'found', at, policy, plan }
        known.unreached = undefined
        known.dane = withoutDane(policiesOf(plan.hosts), at) ?? known.dane
        return
      }
      case 'routed': {
        const known = this.change(destination)
        const { policy, hosts } = event
        known.planned = { kind: 'routed', at, policy, hosts }
        known.unreached = undefined
        known.dane = routedState(hosts, at) ?? known.dane
        return
      }
      case 'passed': {
        const known = this.change(destination)
        const { host, verdict, session } = event
        const kind = verdict.kind === 'authenticated' ? 'verified' : 'encrypted'
        known.dane = { kind, at, host: printable(host) }
        keepAttempt(known, host, { kind: 'passed', at, verdict, session })
        return
      }
      case 'refused':
        keepAttempt(this.change(destination), event.refusal.host, {
          kind: 'refused',
          at,
          refusal: event.refusal,
        })
        return
      case 'unreached': {
        const known = this.change(destination)
        known.unreached = event
        keepAttempt(known, event.host, { at, ...event })
        return
      }
      case 'delivered':
        this.change(destination).success = { at, host: printable(event.host), isVerified: true }
        return
      case 'settled': {
        const known = this.change(destination)
        const { refusal, outcome } = event
        const { reason } = refusal
        // RFC 5321 §5.1, RFC 7505: returned at once, whatever DANE says.
        const isPermanent = statusOf(reason)[0] === 5
        if (!isPermanent) known.dane = { kind: 'held', at, reason, phrase: phraseOf(reason) }
        known.refusal = { at, outcome, ...refusalText(refusal) }
        return
      }
      case 'decision':
      case 'handshake':
      case 'rollover':
      case 'forecast':
      case 'unjudged':
      case 'session':
        return
    }
  }

  noteOutcome(destination: string, outcome: Outcome, at: Instant): void {
    const known = this.change(destination)
    if (outcome.kind === 'accepted') {
      known.success = { at, host: printable(outcome.host), isVerified: false }
      return
    }
    const { unreached } = known
    // Haraka says no more than that it has tried all hosts.
    const isUnreached = outcome.host === undefined && outcome.detail === 'Tried all MXs'
    const {
      phrase,
      detail,
      host = destination,
    } = unreached && isUnreached ? { ...unreached, phrase: phraseOf('connection-failed') } : outcome
    known.refusal = {
      at,
      outcome: outcome.outcome,
      host: printable(host),
      reason: undefined,
      phrase,
      detail: printable(detail, MAX_DETAIL),
    }
  }

  /** Row facts that have changed since they were handed out last, at most `most`. */
  drain(most: number): readonly RowFacts[] {
    const rows: RowFacts[] = []
    for (const destination of this.changed) {
      if (rows.length >= most) break
      this.changed.delete(destination)
      const known = this.known.peek(destination)
      if (known) rows.push(rowOf(destination, known))
    }
    return rows
  }

  planOf(destination: string): PlanFacts | undefined {
    return this.known.peek(destination)
  }

  private change(destination: string): Known {
    const known = this.known.get(destination) ?? {
      dane: UNKNOWN,
      planned: undefined,
      success: undefined,
      refusal: undefined,
      unreached: undefined,
      attempts: new Map(),
    }
    this.known.set(destination, known)
    this.changed.add(destination)
    return known
  }
}

export function refusalText(refusal: Refusal): Omit<RefusalStatus, 'at' | 'outcome'> {
  const { host, reason, detail } = refusal
  return {
    host: printable(host),
    reason,
    phrase: phraseOf(reason),
    detail: printable(detail, MAX_DETAIL),
  }
}

/** The state if DANE applies to no host of the plan that can be tried. */
function withoutDane(policies: readonly HostPolicy[], at: Instant): DaneState | undefined {
  const isDane = policies.some(({ kind }) => kind === 'authenticate' || kind === 'encrypt')
  const first = policies.find((policy) => policy.kind === 'opportunistic')
  if (isDane || first === undefined) return undefined
  return { kind: 'no-dane', at, reason: first.reason, phrase: phraseOf(first.reason) }
}

/** The same of hosts that another plugin chose; some are beyond DANE whatever DNS says. */
function routedState(hosts: readonly RoutedHost[], at: Instant): DaneState | undefined {
  const plans = hosts.flatMap(({ says }) => (says.kind === 'planned' ? [says.plan] : []))
  const exempt = hosts.find(({ says }) => says.kind === 'exempt')?.says
  if (plans.length > 0 || exempt?.kind !== 'exempt') return withoutDane(policiesOf(plans), at)
  if (exempt.why !== 'address') return { kind: 'not-enforced', at }
  const reason = 'address-literal'
  return { kind: 'no-dane', at, reason, phrase: phraseOf(reason) }
}

function policiesOf(hosts: readonly HostPlan[]): readonly HostPolicy[] {
  return hosts.map(({ policy }) => policy)
}

function rowOf(destination: string, { dane, planned, success, refusal }: Known): RowFacts {
  return {
    destination,
    dane,
    hosts: hostsOf(planned),
    plannedAt: planned?.at ?? 0,
    isRouted: planned?.kind === 'routed',
    lastSuccess: success,
    lastRefusal: refusal,
  }
}

function hostsOf(planned: Planned | undefined): readonly string[] {
  if (planned === undefined) return []
  const names =
    planned.kind === 'routed'
      ? planned.hosts.map(({ host }) => host)
      : planned.plan.hosts
          .toSorted((a, b) => a.preference - b.preference)
          .map(({ exchange }) => exchange)
  return names.slice(0, MAX_HOSTS).map((each) => printable(each))
}

/** Hosts come and go with the plans, so the one that was tried first is dropped. */
function keepAttempt({ attempts }: Known, host: string, attempted: Attempted): void {
  attempts.delete(host)
  attempts.set(host, attempted)
  if (attempts.size <= MAX_HOSTS) return
  for (const oldest of attempts.keys()) {
    attempts.delete(oldest)
    return
  }
}

const UNKNOWN: DaneState = { kind: 'unknown' }

/** Destinations that a process remembers: about 15 MB if each has a plan with two hosts. */
export const MAX_KNOWN = 5_000

const MAX_DETAIL = 400
