/**
 * Judges the certificates of a mail host, with a second look before it is refused.
 *
 * The gate, the audit and the command line all judge here, so that they cannot
 * disagree. second-look.ts has the second look.
 *
 * Promises: never throws for what is in the chain; one second look for each chain.
 * Effects: lookups.
 */
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Authenticated, PeerChain, Refused, Verdict } from '../verdict.js'
import { Allowance } from '../verify/budget.js'
import { verify, verifyLeaf, verifyNothing } from '../verify/verify.js'
import type { TlsDemand } from './plan.js'
import { secondLook } from './second-look.js'
import type { SecondLookParts } from './second-look.js'

/** The three questions that a verdict can take, cheapest first. */
export type Judges = {
  /** Asked first, of the first certificate alone; undefined: the whole list is needed. */
  readonly judgeLeaf?: (leaf: Buffer) => Authenticated | undefined
  /** @param chain undefined if the server sent no certificate */
  readonly judge: (chain: PeerChain | undefined) => Verdict
  /** Asked once before a host is refused for its certificates: the records may be out of date. */
  readonly judgeAgain: (chain: PeerChain, first: Refused) => Promise<Verdict>
}

export function createJudges(parts: SecondLookParts, demand: TlsDemand): Judges {
  const { allowance, now } = parts
  const { policy } = demand
  return {
    judgeLeaf: (leaf) => (policy.kind === 'authenticate' ? verifyLeaf(policy, leaf) : undefined),
    judge: (chain) => (chain ? verify(policy, chain, now(), allowance) : verifyNothing()),
    judgeAgain: (chain, first) => secondLook(parts, demand, chain, first),
  }
}

/** The verdict that the gate comes to in the end; other work has its turn in between. */
export async function judgeInFull(
  { judge, judgeAgain }: Judges,
  chain: PeerChain | undefined,
): Promise<Verdict> {
  const first = judge(chain)
  // DNS cannot change anything about a server that sent no certificate.
  if (first.kind !== 'refused' || chain === undefined) return first
  await nextTurn()
  return judgeAgain(chain, first)
}

export { Allowance }
