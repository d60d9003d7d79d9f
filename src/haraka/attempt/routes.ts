/**
 * Decides what DANE requires of next hops that another plugin chose.
 *
 * A route replaces the MX records, as the operator wants. DANE still applies to the
 * connection to the chosen host (RFC 7672 §2.2.2: the same procedure, with the host's own
 * name and the real port). What counts is the next hop, never the form of the recipient's
 * address.
 *
 * - The policy of a hop is the one in [domains] for the host's own name; without an entry,
 *   the stricter of the recipient's policy and the default.
 * - An address with a name in `from_dns` is verified under that name. An anonymous
 *   address has no TLSA records (RFC 7672 §2.2) and the recipient's policy alone.
 * - An entry that Haraka could read in several ways is refused if any policy is enforced
 *   at all.
 * - A host that a plugin took from the MX records of the recipient's own domain comes from
 *   a lookup without validation, so the validated MX records must name it too.
 * - Unix sockets and LMTP are not SMTP, and are left alone.
 *
 * Keeps the order of the other plugin, and says of each hop what DANE says of it.
 */
import { inTime, planDomain, planLater, planRelay } from '../../enforce/plan.js'
import type { PlanOptions, RelayPlan, TimedResolver } from '../../enforce/plan.js'
import type { Exemption, Refusal, RoutedHost } from '../../mail-event.js'
import type { DomainName } from '../../name.js'
import type { Discovery } from '../../plan.js'
import { POLICIES } from '../../policy.js'
import type { EnforcedPolicy, Policy } from '../../policy.js'
import { policyFor } from '../../settings/settings.js'
import type { Settings } from '../../settings/settings.js'
import { decideByHosts, leftOut, planOptions, toCandidates, toTry } from './decision.js'
import type { Candidate, Decision, DeliveryParts, Destination, HostDecision } from './decision.js'
import type { NextHop } from './next-hop.js'

/** A next hop, and the policy that holds for it. */
export type RoutedHop = { readonly hop: NextHop; readonly policy: Policy }

export function routeOf(
  settings: Settings,
  recipients: Policy,
  hops: readonly NextHop[],
): readonly RoutedHop[] {
  return hops.map((hop) => ({ hop, policy: policyOfHop(settings, recipients, hop) }))
}

/** The strictest policy of all hops. */
export function strictestOf(route: readonly RoutedHop[], recipients: Policy): Policy {
  const [first, ...rest] = route.map(({ policy }) => policy)
  return first === undefined ? recipients : rest.reduce(stricter, first)
}

export function isEnforced(policy: Policy): policy is EnforcedPolicy {
  return policy === 'opportunistic' || policy === 'mandatory'
}

export type RouteDecision = {
  readonly decision: Decision
  readonly hosts: readonly RoutedHost[]
}

export async function decideByRoute(
  parts: DeliveryParts,
  route: readonly RoutedHop[],
  destination: Destination,
): Promise<RouteDecision> {
  const [only] = route
  if (route.length === 1 && only?.hop.kind === 'null-mx' && only.hop.learnedFor === undefined) {
    const detail = 'another plugin answered get_mx with a null MX'
    const refusal = { reason: 'null-mx', host: destination.text, detail } as const
    return { decision: { kind: 'return', refusal }, hosts: [] }
  }
  const hops = await inTime(parts.resolver, parts.deadlineMs, (resolver) =>
    Promise.all(
      route.map(async (each) => {
        const { decision, says } = await toHost({ parts, resolver, destination }, each)
        return { decision, host: routedHost(each, says) }
      }),
    ),
  )
  const decisions = hops.map(({ decision }) => decision)
  return {
    decision: decideByHosts(decisions, destination.text),
    hosts: hops.map(({ host }) => host),
  }
}

/** Hops of which DANE says the same. */
export function alike(
  route: readonly RoutedHop[],
  says: RoutedHost['says'],
): readonly RoutedHost[] {
  return route.map((each) => routedHost(each, says))
}

function routedHost({ hop, policy }: RoutedHop, says: RoutedHost['says']): RoutedHost {
  const host = says.kind === 'planned' ? says.plan.exchange : hop.shown
  const port = 'entry' in hop && typeof hop.entry.port === 'number' ? hop.entry.port : undefined
  return { host, port, policy, says }
}

type Setting = {
  readonly parts: DeliveryParts
  readonly resolver: TimedResolver
  readonly destination: Destination
}

/** What becomes of a hop, and what DANE says of it. */
type HopResult = { readonly decision: HostDecision; readonly says: RoutedHost['says'] }

