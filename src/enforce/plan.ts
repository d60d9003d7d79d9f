/**
 * Plans a delivery: what DANE demands of each host, with a deadline and a second look.
 *
 * Haraka's deliveries, the audit and the command line all plan here, so that they
 * cannot disagree. Before a host is passed over, or a message returned, because a
 * cached answer says that something does not exist, DNS is asked again, however new the
 * answer is: it may exist by now, and a resolver may serve what has expired (RFC 8767). If DNS fails then, a cached plan with hosts to try still applies, since its
 * answers have not expired.
 *
 * Promises: all lookups made through `inTime` end by the deadline, whatever the
 * resolver does. Never rejects for what the network does. Effects: one timer.
 */
import {
  discover,
  discoverLater,
  discoverRelay,
  redecide,
  rediscoverTlsa,
} from '../discover/discover.js'
import type { DiscoverOptions } from '../discover/discover.js'
import type { CachedResolver, Failed, Resolver } from '../lookup.js'
import type { DomainName } from '../name.js'
import type {
  AuthenticateHost,
  Discovery,
  EncryptHost,
  HostPlan,
  HostPolicy,
  Plan,
  Route,
} from '../plan.js'
import type { EnforcedPolicy, Policy } from '../policy.js'
import { isAbsence } from '../reason.js'

/** The operator's options, and the port that will be connected to. */
export type PlanOptions = DiscoverOptions

/** A resolver whose lookups end at a deadline. */
export type TimedResolver = {
  /** Answers from the cache where it can. */
  readonly cached: Resolver
  /** Ignores the cache. */
  readonly fresh: Resolver
}

/** What a host has to show before mail goes there, and what that was concluded from. */
export type TlsDemand = {
  readonly policy: AuthenticateHost | EncryptHost
  readonly route: Route
  readonly host: HostPlan
  readonly options: PlanOptions
}

/** One host that the operator or another plugin chose. */
export type RelayPlan = { readonly route: Route; readonly host: HostPlan }

/** The deadline of a delivery by default: two thirds of what Haraka allows a hook. */
export const DEADLINE_MS = 20_000

/** The policy that a destination is judged by: audit and none, as if they were opportunistic. */
export function judgedAs(policy: Policy): EnforcedPolicy {
  return policy === 'mandatory' ? 'mandatory' : 'opportunistic'
}

export function demandsTls(policy: HostPolicy): policy is AuthenticateHost | EncryptHost {
  return policy.kind === 'authenticate' || policy.kind === 'encrypt'
}

/**
 * Does `work` with a resolver whose lookups end, as failures, when the deadline has
 * passed: a host that is slow to look up does not take time from the others.
 * A cached answer costs neither a timer nor a race.
 */
export async function inTime<T>(
  resolver: CachedResolver,
  deadlineMs: number,
  work: (resolver: TimedResolver) => Promise<T>,
): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  let late: Promise<Failed> | undefined
  // Set by the first lookup that has to wait; before that no time has passed.
  const deadline = (): Promise<Failed> =>
    (late ??= new Promise((resolve) => {
      timer = setTimeout(() => {
        const detail = `the lookups took longer than ${deadlineMs} ms`
        resolve({ kind: 'failed', cause: 'timeout', detail, extendedErrors: [] })
      }, deadlineMs)
    }))
  try {
    return await work({
      cached: {
        lookup: (name, type) => {
          const fact = resolver.remembered?.(name, type)
          return fact
            ? Promise.resolve(fact)
            : Promise.race([resolver.lookup(name, type), deadline()])
        },
      },
      fresh: {
        lookup: (name, type) => Promise.race([resolver.refresh(name, type), deadline()]),
      },
    })
  } finally {
    clearTimeout(timer)
  }
}

/** The plan for a recipient's domain. */
export async function planDomain(
  { cached, fresh }: TimedResolver,
  name: DomainName,
  options: PlanOptions,
): Promise<Discovery> {
  const first = await discover(cached, name, options)
  if (!isSomethingMissing(first)) return first
  return better(first, await discover(fresh, name, options))
}

/** The plan for the hosts that have their turn after those of this plan. */
export async function planLater(
  { cached, fresh }: TimedResolver,
  plan: Plan,
  options: PlanOptions,
): Promise<Plan> {
  const first = await discoverLater(cached, plan, options)
  if (!isSomethingMissing(first)) return first
  const again = await discoverLater(fresh, plan, options)
  return better(first, again)
}

/**
 * The plan for a recipient's domain under each policy, as `planDomain` would make it,
 * from one walk through DNS: opportunistic needs every answer that mandatory needs.
 */
export async function planBoth(
  { cached, fresh }: TimedResolver,
  name: DomainName,
  options: Omit<PlanOptions, 'policy'>,
): Promise<Readonly<Record<EnforcedPolicy, Discovery>>> {
  const walk = async (resolver: Resolver): Promise<Readonly<Record<EnforcedPolicy, Discovery>>> => {
    const found = await discover(resolver, name, { ...options, policy: 'opportunistic' })
    const strict =
      found.kind === 'plan' ? planUnder(found, { ...options, policy: 'mandatory' }) : found
    return { opportunistic: found, mandatory: strict }
  }
  const first = await walk(cached)
  const isMissing = {
    opportunistic: isSomethingMissing(first.opportunistic),
    mandatory: isSomethingMissing(first.mandatory),
  }
  if (!isMissing.opportunistic && !isMissing.mandatory) return first
  const again = await walk(fresh)
  const under = (policy: EnforcedPolicy): Discovery =>
    isMissing[policy] ? better(first[policy], again[policy]) : first[policy]
  return { opportunistic: under('opportunistic'), mandatory: under('mandatory') }
}

/** A plan of `planBoth` under another policy, from the same answers. */
export function planUnder(plan: Plan, options: PlanOptions): Plan {
  return redecide(plan, options)
}

/**
 * The plan for a host that takes the place of the MX records.
 *
 * @param address the one to connect to, where that was chosen as well
 */
export async function planRelay(
  { cached, fresh }: TimedResolver,
  name: DomainName,
  options: PlanOptions,
  address?: string,
): Promise<RelayPlan> {
  const first = await discoverRelay(cached, name, options, address)
  return isMissing(first.host) ? discoverRelay(fresh, name, options, address) : first
}

/** What DANE demands of a host by the TLSA records that DNS has now. */
export function currentPolicy(
  { fresh }: TimedResolver,
  { route, host, options }: TlsDemand,
): Promise<HostPolicy> {
  return rediscoverTlsa(fresh, route, host, options)
}

/** Of a cached plan with something missing and a new one: the new one, unless DNS failed. */
function better<T extends Discovery>(first: T, again: T): T {
  return isUseful(first) && !isUseful(again) ? first : again
}

/** Whether something that does not exist, as opposed to something that failed, keeps mail back. */
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

function isMissing({ policy }: HostPlan): boolean {
  return policy.kind === 'unreachable' && isAbsence(policy.reason)
}

/** Whether there is a host to try. */
function isUseful(discovery: Discovery): boolean {
  return (
    discovery.kind === 'plan' && discovery.hosts.some(({ policy }) => policy.kind !== 'unreachable')
  )
}
