/**
 * Decides for one message as each of the enforced policies would.
 *
 * With the same functions that decide for a delivery (attempt/decision.ts,
 * attempt/routes.ts), so that the audit cannot differ from what enforcing would do.
 */
import { inTime, planBoth } from '../../enforce/plan.js'
import type { EnforcedPolicy } from '../../policy.js'
import type { Attempt } from '../attempt/attempt.js'
import { decideByDiscovery, decideWithoutName } from '../attempt/decision.js'
import type { Decision } from '../attempt/decision.js'
import { readHops } from '../attempt/next-hop.js'
import { decideByRoute } from '../attempt/routes.js'
import type { Mx } from '../host.js'

/** Undefined: the policy would leave the message alone. */
export type BothDecisions = Readonly<Record<EnforcedPolicy, Decision | undefined>>

/** By the recipients' domain. */
export async function decisionsByName(attempt: Attempt): Promise<BothDecisions> {
  const { destination, parts } = attempt
  if (destination.kind !== 'domain') {
    const decision = decideWithoutName(destination)
    return {
      opportunistic: destination.kind === 'literal' ? undefined : decision,
      mandatory: decision,
    }
  }
  const { insecureMx, port } = parts.settings
  const { opportunistic, mandatory } = await inTime(parts.resolver, parts.deadlineMs, (resolver) =>
    planBoth(resolver, destination.name, { insecureMx, port }),
  )
  if (opportunistic.kind === 'plan') {
    attempt.report({ kind: 'plan', policy: 'audit', plan: opportunistic })
  }
  return {
    opportunistic: decideByDiscovery(parts, 'opportunistic', opportunistic, destination.text),
    mandatory: decideByDiscovery(parts, 'mandatory', mandatory, destination.text),
  }
}

/** By the hosts that another plugin chose. */
export async function decisionsByRoute(
  attempt: Attempt,
  mxs: readonly Mx[],
): Promise<BothDecisions> {
  const { destination, parts } = attempt
  switch (parts.settings.routes) {
    case 'skip':
      return { opportunistic: undefined, mandatory: undefined }
    case 'defer': {
      const decision = attempt.deferredRoute()
      return { opportunistic: decision, mandatory: decision }
    }
    case 'dane': {
      const hops = readHops(mxs, parts.settings.port)
      const under = async (policy: EnforcedPolicy): Promise<Decision> => {
        const route = hops.map((hop) => ({ hop, policy }))
        const { decision } = await decideByRoute(parts, route, destination)
        return decision
      }
      return {
        opportunistic: await under('opportunistic'),
        mandatory: await under('mandatory'),
      }
    }
  }
}
