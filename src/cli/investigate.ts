/**
 * What would DANE do with mail to this domain?
 *
 * The delivery's own discover and verify, and a real connection to every address of
 * every host of which DANE demands something. One walk through DNS serves both
 * policies: `opportunistic` asks for all that `mandatory` asks for, and decide draws
 * the conclusions of either from the same facts.
 *
 * Yields each `Step` when it has come to be known and returns the whole `Report`. All
 * addresses are knocked at beside each other, and told of in order. Never rejects for
 * what the network does.
 */
import { decide } from '../discover/decide.js'
import { discover, rediscoverTlsa } from '../discover/discover.js'
import type { CachedResolver } from '../lookup.js'
import type { AuthenticateHost, EncryptHost, HostPlan, HostPolicy, Plan } from '../policy.js'
import type { PeerChain, Verdict } from '../verdict.js'
import { verify, verifyNothing } from '../verify/verify.js'
import type { Knock } from './knock.js'
import { fateOf, verdictOf } from './report/conclude.js'
import type {
  AddressReport,
  Encounter,
  HostReport,
  Question,
  Report,
  Step,
} from './report/report.js'

export type InvestigationParts = {
  readonly resolver: CachedResolver
  readonly knock: Knock
  /** Milliseconds since the epoch. */
  readonly now: () => number
}

export async function* investigate(
  parts: InvestigationParts,
  question: Question,
): AsyncGenerator<Step, Report> {
  const { resolver, now } = parts
  const discovery = await discover(resolver, question.domain, optionsOf(question))
  yield { kind: 'routed', discovery }
  const hosts: HostReport[] = []
  if (discovery.kind === 'plan') {
    const underway = discovery.hosts.map((host) => meetAll(parts, question, discovery, host))
    for (const [index, plan] of discovery.hosts.entries()) {
      const demands = demandsOf(question, discovery, plan)
      const demand = demands[question.judgedAs]
      yield { kind: 'host', index, plan: discovery, host: plan, demand }
      const addresses = yield* inOrder(plan, demand, underway[index] ?? [])
      hosts.push({ plan, demands, addresses })
    }
  }
  return {
    question,
    instant: now(),
    discovery,
    hosts,
    ...verdictOf(discovery, hosts, question.judgedAs),
    mail: {
      opportunistic: fateOf(discovery, hosts, 'opportunistic'),
      mandatory: fateOf(discovery, hosts, 'mandatory'),
    },
  }
}

type Meeting = {
  readonly address: string
  readonly encounter: Promise<Encounter>
  readonly isTried: boolean
}

async function* inOrder(
  host: HostPlan,
  demand: HostPolicy,
  meetings: readonly Meeting[],
): AsyncGenerator<Step, readonly AddressReport[]> {
  const met: AddressReport[] = []
  for (const [index, { address, encounter, isTried }] of meetings.entries()) {
    if (isTried) yield { kind: 'connecting', index, host, address }
    const each = { address, encounter: await encounter }
    met.push(each)
    yield { kind: 'met', host, demand, met: each }
  }
  return met
}

/** What each policy makes of the same facts. */
function demandsOf(question: Question, { route }: Plan, plan: HostPlan): HostReport['demands'] {
  const { insecureMx } = question
  const { facts, tlsa } = plan
  const mandatory = decide({ policy: 'mandatory', insecureMx, route, host: facts, tlsa })
  if (mandatory === 'ask-tlsa') throw new Error('mandatory asks for more than opportunistic')
  return { opportunistic: plan.policy, mandatory }
}

/** Begins to connect; a host of which nothing is demanded is left in peace. */
function meetAll(
  parts: InvestigationParts,
  question: Question,
  plan: Plan,
  host: HostPlan,
): readonly Meeting[] {
  const { policy } = host
  const isDemanding = policy.kind === 'authenticate' || policy.kind === 'encrypt'
  return host.addresses.map((address) =>
    isDemanding && question.isConnecting
      ? { address, isTried: true, encounter: meet(parts, question, plan, host, policy, address) }
      : { address, isTried: false, encounter: Promise.resolve({ kind: 'not-tried' }) },
  )
}

async function meet(
  parts: InvestigationParts,
  question: Question,
  plan: Plan,
  host: HostPlan,
  policy: AuthenticateHost | EncryptHost,
  address: string,
): Promise<Encounter> {
  const probe = await parts.knock(address, question.port, policy.tlsaBase)
  if (probe.kind === 'no-route') return probe
  if (probe.kind === 'refused') return { ...probe, kind: 'failed' }
  const { chain, ...session } = probe
  const first = judge(policy, chain, parts.now())
  const isSecondLook = first.kind === 'refused' && chain !== undefined
  const verdict = isSecondLook ? await judgeAgain(parts, question, plan, host, chain, first) : first
  return verdict.kind === 'refused'
    ? { kind: 'refused', session, reason: verdict.reason, detail: verdict.detail }
    : { kind: 'passed', session, verdict, isRolledOver: verdict !== first }
}

function judge(
  policy: AuthenticateHost | EncryptHost,
  chain: PeerChain | undefined,
  instant: number,
): Verdict {
  return chain ? verify(policy, chain, instant) : verifyNothing()
}

/** As a delivery does: by TLSA records that are asked for past everything remembered. */
async function judgeAgain(
  { resolver, now }: InvestigationParts,
  question: Question,
  { route }: Plan,
  host: HostPlan,
  chain: PeerChain,
  first: Verdict,
): Promise<Verdict> {
  const refreshing: Pick<CachedResolver, 'lookup'> = {
    lookup: (name, type) => resolver.refresh(name, type),
  }
  const fresh = await rediscoverTlsa(refreshing, route, host, optionsOf(question))
  if (fresh.kind !== 'authenticate') return first
  const verdict = verify(fresh, chain, now())
  return verdict.kind === 'refused' ? first : verdict
}

function optionsOf({ insecureMx, port }: Question) {
  return { policy: 'opportunistic', insecureMx, port } as const
}
