/**
 * What is to be done with this message now?
 *
 * From a destination to a `Decision`: which policy holds, what discover finds out,
 * and in which order the hosts are to be tried. routes.ts does the same for hosts
 * that another plugin chose; arms.ts carries decisions out.
 *
 * Promises: all lookups end by `deadlineMs`, whatever the resolver does; hosts of equal
 * preference in random order (RFC 5321 §5.1); a host that demands TLS is left out
 * where outbound.ini switches TLS off.
 */
import { discover } from '../discover/discover.js'
import type { CachedResolver, Lookup, Resolver } from '../lookup.js'
import { parseDomainName } from '../name.js'
import type { DomainName } from '../name.js'
import type {
  AuthenticateHost,
  Discovery,
  EncryptHost,
  EnforcedPolicy,
  HostPlan,
  HostPolicy,
  Policy,
  Route,
} from '../policy.js'
import { isAbsence, worthiest } from '../reason.js'
import { policyFor } from '../settings.js'
import type { Settings } from '../settings.js'
import { printable } from '../text.js'
import type { Hmail, Mx } from './host.js'
import type { Refusal } from '../mail-event.js'

/** Where the message is going, as far as its own envelope says. */
export type Destination =
  | { readonly kind: 'domain'; readonly name: DomainName; readonly text: string }
  | { readonly kind: 'literal' | 'invalid'; readonly text: string }

/** One address to try, as Haraka's MX list will hold it, and what is demanded there. */
export type Candidate = {
  readonly mx: Mx
  /** The MX host's name, or its address where it has none. */
  readonly host: string
  /** Undefined where DANE demands nothing of it. */
  readonly gate: Gate | undefined
}

/** What has to be shown before mail goes through, and what that was concluded from. */
export type Gate = {
  readonly policy: AuthenticateHost | EncryptHost
  readonly route: Route
  readonly plan: HostPlan
  readonly port: number
}

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
  /** Whether outbound.ini lets Haraka use TLS at all. */
  readonly isTlsEnabled: boolean
  /** Milliseconds for all lookups of one message. */
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

/** A recipient that has no domain name: DANE cannot be asked for it (RFC 7672 §2.2). */
export function decideWithoutName({ kind, text }: Destination): Decision {
  const reason = kind === 'literal' ? 'address-literal' : 'invalid-domain'
  const detail = 'the recipient has no domain name that DANE could be asked for'
  return { kind: 'defer', refusal: { reason, host: text, detail }, refusals: [] }
}

/**
 * Everything that is known of the domain, in time. Before a host is passed over, or the
 * message returned, for what is remembered to be missing, DNS is asked again: it may
 * have come since.
 */
export async function discoverInTime(
  { settings, resolver, deadlineMs }: DeliveryParts,
  name: DomainName,
  policy: EnforcedPolicy,
): Promise<Discovery> {
  const { insecureMx, port } = settings
  const options = { policy, insecureMx, port }
  return inTime(deadlineMs, async (limited) => {
    const discovery = await discover(limited(resolver), name, options)
    if (!isSomethingMissing(discovery)) return discovery
    const again = await discover(limited(refreshing(resolver)), name, options)
    // Where DNS fails now, what is known still holds: it has not expired.
    return isUseful(discovery) && !isUseful(again) ? discovery : again
  })
}

/** The resolver past its memory. */
export function refreshing(resolver: CachedResolver): Resolver {
  return { lookup: (name, type) => resolver.refresh(name, type) }
}

/** Whether what DNS does not have, as opposed to what failed, keeps mail back. */
function isSomethingMissing(discovery: Discovery): boolean {
  switch (discovery.kind) {
    case 'undeliverable':
      return true
    case 'unresolved':
      return isAbsence(discovery.reason)
    case 'plan':
      return discovery.hosts.some(isMissing)
  }
}

/** Whether some host may be tried. */
function isUseful(discovery: Discovery): boolean {
  return (
    discovery.kind === 'plan' && discovery.hosts.some(({ policy }) => policy.kind !== 'unreachable')
  )
}

export function isMissing({ policy }: HostPlan): boolean {
  return policy.kind === 'unreachable' && isAbsence(policy.reason)
}

/**
 * Does `work` with resolvers whose lookups end, as failures, when the deadline has
 * passed: a host that is slow to look up costs itself, and not the hosts beside it.
 * What is remembered costs neither a timer nor a race with it.
 */
export async function inTime<T>(
  deadlineMs: number,
  work: (limited: (resolver: Resolver) => Resolver) => Promise<T>,
): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  let late: Promise<Lookup> | undefined
  // Set by the first lookup that has to wait; before that no time has passed.
  const deadline = (): Promise<Lookup> =>
    (late ??= new Promise((resolve) => {
      timer = setTimeout(() => {
        const detail = `the lookups for this message took longer than ${deadlineMs} ms`
        resolve({ kind: 'failed', cause: 'timeout', detail, extendedErrors: [] })
      }, deadlineMs)
    }))
  try {
    return await work((resolver) => ({
      lookup: (name, type) => {
        const fact = resolver.remembered?.(name, type)
        return fact
          ? Promise.resolve(fact)
          : Promise.race([resolver.lookup(name, type), deadline()])
      },
    }))
  } finally {
    clearTimeout(timer)
  }
}

export function decideByDiscovery(
  parts: DeliveryParts,
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
        inOrder(hosts, parts.random).map((plan) => toCandidates(plan, route, { port }, parts)),
        host,
      )
    }
  }
}

/** One host's addresses, ready to be tried, or why it is left out. `mx` is what they have in common. */
export function toCandidates(
  plan: HostPlan,
  route: Route,
  mx: Mx & { readonly port: number },
  { isTlsEnabled }: DeliveryParts,
): readonly Candidate[] | Refusal {
  const { exchange, preference, addresses, policy } = plan
  if (policy.kind === 'unreachable') {
    return { reason: policy.reason, host: exchange, detail: policy.detail }
  }
  if (demandsTls(policy) && !isTlsEnabled) {
    const detail = 'outbound.ini has enable_tls=false, and this host may only be reached over TLS'
    return { reason: 'tls-disabled', host: exchange, detail }
  }
  const gate = demandsTls(policy) ? { policy, route, plan, port: mx.port } : undefined
  return addresses.map((address) => ({
    mx: Object.assign({}, mx, { exchange: address, priority: preference, from_dns: exchange }),
    host: exchange,
    gate,
  }))
}

/** @param host what to blame where no host was found at all */
export function decideByHosts(
  hosts: readonly (readonly Candidate[] | Refusal)[],
  host: string,
): Decision {
  const candidates = hosts.flatMap((entry) => ('reason' in entry ? [] : entry))
  const refusals = hosts.flatMap((entry) => ('reason' in entry ? [entry] : []))
  if (candidates.length > 0) return { kind: 'deliver', candidates, refusals }
  const [first, ...rest] = refusals
  const refusal: Refusal = first
    ? worthiest([first, ...rest])
    : { reason: 'no-address', host, detail: 'no host to deliver to' }
  return { kind: 'defer', refusal, refusals }
}

export function demandsTls(policy: HostPolicy): policy is AuthenticateHost | EncryptHost {
  return policy.kind === 'authenticate' || policy.kind === 'encrypt'
}

/** RFC 5321 §5.1: by preference; hosts of the same preference in random order. */
function inOrder(hosts: readonly HostPlan[], random: () => number): readonly HostPlan[] {
  return hosts
    .map((host) => ({ host, lot: random() }))
    .sort((a, b) => a.host.preference - b.host.preference || a.lot - b.lot)
    .map(({ host }) => host)
}
