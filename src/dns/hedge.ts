/**
 * Queries resolvers in order, hedges slow ones, and decides whose answer wins.
 *
 * The next resolver is queried when one fails, and in parallel with one that is slow. The
 * first answer wins, and bogus is an answer: no other resolver is queried for a better
 * one, which is what an attacker would want (RFC 8914 §6). If none answers, the result is
 * the failure of the first in order that failed.
 *
 * The timer is passed in.
 */
import type { Failed, FailureCause, Lookup, RecordType } from '../lookup.js'

/** Undefined: this resolver turned out to be unusable. */
export type Asker<T extends RecordType> = () => Promise<Lookup<T> | undefined>

export type HedgeParts = {
  /** Milliseconds after which the next resolver is queried in parallel. */
  readonly patienceMs: number
  /** Calls `action` after `milliseconds`, unless the returned function is called before. */
  readonly schedule: (milliseconds: number, action: () => void) => () => void
}

/** Undefined if all of them were unusable. */
export function hedge<T extends RecordType>(
  askers: readonly Asker<T>[],
  { patienceMs, schedule }: HedgeParts,
): Promise<Lookup<T> | undefined> {
  return new Promise((resolve, reject) => {
    const failures: (Failed | undefined)[] = askers.map(() => undefined)
    let next = 0
    let inFlight = 0
    let isDone = false
    let cancel = nothing

    const finish = (lookup: Lookup<T> | undefined): void => {
      isDone = true
      cancel()
      resolve(lookup)
    }
    const askNext = (): void => {
      cancel()
      const index = next++
      const asker = askers[index]
      if (asker === undefined) {
        if (inFlight === 0) finish(failures.find((failure) => failure !== undefined))
        return
      }
      inFlight++
      cancel = next < askers.length ? schedule(patienceMs, askNext) : nothing
      asker().then((lookup) => {
        inFlight--
        if (isDone) return
        if (lookup === undefined) {
          askNext()
          return
        }
        if (lookup.kind !== 'failed' || FINAL.has(lookup.cause)) {
          finish(lookup)
          return
        }
        failures[index] = lookup
        askNext()
      }, reject)
    }
    askNext()
  })
}

function nothing(): void {
  // no timer is running
}

/** Failures of the name itself, the same with every resolver. */
const FINAL: ReadonlySet<FailureCause> = new Set(['bogus', 'alias-loop'])
