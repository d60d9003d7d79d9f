/**
 * Looks at one domain as a delivery would: the plan, then every address of every host.
 *
 * Plan and verdict are those of a delivery (enforce/). A connection is made to every
 * address of every host of which DANE demands something. One walk through DNS serves
 * both policies: `opportunistic` needs every answer that `mandatory` needs. The plan is
 * the one that the policy in force would have come to; the other policy is shown by the
 * same answers.
 *
 * Yields each `Step` as soon as it is known and returns the whole `Report`. All
 * addresses are connected to at the same time, and reported in order. Never rejects for
 * what the network does.
 */
import { Allowance, createJudges, judgeInFull } from '../enforce/judge.js'
import { DEADLINE_MS, demandsTls, inTime, planBoth, planRelay, planUnder } from '../enforce/plan.js'
import type { PlanOptions, TlsDemand } from '../enforce/plan.js'
import type { CachedResolver } from '../lookup.js'
import type { Discovery, HostPolicy, HostPlan, Plan } from '../plan.js'
import type { EnforcedPolicy } from '../policy.js'
import { showChain } from './shown-certificate.js'
import type { CachedProbe } from './probe-cache.js'
import { outcomeOf, verdictOf } from './report/conclude.js'
import type {
  AddressReport,
  Connection,
  HostReport,
  Question,
  Report,
  Step,
} from './report/report.js'

export type InvestigationParts = {
  readonly resolver: CachedResolver
  readonly probe: CachedProbe
  /** Milliseconds since the epoch. */
  readonly now: () => number
}

export async function* investigate(
  parts: InvestigationParts,
  question: Question,
): AsyncGenerator<Step, Report> {
  const discovery = await discover(parts, question)
  yield { kind: 'routed', discovery }
  const hosts: HostReport[] = []
  if (discovery.kind === 'plan') {
    const strict = planUnder(discovery, optionsOf(question, 'mandatory'))
    const pending = discovery.hosts.map((host) => connectAll(parts, question, discovery, host))
    for (const [index, plan] of discovery.hosts.entries()) {
      const demands = {
        opportunistic: plan.policy,
        mandatory: strict.hosts[index]?.policy ?? plan.policy,
      }
      const demand = demands[question.judgedAs]
      yield { kind: 'host', index, plan: discovery, host: plan, demand }
      const addresses = yield* inOrder(plan, demand, pending[index] ?? [])
      hosts.push({ plan, demands, addresses })
    }
  }
  return {
    question,
    instant: parts.now(),
    discovery,
    hosts,
    ...verdictOf(discovery, hosts, question.judgedAs),
    mail: {
      opportunistic: outcomeOf(discovery, hosts, 'opportunistic'),
      mandatory: outcomeOf(discovery, hosts, 'mandatory'),
    },
  }
}

/** The answers that the policy in force comes to, as a plan for opportunistic. */
async function discover({ resolver }: InvestigationParts, question: Question): Promise<Discovery> {
  const options = optionsOf(question, 'opportunistic')
  if (question.isHost) {
    const strict = optionsOf(question, question.judgedAs)
    const { route, host } = await inTime(resolver, DEADLINE_MS, (timed) =>
      planRelay(timed, question.domain, strict),
    )
    return planUnder({ kind: 'plan', route, hosts: [host] }, options)
  }
  const plans = await inTime(resolver, DEADLINE_MS, (timed) =>
    planBoth(timed, question.domain, options),
  )
  const chosen = plans[question.judgedAs]
  return chosen.kind === 'plan' ? planUnder(chosen, options) : chosen
}

type PendingConnection = {
  readonly address: string
  readonly connection: Promise<Connection>
  readonly isTried: boolean
}

async function* inOrder(
  host: HostPlan,
  demand: HostPolicy,
  pending: readonly PendingConnection[],
): AsyncGenerator<Step, readonly AddressReport[]> {
  const reports: AddressReport[] = []
  for (const [index, { address, connection, isTried }] of pending.entries()) {
    if (isTried) yield { kind: 'connecting', index, host, address }
    const report = { address, connection: await connection }
    reports.push(report)
    yield { kind: 'address', host, demand, report }
  }
  return reports
}

/** Starts the connections; there are none to a host of which nothing is demanded. */
function connectAll(
  parts: InvestigationParts,
  question: Question,
  { route }: Plan,
  host: HostPlan,
): readonly PendingConnection[] {
  const { policy } = host
  if (!demandsTls(policy) || !question.isConnecting) {
    return host.addresses.map((address) => ({
      address,
      isTried: false,
      connection: Promise.resolve({ kind: 'not-tried' }),
    }))
  }
  const target = {
    demand: { policy, route, host, options: optionsOf(question, 'opportunistic') },
    // That of a delivery to this host alone, and so its verdicts.
    allowance: new Allowance(),
  }
  return host.addresses.map((address) => ({
    address,
    isTried: true,
    connection: connect(parts, target, address),
  }))
}

type Target = { readonly demand: TlsDemand; readonly allowance: Allowance }

async function connect(
  { resolver, probe, now }: InvestigationParts,
  { demand, allowance }: Target,
  address: string,
): Promise<Connection> {
  const { policy, options } = demand
  const probed = await probe(address, options.port, policy.tlsaBase)
  if (probed.kind === 'no-route') return probed
  if (probed.kind === 'refused') return { ...probed, kind: 'failed' }
  const { chain, kind: _, ...known } = probed
  const session = { ...known, shown: showChain(chain) }
  let isRolledOver = false
  const onRollover = (): void => {
    isRolledOver = true
  }
  const parts = { resolver, deadlineMs: DEADLINE_MS, allowance, now, onRollover }
  const verdict = await judgeInFull(createJudges(parts, demand), chain)
  return verdict.kind === 'refused'
    ? { kind: 'refused', session, reason: verdict.reason, detail: verdict.detail }
    : { kind: 'passed', session, verdict, isRolledOver }
}

function optionsOf({ insecureMx, port }: Question, policy: EnforcedPolicy): PlanOptions {
  return { policy, insecureMx, port }
}
