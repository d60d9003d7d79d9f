/**
 * Draws the conclusions: the verdict on the domain, and what happens to a message.
 *
 * `verdictOf` is strict: a domain is verified if every host is, at every address that
 * this machine has a route to, over a secure MX record. One host without DANE is enough
 * for `no-dane`, since an attacker on the path can block the other hosts. `outcomeOf` is
 * what a delivery would do now: the most preferred host that can be used, hosts of equal
 * preference in any order.
 *
 * What is wrong outweighs what is missing, and both outweigh what could not be determined
 * (a failing resolver, a host that cannot be reached). Pure.
 */
import type { Discovery, EncryptHost, Plan } from '../../plan.js'
import type { EnforcedPolicy } from '../../policy.js'
import { mostSpecific } from '../../reason.js'
import type { NoDaneReason, Reason } from '../../reason.js'
import type { AddressReport, Cause, DomainVerdict, HostReport, MailOutcome } from './report.js'

/** How far a host got under one policy. */
export type HostStanding =
  | { readonly kind: 'verified' | 'published' }
  /** Mail goes there without DANE, as the policy allows. */
  | { readonly kind: 'unprotected'; readonly cause: Cause }
  /** Something is wrong at one or more of its addresses. */
  | { readonly kind: 'refused'; readonly cause: Cause }
  /** A lookup failed or an address cannot be reached, and the domain need not be the cause. */
  | { readonly kind: 'unknown'; readonly cause: Cause }

export function standingOf(
  host: HostReport,
  { route }: Plan,
  policy: EnforcedPolicy,
): HostStanding {
  const { exchange } = host.plan
  const demand = host.demands[policy]
  switch (demand.kind) {
    case 'unreachable': {
      const { reason, detail } = demand
      return { kind: kindOf(reason), cause: { reason, host: exchange, detail } }
    }
    case 'opportunistic':
      return { kind: 'unprotected', cause: { reason: demand.reason, host: exchange, detail: '' } }
    case 'encrypt': {
      const cause = worstOf(host)
      if (cause) return { kind: kindOf(cause.reason), cause }
      return { kind: 'unprotected', cause: unusableCause(exchange, demand) }
    }
    case 'authenticate': {
      const cause = worstOf(host)
      if (cause) return { kind: kindOf(cause.reason), cause }
      // RFC 7672 §2.2.1: a host found through an insecure MX record is no success for the domain.
      if (route.security === 'insecure') {
        const detail = `the MX lookup of ${route.nextHop} is insecure`
        return { kind: 'unprotected', cause: { reason: 'mx-insecure', host: exchange, detail } }
      }
      return { kind: host.addresses.some(hasPassed) ? 'verified' : 'published' }
    }
  }
}

export function verdictOf(
  discovery: Discovery,
  hosts: readonly HostReport[],
  policy: EnforcedPolicy,
): { readonly verdict: DomainVerdict; readonly cause: Cause | undefined } {
  if (discovery.kind !== 'plan') {
    const { reason, detail } = discovery
    const verdict = UNKNOWN.has(reason) ? 'undetermined' : 'refused'
    return { verdict, cause: { reason, host: undefined, detail } }
  }
  const standings = hosts.map((host) => standingOf(host, discovery, policy))
  const causes = standings.flatMap((each) => ('cause' in each ? [each.cause] : []))
  for (const verdict of ['refused', 'no-dane', 'undetermined'] as const) {
    const cause = mostSpecific(causes.filter(({ reason }) => verdictFor(reason) === verdict))
    if (cause) return { verdict, cause }
  }
  const isTried = standings.every(({ kind }) => kind === 'verified')
  return { verdict: isTried ? 'verified' : 'published', cause: undefined }
}

export function outcomeOf(
  discovery: Discovery,
  hosts: readonly HostReport[],
  policy: EnforcedPolicy,
): MailOutcome {
  if (discovery.kind !== 'plan') {
    const { kind, reason, detail } = discovery
    const cause = { reason, host: undefined, detail }
    const action = kind === 'undeliverable' ? 'return' : 'defer'
    return { action, host: undefined, cause, exposure: undefined }
  }
  const offers = hosts.map((host) => offerOf(host, discovery, policy))
  const taking = offers.flatMap((offer) => (offer.action === 'none' ? [] : [offer]))
  const best = Math.min(...taking.map(({ preference }) => preference))
  const first = taking.filter(({ preference }) => preference === best)
  const exposed = taking.find(({ action }) => action === 'fallback')
  // Of equal preference any may be tried first, so the worst of them is the one to report.
  const taker = first.find(({ action }) => action === 'fallback') ?? first[0]
  if (taker === undefined) {
    const causes = offers.flatMap((offer) => (offer.action === 'none' ? [offer.cause] : []))
    return { action: 'defer', host: undefined, cause: mostSpecific(causes), exposure: undefined }
  }
  const { action, host, cause } = taker
  const exposure = action === 'fallback' ? undefined : exposed?.cause
  return { action, host, cause, exposure }
}

