/**
 * The work of validating one lookup: verifications and hashes, each done once and charged
 * to the lookup's budget.
 *
 * A lookup is evaluated again whenever a reply has arrived. What was verified before costs
 * nothing then. When a slice of the event loop is used up, further verifications answer
 * `paused`, and the lookup is evaluated again in a later turn.
 *
 * Pure, except for what it keeps.
 */
import type { RRset } from '../signed-message.js'
import type { Budget } from './budget.js'
import { readZoneKey } from './key.js'
import type { AlgorithmPolicy, UnusableKey, ZoneKey } from './key.js'
import type { Hashes } from './nsec3.js'
import { verifyRRset } from './signature.js'
import type { Verification, ZoneKeys } from './signature.js'

/** To be continued in a later turn of the event loop. */
export type Paused = { readonly kind: 'paused' }

export const PAUSED: Paused = { kind: 'paused' }

export type Work = {
  /** Milliseconds since the epoch: the same for the whole lookup. */
  readonly now: number
  readonly budget: Budget
  readonly hashes: Hashes
  verify(rrset: RRset, keys: ZoneKeys): Verification | Paused
  /** The keys of a DNSKEY RRset. */
  keysOf(dnskeys: RRset): readonly (ZoneKey | UnusableKey)[]
}

export function createWork(now: number, budget: Budget, policy: AlgorithmPolicy): Work {
  const read = new WeakMap<RRset, readonly (ZoneKey | UnusableKey)[]>()
  const known = new WeakMap<RRset, Map<readonly ZoneKey[], Verification>>()
  return {
    now,
    budget,
    hashes: new Map(),
    verify(rrset, keys) {
      const results = known.get(rrset) ?? new Map<readonly ZoneKey[], Verification>()
      known.set(rrset, results)
      const before = results.get(keys.keys)
      if (before !== undefined) return before
      if (budget.isSliceSpent) return PAUSED
      const result = verifyRRset(rrset, keys, now, budget)
      results.set(keys.keys, result)
      return result
    },
    // The same objects each time, since OpenSSL's keys are kept with them.
    keysOf(dnskeys) {
      const keys = read.get(dnskeys) ?? dnskeys.rdatas.map((rdata) => readZoneKey(rdata, policy))
      read.set(dnskeys, keys)
      return keys
    },
  }
}
