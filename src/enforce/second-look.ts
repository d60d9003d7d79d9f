/**
 * Takes a second look at the TLSA records of a host before it is refused.
 *
 * The records are looked up again without the cache: the host may have rolled its key
 * over. The second verdict counts, whatever it says; it is the one that names the current
 * records. plan.ts takes the second look at what is missing.
 */
import type { CachedResolver } from '../lookup.js'
import type { AuthenticateHost } from '../plan.js'
import type { PeerChain, Refused, Verdict } from '../verdict.js'
import type { Allowance } from '../verify/budget.js'
import { verify } from '../verify/verify.js'
import { currentPolicy, inTime } from './plan.js'
import type { TlsDemand } from './plan.js'

export type SecondLookParts = {
  readonly resolver: CachedResolver
  /** Milliseconds for the second look. */
  readonly deadlineMs: number
  /** What the verdicts of this attempt may still cost. */
  readonly allowance: Allowance
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** Called when the cached records did not match and the current ones do. */
  readonly onRollover: () => void
  /** Called with the current records, by which the second verdict is. */
  readonly onCurrent?: (policy: AuthenticateHost) => void
}

/** @param first the verdict by the records of the plan */
export async function secondLook(
  { resolver, deadlineMs, allowance, now, onRollover, onCurrent }: SecondLookParts,
  demand: TlsDemand,
  chain: PeerChain,
  first: Refused,
): Promise<Verdict> {
  const current = await inTime(resolver, deadlineMs, (timed) => currentPolicy(timed, demand))
  // A lookup that fails, or records that are gone, count from the next attempt on.
  if (current.kind !== 'authenticate') return first
  onCurrent?.(current)
  const verdict = verify(current, chain, now(), allowance)
  if (verdict.kind !== 'refused') onRollover()
  return verdict
}