/** What one host does with a message when it is tried. */
type Offer = Taking | { readonly action: 'none'; readonly cause: Cause }

type Taking = {
  readonly action: 'verified' | 'verify' | 'fallback'
  readonly host: string
  readonly preference: number
  readonly cause: Cause | undefined
}

function offerOf(host: HostReport, plan: Plan, policy: EnforcedPolicy): Offer {
  const { exchange, preference } = host.plan
  const standing = standingOf(host, plan, policy)
  const taking = { host: exchange, preference }
  switch (standing.kind) {
    case 'verified':
      return { ...taking, action: 'verified', cause: undefined }
    case 'published':
      return { ...taking, action: 'verify', cause: undefined }
    case 'unprotected':
      return { ...taking, action: 'fallback', cause: standing.cause }
    case 'unknown':
    case 'refused': {
      const { cause } = standing
      const demand = host.demands[policy]
      // One address that passes is enough for a delivery, if the host may be used at all.
      if (demand.kind === 'unreachable' || !host.addresses.some(hasPassed)) {
        return { action: 'none', cause }
      }
      if (demand.kind === 'encrypt') {
        return { ...taking, action: 'fallback', cause: unusableCause(exchange, demand) }
      }
      return demand.kind === 'authenticate' && plan.route.security === 'secure'
        ? { ...taking, action: 'verified', cause: undefined }
        : { ...taking, action: 'fallback', cause }
    }
  }
}

function unusableCause(host: string, { unusable }: EncryptHost): Cause {
  const detail = `none of the ${unusable.length} TLSA records is usable`
  return { reason: 'tlsa-unusable', host, detail }
}

/** The most specific thing that is wrong at the host's addresses, if anything is. */
function worstOf({ plan, addresses }: HostReport): Cause | undefined {
  const wrong = addresses.flatMap((each) => causeOf(plan.exchange, each) ?? [])
  if (wrong.length > 0 || addresses.some(hasPassed)) {
    return mostSpecific(wrong.filter(({ reason }) => !UNKNOWN.has(reason))) ?? mostSpecific(wrong)
  }
  const [unreached] = addresses.flatMap(({ address, connection }) =>
    connection.kind === 'no-route' ? [{ address, detail: connection.detail }] : [],
  )
  return (
    unreached && {
      reason: 'connection-failed',
      host: place(plan.exchange, unreached.address),
      detail: unreached.detail,
    }
  )
}

function causeOf(exchange: string, { address, connection }: AddressReport): Cause | undefined {
  if (connection.kind !== 'failed' && connection.kind !== 'refused') return undefined
  const { reason, detail } = connection
  return { reason, host: place(exchange, address), detail }
}

function hasPassed({ connection }: AddressReport): boolean {
  return connection.kind === 'passed'
}

function place(exchange: string, address: string): string {
  return `${exchange} [${address}]`
}

function kindOf(reason: Reason): 'unknown' | 'refused' {
  return UNKNOWN.has(reason) ? 'unknown' : 'refused'
}

/** Whatever the policy makes of it, a host without DANE is not one whose DANE is wrong. */
function verdictFor(reason: Reason): 'refused' | 'no-dane' | 'undetermined' {
  if (UNKNOWN.has(reason)) return 'undetermined'
  return NO_DANE.has(reason) ? 'no-dane' : 'refused'
}

const NO_DANE: ReadonlySet<Reason> = new Set<NoDaneReason>([
  'mx-insecure',
  'address-insecure',
  'address-literal',
  'tlsa-insecure',
  'no-tlsa-record',
  'tlsa-unusable',
])

/** Failures of the resolver, or of the network between; a bogus answer is not one. */
const UNKNOWN: ReadonlySet<Reason> = new Set([
  'connection-failed',
  'mx-lookup-failed',
  'address-lookup-failed',
  'alias-lookup-failed',
  'tlsa-lookup-failed',
  'no-resolver',
])
