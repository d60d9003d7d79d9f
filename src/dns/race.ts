/**
 * Several can be asked one question: who is, when, and whose word counts?
 *
 * One after the other in their order. The next is asked when one fails, and beside one
 * that takes long. The first answer counts, and bogus is an answer: nobody is asked for a
 * better one after it, which is what an attacker would wish for (RFC 8914 §6). Without
 * an answer it is the failure of the first in order that had one.
 *
 * Given the timer.
 */
import type { Failed, FailureCause, Lookup } from '../lookup.js'

/** Undefined: this one cannot be asked after all. */
export type Asker = () => Promise<Lookup | undefined>

export type RaceParts = {
  /** Milliseconds after which the next is asked beside one that is silent. */
  readonly patienceMs: number
  /** Calls `action` after `milliseconds`, unless the returned function is called before. */
  readonly schedule: (milliseconds: number, action: () => void) => () => void
}

/** Undefined if nobody could be asked. */
export function askInOrder(
  askers: readonly Asker[],
  { patienceMs, schedule }: RaceParts,
): Promise<Lookup | undefined> {
  return new Promise((resolve, reject) => {
    const failures: (Failed | undefined)[] = askers.map(() => undefined)
    let next = 0
    let underway = 0
    let isDone = false
    let cancel = nothing

    const finish = (lookup: Lookup | undefined): void => {
      isDone = true
      cancel()
      resolve(lookup)
    }
    const goOn = (): void => {
      cancel()
      const index = next++
      const asker = askers[index]
      if (asker === undefined) {
        if (underway === 0) finish(failures.find((failure) => failure !== undefined))
        return
      }
      underway++
      cancel = next < askers.length ? schedule(patienceMs, goOn) : nothing
      asker().then((lookup) => {
        underway--
        if (isDone) return
        if (lookup !== undefined && (lookup.kind !== 'failed' || FINAL.has(lookup.cause))) {
          finish(lookup)
          return
        }
        failures[index] = lookup
        goOn()
      }, reject)
    }
    goOn()
  })
}

function nothing(): void {
  // no timer is running
}

/** Failures that are the name's own, whoever is asked. */
const FINAL: ReadonlySet<FailureCause> = new Set(['bogus', 'alias-loop'])
