/**
 * The plan of a domain by one resolver, in words that can be compared with another's.
 *
 * Addresses and records have no order, and times differ. The reason of a failed lookup
 * may differ too: some resolvers do not say that an answer is bogus. Then the message
 * waits all the same.
 */
import { DEADLINE_MS, inTime, planBoth } from '../../src/enforce/plan.js'
import type { CachedResolver } from '../../src/lookup.js'
import { parseDomainName } from '../../src/name.js'
import type { Discovery, HostPlan, HostPolicy } from '../../src/plan.js'

export type Comparison = 'same' | 'other reason' | 'different'

export type PlanText = {
  /** Short, for people. */
  readonly words: string
  /** All that counts, under both policies. */
  readonly text: string
  readonly details: string
}

/** The plans under opportunistic and mandatory. */
export async function planText(
  resolver: CachedResolver,
  domain: string,
  port: number,
): Promise<PlanText> {
  const name = parseDomainName(domain)
  if (name === undefined) throw new Error(`no domain: ${domain}`)
  const { opportunistic, mandatory } = await inTime(resolver, DEADLINE_MS, (timed) =>
    planBoth(timed, name, { insecureMx: 'dane', port }),
  )
  return {
    words: wordsOf(opportunistic),
    text: `opportunistic ${discoveryText(opportunistic)}; mandatory ${discoveryText(mandatory)}`,
    details: detailsOf(opportunistic),
  }
}

/** What the plan demands, in a few words. */
function wordsOf(discovery: Discovery): string {
  if (discovery.kind !== 'plan') return `${discovery.kind} (${discovery.reason})`
  const { hosts, laterHosts = [], route } = discovery
  const words = new Set(hosts.map(({ policy }) => policyText(policy)))
  const later = laterHosts.length > 0 ? `, ${laterHosts.length} more hosts later` : ''
  return `${route.kind} ${route.security}: ${[...words].join(', ')}${later}`
}

/** Why lookups failed. */
function detailsOf(discovery: Discovery): string {
  if (discovery.kind !== 'plan') return discovery.detail
  const details = discovery.hosts.flatMap(({ policy }) =>
    'detail' in policy ? [policy.detail] : [],
  )
  return details.join('; ')
}

export function compare(plan: string, reference: string): Comparison {
  if (plan === reference) return 'same'
  return coarse(plan) === coarse(reference) ? 'other reason' : 'different'
}

function coarse(plan: string): string {
  return plan.replace(/\b(mx|address|tlsa|alias)-(?:bogus|lookup-failed)\b/g, '$1-failed')
}

function discoveryText(discovery: Discovery): string {
  if (discovery.kind !== 'plan') return `${discovery.kind} (${discovery.reason})`
  const { route, hosts, laterHosts = [] } = discovery
  const shown = `${route.kind} ${route.security} ${route.expandedNextHop}`
  const later = laterHosts.length > 0 ? ` and ${laterHosts.length} later` : ''
  return `${shown}: ${hosts.map(hostText).join(', ')}${later}`
}

function hostText({ exchange, preference, addresses, policy }: HostPlan): string {
  const where = `${preference} ${exchange} [${addresses.toSorted().join(' ')}]`
  const names = policy.kind === 'authenticate' ? ` as ${policy.referenceNames.join(' ')}` : ''
  return `${where} ${policyText(policy)}${names}`
}

function policyText(policy: HostPolicy): string {
  switch (policy.kind) {
    case 'opportunistic':
    case 'unreachable':
      return `${policy.kind} (${policy.reason})`
    case 'encrypt':
      return `encrypt at ${policy.tlsaBase}`
    case 'authenticate':
      return `authenticate by ${policy.records.length} at ${policy.tlsaBase}`
  }
}
