/**
 * Plans every domain of names.ts at one resolver, as a delivery would.
 *
 * With the whole of the plugin's DNS side: the probe decides whether the resolver is used
 * at all.
 */
import { assembleResolver } from '../../src/assemble.js'
import type { ProbeResult } from '../../src/lookup.js'
import { parseSettings } from '../../src/settings/settings.js'
import { compare, planText } from './compare.js'
import type { Comparison, PlanText } from './compare.js'
import type { ZooName } from './names.js'

export type Plans = {
  /** By domain. */
  readonly plans: ReadonlyMap<string, PlanText>
  /** What the probe has shown. */
  readonly probe: ProbeResult | undefined
}

/** Who validates: the resolver, which is believed, or the plugin, which believes none. */
export type Validation = 'resolver' | 'own'

export type PlansOptions = {
  readonly port: number
  readonly validation: Validation
  /** Of the laboratory's root, for our own validation. */
  readonly anchorFile: string
  /** With broken signatures, to probe a resolver that is to be believed. */
  readonly bogusName: string
}

export async function plansAt(
  { port, validation, anchorFile, bogusName }: PlansOptions,
  names: readonly ZooName[],
  smtpPort: number,
): Promise<Plans> {
  const settings = parseSettings(
    [
      '[resolver]',
      `server[] = 127.0.0.1:${port}`,
      'timeout = 5s',
      `validation = ${validation}`,
      ...(validation === 'own'
        ? [`trust_anchors = ${anchorFile}`]
        : ['trust = yes', `probe_bogus = ${bogusName}`]),
    ].join('\n'),
  )
  let probe: ProbeResult | undefined
  const resolver = assembleResolver(settings, (event) => {
    if (event.kind === 'resolver') probe = event.result
  })
  try {
    const plans = new Map<string, PlanText>()
    for (const { domain } of names) plans.set(domain, await planText(resolver, domain, smtpPort))
    return { plans, probe }
  } finally {
    resolver.close()
  }
}

/** Whether mail waits by this plan, whatever the policy. */
export function waits({ text }: PlanText): boolean {
  return !/opportunistic \(|encrypt at|authenticate by|undeliverable/.test(text)
}

export type Difference = {
  readonly name: ZooName
  readonly comparison: Comparison
  readonly plan: PlanText
}

export function differences(
  names: readonly ZooName[],
  reference: Plans,
  plans: Plans,
): readonly Difference[] {
  return names.flatMap((name) => {
    const [plan, wanted] = [plans.plans.get(name.domain), reference.plans.get(name.domain)]
    if (plan === undefined || wanted === undefined) throw new Error(`no plan of ${name.domain}`)
    const comparison = compare(plan.text, wanted.text)
    return comparison === 'same' ? [] : [{ name, comparison, plan }]
  })
}
