/**
 * What follows for the domain from what its hosts showed, and what for a message?
 *
 * `verdictOf` is strict: a domain is verified if every host is, at every address that
 * this machine can reach, over a secure MX record; one gap is enough, since whoever is
 * on the way can block the rest. `fateOf` is what a delivery would do now: the best
 * preference that has a host to give, hosts of equal preference in any order.
 *
 * What is merely unknown (a resolver that fails) never outweighs what is known to be
 * wrong. Pure.
 */
import type { Discovery, EnforcedPolicy, Plan } from '../../policy.js'
import { worthiest } from '../../reason.js'
import type { Reason } from '../../reason.js'
import type { AddressReport, Cause, DomainVerdict, HostReport, MailFate } from './report.js'

/** How far a host got under one policy. */
export type HostStanding =
  | { readonly kind: 'verified' | 'published' }
  /** Mail goes there without DANE: the policy lets it. */
  | { readonly kind: 'unprotected'; readonly cause: Cause }
  /** Something is wrong at one of its addresses at least. */
  | { readonly kind: 'refused'; readonly cause: Cause }
  /** A lookup failed, and not by the domain's fault. */
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
      const kind = UNKNOWN.has(reason) ? 'unknown' : 'refused'
      return { kind, cause: { reason, at: exchange, detail } }
    }
    case 'opportunistic':
      return { kind: 'unprotected', cause: { reason: demand.reason, at: exchange, detail: '' } }
    case 'encrypt': {
      const cause = worstOf(host)
      if (cause) return { kind: 'refused', cause }
      const detail = `none of the ${demand.unusable.length} TLSA records is usable`
      return { kind: 'unprotected', cause: { reason: 'tlsa-unusable', at: exchange, detail } }
    }
    case 'authenticate': {
      const cause = worstOf(host)
      if (cause) return { kind: 'refused', cause }
      // RFC 7672 §2.2.1: what an insecure MX record led to is no success for the domain.
      if (route.security === 'insecure') {
        const detail = `the MX lookup of ${route.nextHop} is insecure`
        return { kind: 'unprotected', cause: { reason: 'mx-insecure', at: exchange, detail } }
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
    const verdict = UNKNOWN.has(reason) ? 'undetermined' : 'failed'
    return { verdict, cause: { reason, at: undefined, detail } }
  }
  const standings = hosts.map((host) => standingOf(host, discovery, policy))
  const wrong = standings.flatMap((each) =>
    each.kind === 'refused' || each.kind === 'unprotected' ? [each.cause] : [],
  )
  const unknown = standings.flatMap((each) => (each.kind === 'unknown' ? [each.cause] : []))
  const cause = worst(wrong) ?? worst(unknown)
  if (cause) return { verdict: wrong.length > 0 ? 'failed' : 'undetermined', cause }
  const isTried = standings.every(({ kind }) => kind === 'verified')
  return { verdict: isTried ? 'verified' : 'published', cause: undefined }
}

export function fateOf(
  discovery: Discovery,
  hosts: readonly HostReport[],
  policy: EnforcedPolicy,
): MailFate {
  if (discovery.kind !== 'plan') {
    const { kind, reason, detail } = discovery
    const cause = { reason, at: undefined, detail }
    const action = kind === 'undeliverable' ? 'return' : 'defer'
    return { action, host: undefined, cause, exposure: undefined }
  }
  const offers = hosts.map((host) => offerOf(host, discovery, policy))
  const taking = offers.flatMap((offer) => (offer.action === 'none' ? [] : [offer]))
  const best = Math.min(...taking.map(({ preference }) => preference))
  const first = taking.filter(({ preference }) => preference === best)
  const exposed = taking.find(({ action }) => action === 'fallback')
  // Of equal preference any may be the first, so that the worst of them is what mail can count on.
  const taker = first.find(({ action }) => action === 'fallback') ?? first[0]
  if (taker === undefined) {
    const causes = offers.flatMap((offer) => (offer.action === 'none' ? [offer.cause] : []))
    return { action: 'defer', host: undefined, cause: worst(causes), exposure: undefined }
  }
  const { action, host, cause } = taker
  const exposure = action === 'fallback' ? undefined : exposed?.cause
  return { action, host, cause, exposure }
}

/** What one host does with a message that comes to its turn. */
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
      return { action: 'none', cause: standing.cause }
    case 'refused': {
      const { cause } = standing
      const demand = host.demands[policy]
      // One address that passes is enough for a delivery, where the host may be used at all.
      if (demand.kind === 'unreachable' || !host.addresses.some(hasPassed)) {
        return { action: 'none', cause }
      }
      return demand.kind === 'authenticate' && plan.route.security === 'secure'
        ? { ...taking, action: 'verified', cause: undefined }
        : { ...taking, action: 'fallback', cause }
    }
  }
}

/** What is wrong at the host's addresses, if anything is. */
function worstOf({ plan, addresses }: HostReport): Cause | undefined {
  const wrong = addresses.flatMap((each) => causeOf(plan.exchange, each) ?? [])
  if (wrong.length > 0 || addresses.some(hasPassed)) return worst(wrong)
  const [unreached] = addresses.flatMap(({ address, encounter }) =>
    encounter.kind === 'no-route' ? [{ address, detail: encounter.detail }] : [],
  )
  return (
    unreached && {
      reason: 'connection-failed',
      at: place(plan.exchange, unreached.address),
      detail: unreached.detail,
    }
  )
}

function causeOf(exchange: string, { address, encounter }: AddressReport): Cause | undefined {
  if (encounter.kind !== 'failed' && encounter.kind !== 'refused') return undefined
  const { reason, detail } = encounter
  return { reason, at: place(exchange, address), detail }
}

function hasPassed({ encounter }: AddressReport): boolean {
  return encounter.kind === 'passed'
}

function worst(causes: readonly Cause[]): Cause | undefined {
  const [first, ...rest] = causes
  return first && worthiest([first, ...rest])
}

function place(exchange: string, address: string): string {
  return `${exchange} [${address}]`
}

/** What the resolver, or the way to it, could not say. A bogus answer says enough. */
const UNKNOWN: ReadonlySet<Reason> = new Set([
  'mx-lookup-failed',
  'address-lookup-failed',
  'alias-lookup-failed',
  'tlsa-lookup-failed',
  'no-resolver',
])
