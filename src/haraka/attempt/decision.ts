/**
 * Decides what to do with a message: which hosts to try in which order, defer, or return.
 *
 * From a destination and the plan for it (enforce/plan.ts) to a `Decision`. routes.ts
 * does the same for hosts that another plugin chose; enforced-delivery.ts carries
 * decisions out.
 *
 * Promises: hosts of equal preference are tried in random order (RFC 5321 §5.1); a host
 * that must use TLS is left out if outbound.ini disables TLS. Pure, except for the
 * random source that it is given.
 */
import { demandsTls } from '../../enforce/plan.js'
import type { PlanOptions, TlsDemand } from '../../enforce/plan.js'
import type { CachedResolver } from '../../lookup.js'
import type { Refusal } from '../../mail-event.js'
import { parseDomainName } from '../../name.js'
import type { DomainName } from '../../name.js'
import type { Discovery, HostPlan, Route } from '../../plan.js'
import type { EnforcedPolicy, Policy } from '../../policy.js'
import { mostSpecific } from '../../reason.js'
import { policyFor } from '../../settings/settings.js'
import type { Settings } from '../../settings/settings.js'
import { printable } from '../../text.js'
import type { Hmail, Mx } from '../host.js'

/** The recipients' domain, as the envelope has it. */
export type Destination =
  | { readonly kind: 'domain'; readonly name: DomainName; readonly text: string }
  | { readonly kind: 'literal' | 'invalid'; readonly text: string }

/** One address to try, as an entry of Haraka's MX list, and what DANE requires of it. */
export type Candidate = {
  readonly mx: Mx
  /** The MX host's name, or its address if it has none. */
  readonly host: string
  /** Undefined if DANE requires nothing of this host. */
  readonly demand: TlsDemand | undefined
}

/** One host: its addresses are tried, or it is left out. */
export type HostDecision =
  | {
      readonly kind: 'try'
      readonly candidates: readonly Candidate[]
      /** Tried after those of all hosts. */
      readonly later?: readonly Candidate[]
    }
  | { readonly kind: 'left-out'; readonly refusal: Refusal }

export type Decision =
  /** Try these in this order, never empty; `refusals` are the hosts left out. */
  | {
      readonly kind: 'deliver'
      readonly candidates: readonly Candidate[]
      readonly refusals: readonly Refusal[]
    }
  | { readonly kind: 'defer'; readonly refusal: Refusal; readonly refusals: readonly Refusal[] }
  | { readonly kind: 'return'; readonly refusal: Refusal }

export type DeliveryParts = {
  readonly settings: Settings
  readonly resolver: CachedResolver
  /** Whether outbound.ini allows TLS at all. */
  readonly isTlsEnabled: boolean
  /** Milliseconds for all lookups for one message. */
  readonly deadlineMs: number
  /** From 0 inclusive to 1 exclusive. */
  readonly random: () => number
}

export function destinationOf({ todo }: Pick<Hmail, 'todo'>): Destination {
  const { domain } = todo
  const text = printable(String(domain))
  if (typeof domain !== 'string') return { kind: 'invalid', text }
  const name = parseDomainName(domain)
  if (name) return { kind: 'domain', name, text }
  return { kind: domain.startsWith('[') && domain.endsWith(']') ? 'literal' : 'invalid', text }
}

export function policyOf(settings: Settings, destination: Destination): Policy {
  return destination.kind === 'domain'
    ? policyFor(settings, destination.name).policy
    : settings.policy
}

/** For a recipient without a domain name, which cannot have TLSA records (RFC 7672 §2.2). */
export function decideWithoutName({ kind, text }: Destination): Decision {
  const reason = kind === 'literal' ? 'address-literal' : 'invalid-domain'
  const detail = 'the recipient has no domain name, so it cannot have TLSA records'
  return { kind: 'defer', refusal: { reason, host: text, detail }, refusals: [] }
}

/** What the plan of a host depends on: the policy for it, dane.ini and the port. */
export function planOptions(
  { settings }: Pick<DeliveryParts, 'settings'>,
  policy: EnforcedPolicy,
  port: number = settings.port,
): PlanOptions {
  return { policy, insecureMx: settings.insecureMx, port }
}

export function decideByDiscovery(
  parts: DeliveryParts,
  policy: EnforcedPolicy,
  discovery: Discovery,
  host: string,
): Decision {
  switch (discovery.kind) {
    case 'unresolved':
      return { kind: 'defer', refusal: { ...discovery, host }, refusals: [] }
    case 'undeliverable':
      return { kind: 'return', refusal: { ...discovery, host } }
    case 'plan': {
      const { route, hosts } = discovery
      const { port } = parts.settings
      return decideByHosts(
        inOrder(hosts, parts.random).map((each) =>
          toCandidates(parts, { route, host: each }, planOptions(parts, policy), { port }),
        ),
        host,
      )
    }
  }
}

/**
 * One host's addresses, ready to be tried, or why it is left out.
 *
 * @param mx the fields that their entries in Haraka's MX list have in common
 */
export function toCandidates(
  { isTlsEnabled }: DeliveryParts,
  { route, host }: { readonly route: Route; readonly host: HostPlan },
  options: PlanOptions,
  mx: Mx,
): HostDecision {
  const { exchange, preference, addresses, laterAddresses = [], policy } = host
  if (policy.kind === 'unreachable') {
    const { reason, detail } = policy
    return leftOut({ reason, host: exchange, detail })
  }
  if (demandsTls(policy) && !isTlsEnabled) {
    const detail = 'outbound.ini has enable_tls=false, and this host requires TLS'
    return leftOut({ reason: 'tls-disabled', host: exchange, detail })
  }
  const demand = demandsTls(policy) ? { policy, route, host, options } : undefined
  const toCandidate = (address: string): Candidate => ({
    mx: Object.assign({}, mx, { exchange: address, priority: preference, from_dns: exchange }),
    host: exchange,
    demand,
  })
  return {
    kind: 'try',
    candidates: addresses.map(toCandidate),
    later: laterAddresses.map(toCandidate),
  }
}

export function toTry(...candidates: readonly Candidate[]): HostDecision {
  return { kind: 'try', candidates }
}

export function leftOut(refusal: Refusal): HostDecision {
  return { kind: 'left-out', refusal }
}

/** @param host what to name where no host was found at all */
export function decideByHosts(hosts: readonly HostDecision[], host: string): Decision {
  const tried = hosts.filter((each) => each.kind === 'try')
  const candidates = [
    ...tried.flatMap((each) => each.candidates),
    ...tried.flatMap(({ later = [] }) => later),
  ]
  const refusals = hosts.flatMap((each) => (each.kind === 'left-out' ? [each.refusal] : []))
  if (candidates.length > 0) return { kind: 'deliver', candidates, refusals }
  const refusal: Refusal = mostSpecific(refusals) ?? {
    reason: 'no-address',
    host,
    detail: 'no host to deliver to',
  }
  return { kind: 'defer', refusal, refusals }
}

/** RFC 5321 §5.1: by preference; hosts of the same preference in random order. */
function inOrder(hosts: readonly HostPlan[], random: () => number): readonly HostPlan[] {
  return hosts
    .map((host) => ({ host, lot: random() }))
    .sort((a, b) => a.host.preference - b.host.preference || a.lot - b.lot)
    .map(({ host }) => host)
}
