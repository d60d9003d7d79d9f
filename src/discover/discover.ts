/**
 * What does DANE require of each host that accepts mail for this destination?
 *
 * The only orchestration of the lookups, used by deliveries, the command line and the
 * tests. First MX, then for all hosts in parallel the addresses and after them the TLSA
 * records (RFC 7672 §2.2), at most three rounds of queries without aliases. decide.ts
 * draws the conclusions. Of a longer list the first `MAX_HOSTS` are looked up, and as many
 * more while none of those can be used; the rest have their turn when none of these takes
 * the message, and those beyond `MOST_HOSTS` never.
 *
 * Network failures do not reject. Effects: queries its resolver.
 */
import type { Resolver } from '../lookup.js'
import type { DomainName } from '../name.js'
import type { Discovery, HostFacts, HostPlan, HostPolicy, MailHost, Plan, Route } from '../plan.js'
import type { EnforcedPolicy, InsecureMx } from '../policy.js'
import { decide } from './decide.js'
import type { Circumstances } from './decide.js'
import { discoverHost } from './host.js'
import { discoverRoute, MAX_HOSTS, MOST_HOSTS, stale } from './route.js'
import { discoverTlsa } from './tlsa-rrset.js'

export type DiscoverOptions = {
  readonly policy: EnforcedPolicy
  readonly insecureMx: InsecureMx
  /** 1 to 65535: the port that will be connected to, and so the TLSA prefix (RFC 7672 §2.2.3). */
  readonly port: number
}

/** The plan for a recipient's domain. */
export async function discover(
  resolver: Resolver,
  nextHop: DomainName,
  options: DiscoverOptions,
): Promise<Discovery> {
  const found = await discoverRoute(resolver, nextHop)
  if (found.kind !== 'route') return found
  const { route } = found
  const planned = await planHosts(resolver, route, found.hosts.slice(0, MOST_HOSTS), options)
  // RFC 5321 §5.1: DNS has neither MX nor address records, and no lookup failed.
  const isWithoutAddress = planned.hosts.every(({ facts }) => facts.kind === 'no-address')
  if (route.kind === 'implicit-mx' && isWithoutAddress) {
    const detail = `${nextHop} has neither MX nor address records`
    if (route.isStale) return stale(detail)
    return { kind: 'undeliverable', reason: 'no-mail-host', detail }
  }
  const omittedHosts = Math.max(0, found.hosts.length - MOST_HOSTS)
  return { kind: 'plan', route, ...planned, ...(omittedHosts > 0 && { omittedHosts }) }
}

/** The plan for the hosts that have their turn after those of this plan. */
export async function discoverLater(
  resolver: Resolver,
  { route, laterHosts = [] }: Plan,
  options: DiscoverOptions,
): Promise<Plan> {
  return { kind: 'plan', route, ...(await planHosts(resolver, route, laterHosts, options)) }
}

/**
 * The plan for a host that the operator chose instead of the MX records. The choice itself
 * is trusted; DANE applies to the host (RFC 7672 §2.2.2).
 *
 * @param address the address to connect to, if the operator chose that too
 */
export async function discoverRelay(
  resolver: Resolver,
  relay: DomainName,
  options: DiscoverOptions,
  address?: string,
): Promise<{ readonly route: Route; readonly host: HostPlan }> {
  const route: Route = {
    kind: 'relay',
    nextHop: relay,
    expandedNextHop: relay,
    security: 'secure',
  }
  const host: MailHost = { kind: 'name', exchange: relay, preference: 0 }
  const plan = await discoverHostPlan(resolver, route, host, options)
  if (address === undefined) return { route, host: plan }
  if (plan.facts.kind !== 'no-address') return { route, host: { ...plan, addresses: [address] } }
  // The operator provided its address; its TLSA records are looked up anyway.
  const facts: HostFacts = {
    kind: 'reachable',
    addresses: [address],
    security: 'secure',
    tlsaBases: [relay],
  }
  const decision = await decideHost(resolver, route, facts, options)
  return { route, host: { ...plan, addresses: [address], facts, ...decision } }
}

/** The policy of a host after a new lookup of its TLSA records; other facts are kept. */
export async function rediscoverTlsa(
  resolver: Resolver,
  route: Route,
  { facts }: HostPlan,
  options: DiscoverOptions,
): Promise<HostPolicy> {
  return (await decideHost(resolver, route, facts, options)).policy
}

/**
 * Decides a plan made for opportunistic DANE again under a stricter policy, from the same
 * facts: mandatory never needs more.
 */
export function redecide({ route, hosts, ...rest }: Plan, options: DiscoverOptions): Plan {
  const underPolicy = (host: HostPlan): HostPlan => {
    const { facts, tlsa } = host
    return { ...host, policy: decided({ ...options, route, host: facts, tlsa }) }
  }
  return { ...rest, route, hosts: hosts.map(underPolicy) }
}

/** The first `MAX_HOSTS`, and as many more while none of those can be used. */
async function planHosts(
  resolver: Resolver,
  route: Route,
  list: readonly MailHost[],
  options: DiscoverOptions,
): Promise<Pick<Plan, 'hosts' | 'laterHosts'>> {
  const hosts: HostPlan[] = []
  while (hosts.length < list.length) {
    const next = list.slice(hosts.length, hosts.length + MAX_HOSTS)
    hosts.push(
      ...(await Promise.all(next.map((host) => discoverHostPlan(resolver, route, host, options)))),
    )
    if (hosts.some(({ policy }) => policy.kind !== 'unreachable')) break
  }
  const laterHosts = list.slice(hosts.length)
  return { hosts, ...(laterHosts.length > 0 && { laterHosts }) }
}

async function discoverHostPlan(
  resolver: Resolver,
  route: Route,
  { kind, exchange, preference }: MailHost,
  options: DiscoverOptions,
): Promise<HostPlan> {
  const facts: HostFacts =
    kind === 'literal'
      ? { kind: 'literal', addresses: [exchange] }
      : await discoverHost(resolver, exchange)
  const addresses = 'addresses' in facts ? facts.addresses : []
  const { policy, tlsa } = await decideHost(resolver, route, facts, options)
  const later = facts.kind === 'reachable' ? facts.laterAddresses : undefined
  const laterAddresses = later && { laterAddresses: later }
  return { exchange, preference, addresses, ...laterAddresses, facts, policy, tlsa }
}

/** Looks up TLSA records if the decision depends on them. */
async function decideHost(
  resolver: Resolver,
  route: Route,
  facts: HostFacts,
  options: DiscoverOptions,
): Promise<Pick<HostPlan, 'policy' | 'tlsa'>> {
  const { policy, insecureMx, port } = options
  const first = decide({ policy, insecureMx, route, host: facts, tlsa: undefined })
  if (first.kind !== 'needs-tlsa') return { policy: first, tlsa: undefined }

  const bases = facts.kind === 'reachable' ? facts.tlsaBases : []
  const tlsa = await discoverTlsa(resolver, port, bases)
  return { policy: decided({ policy, insecureMx, route, host: facts, tlsa }), tlsa }
}

function decided(circumstances: Circumstances): HostPolicy {
  const policy = decide(circumstances)
  if (policy.kind === 'needs-tlsa') throw new Error('decide needs TLSA records that it was given')
  return policy
}
