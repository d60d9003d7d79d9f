/**
 * What does DANE demand of each host that takes mail for this destination?
 *
 * The one orchestration: Haraka's deliveries, the command line and the tests all
 * come through here. MX first, then for every host at the same time its addresses
 * and then its TLSA records (RFC 7672 §2.2), at most three rounds of questions
 * where no alias is in the way. decide.ts draws the conclusions.
 *
 * Never rejects for what the network does. Asks only its resolver.
 */
import type { Resolver } from '../lookup.js'
import type { DomainName } from '../name.js'
import type {
  Discovery,
  EnforcedPolicy,
  HostFacts,
  HostPlan,
  HostPolicy,
  InsecureMx,
  Plan,
  Route,
} from '../policy.js'
import { decide } from './decide.js'
import type { Circumstances } from './decide.js'
import { discoverHost } from './host.js'
import { discoverRoute } from './route.js'
import type { MailHost } from './route.js'
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
  const hosts = await Promise.all(
    found.hosts.map((host) => discoverHostPlan(resolver, route, host, options)),
  )
  // RFC 5321 §5.1: neither MX nor address records, and DNS is sure of it.
  if (route.kind === 'implicit-mx' && hosts.every(({ facts }) => facts.kind === 'no-address')) {
    const detail = `${nextHop} has neither MX nor address records`
    return { kind: 'undeliverable', reason: 'no-mail-host', detail }
  }
  return { kind: 'plan', route, hosts }
}

/**
 * The plan for a host that the operator chose instead of the MX records. The choice
 * itself is trusted; DANE is the host's own (RFC 7672 §2.2.2).
 */
export async function discoverRelay(
  resolver: Resolver,
  relay: DomainName,
  options: DiscoverOptions,
): Promise<{ readonly route: Route; readonly host: HostPlan }> {
  const route: Route = {
    kind: 'relay',
    nextHop: relay,
    expandedNextHop: relay,
    security: 'secure',
  }
  const host: MailHost = { kind: 'name', exchange: relay, preference: 0 }
  return { route, host: await discoverHostPlan(resolver, route, host, options) }
}

/**
 * What DANE demands of a host by its TLSA records alone asked anew: the rest of what is
 * known of it stays.
 */
export async function rediscoverTlsa(
  resolver: Resolver,
  route: Route,
  { facts }: HostPlan,
  options: DiscoverOptions,
): Promise<HostPolicy> {
  return (await decideHost(resolver, route, facts, options)).policy
}

/**
 * A plan that was made for opportunistic DANE under a stricter policy, by what was asked
 * for it: mandatory never needs to know more.
 */
export function redecide({ kind, route, hosts }: Plan, options: DiscoverOptions): Plan {
  const underPolicy = (host: HostPlan): HostPlan => {
    const { facts, tlsa } = host
    return { ...host, policy: decided({ ...options, route, host: facts, tlsa }) }
  }
  return { kind, route, hosts: hosts.map(underPolicy) }
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
  return { exchange, preference, addresses, facts, policy, tlsa }
}

/** Asks for TLSA records where the decision hangs on them. */
async function decideHost(
  resolver: Resolver,
  route: Route,
  facts: HostFacts,
  options: DiscoverOptions,
): Promise<Pick<HostPlan, 'policy' | 'tlsa'>> {
  const { policy, insecureMx, port } = options
  const first = decide({ policy, insecureMx, route, host: facts, tlsa: undefined })
  if (first !== 'ask-tlsa') return { policy: first, tlsa: undefined }

  const bases = facts.kind === 'reachable' ? facts.tlsaBases : []
  const tlsa = await discoverTlsa(resolver, port, bases)
  return { policy: decided({ policy, insecureMx, route, host: facts, tlsa }), tlsa }
}

function decided(circumstances: Circumstances): HostPolicy {
  const policy = decide(circumstances)
  if (policy === 'ask-tlsa') throw new Error('decide asked for TLSA records that it was given')
  return policy
}