async function toHost(setting: Setting, { hop, policy }: RoutedHop): Promise<HopResult> {
  const { parts, destination } = setting
  const host = hop.shown || destination.text
  switch (hop.kind) {
    case 'unfit':
      return refused({ reason: 'route-deferred', host, detail: hop.detail })
    case 'null-mx': {
      const detail = 'another plugin answered get_mx with a null MX that was not validated'
      return refused({ reason: 'route-deferred', host, detail })
    }
    case 'socket':
    case 'lmtp':
      return exempt({ mx: hop.entry, host, demand: undefined }, hop.kind)
    case 'address':
    case 'name':
      break
  }
  const candidate = { mx: hop.entry, host, demand: undefined }
  if (!isEnforced(policy)) return exempt(candidate, 'policy')
  const { name } = hop
  if (name === undefined) {
    // RFC 7672 §2.2: there is no DANE for an address, so mandatory cannot be met (§6).
    if (policy !== 'mandatory') return exempt(candidate, 'address')
    const detail = 'the route names an address, for which there is no TLSA record'
    return refused({ reason: 'address-literal', host, detail })
  }
  const options = planOptions(parts, policy, hop.entry.port)
  const found = await planHop(setting, { ...hop, name }, options)
  if (found.kind === 'left-out') return refused(found.refusal)
  const { plan } = found
  return {
    decision: toCandidates(parts, plan, options, hop.entry),
    says: { kind: 'planned', plan: plan.host, security: plan.route.security },
  }
}

function refused(refusal: Refusal): HopResult {
  return { decision: leftOut(refusal), says: { kind: 'left-out', refusal } }
}

function exempt(candidate: Candidate, why: Exemption): HopResult {
  return { decision: toTry(candidate), says: { kind: 'exempt', why } }
}

type NamedHop = Extract<NextHop, { kind: 'name' | 'address' }> & { readonly name: DomainName }

type HopPlan =
  | { readonly kind: 'planned'; readonly plan: RelayPlan }
  | Extract<HostDecision, { kind: 'left-out' }>

async function planHop(
  { resolver, destination }: Setting,
  hop: NamedHop,
  options: PlanOptions,
): Promise<HopPlan> {
  const address = hop.kind === 'address' ? hop.address : undefined
  const learnedFor = hop.kind === 'address' ? hop.name : hop.learnedFor
  if (destination.kind === 'domain' && learnedFor === destination.name) {
    const found = await planDomain(resolver, learnedFor, options)
    const discovery = await withHost(resolver, found, hop.name, options)
    const named = namedBy(discovery, hop.name, address)
    if (named.kind !== 'unknown') return named
  }
  return { kind: 'planned', plan: await planRelay(resolver, hop.name, options, address) }
}

/** A plan that has this host, if it is one of those that have their turn later. */
async function withHost(
  resolver: TimedResolver,
  discovery: Discovery,
  name: DomainName,
  options: PlanOptions,
): Promise<Discovery> {
  if (discovery.kind !== 'plan') return discovery
  const laterHosts = discovery.laterHosts?.filter(({ exchange }) => exchange === name) ?? []
  return laterHosts.length === 0
    ? discovery
    : planLater(resolver, { ...discovery, laterHosts }, options)
}

/** Whether the recipient's domain, by validated DNS, has this host that a plugin took from it. */
function namedBy(
  discovery: Discovery,
  name: DomainName,
  address: string | undefined,
): HopPlan | { readonly kind: 'unknown' } {
  switch (discovery.kind) {
    case 'unresolved': {
      const { reason, detail } = discovery
      return { kind: 'left-out', refusal: { reason, host: name, detail } }
    }
    // The plugin has a host where DNS has none: it is checked by its own records.
    case 'undeliverable':
      return { kind: 'unknown' }
    case 'plan': {
      const { route, hosts } = discovery
      const host = hosts.find(({ exchange }) => exchange === name)
      if (host) {
        const chosen =
          address === undefined ? host : { ...host, addresses: [address], laterAddresses: [] }
        return { kind: 'planned', plan: { route, host: chosen } }
      }
      if (route.security === 'insecure') return { kind: 'unknown' }
      const detail = `another plugin took it from DNS, but the validated records of ${route.nextHop} do not name it`
      return { kind: 'left-out', refusal: { reason: 'no-plan', host: name, detail } }
    }
  }
}

function policyOfHop(settings: Settings, recipients: Policy, hop: NextHop): Policy {
  switch (hop.kind) {
    case 'socket':
    case 'lmtp':
    case 'null-mx':
      return recipients
    // It may lead to any host, so the strictest policy in dane.ini may apply.
    case 'unfit':
      return [...settings.domains.values()].reduce<Policy>(
        (strictest, rule) => stricter(strictest, rule.policy),
        stricter(recipients, settings.policy),
      )
    case 'name':
    case 'address':
      if (hop.name === undefined) return recipients
      return policyFor(settings, hop.name).rule?.policy ?? stricter(recipients, settings.policy)
  }
}

function stricter(a: Policy, b: Policy): Policy {
  return POLICIES.indexOf(a) >= POLICIES.indexOf(b) ? a : b
}
