/**
 * Limits the cost of validating one lookup.
 *
 * Zones choose the keys, signatures and hashes that a validator works on, and thereby its
 * work (CVE-2023-50387, CVE-2023-50868). All of it is charged before it is done: counts,
 * and microseconds of CPU time, so that the validator can give way to the event loop after
 * `SLICE` of them. A budget that is used up ends the lookup as a failure; it never makes an
 * answer insecure.
 *
 * Pure, except for the sums it keeps and the results it remembers. One for each lookup.
 */
import type { RRset } from '../signed-message.js'

export const BUDGET = {
  /** Signatures verified. An honest chain needs 11 to 15. */
  verifications: 64,
  /** Names hashed for NSEC3. */
  hashes: 64,
  /** Questions to resolvers. */
  questions: 48,
} as const

/** Signatures verified for one RRset; Unbound has 8, BIND 1 failure. */
export const MOST_PER_SET = 16
/** Failed verifications by keys of the same tag, for one RRset: key tags collide on purpose only. */
export const MOST_FAILED_PER_TAG = 4

/** Microseconds of work, after which other events come first. */
export const SLICE = 2_000

export type Work = keyof typeof BUDGET

export class Budget {
  private readonly left: Record<Work, number> = { ...BUDGET }
  private readonly results = new WeakMap<RRset, Map<string, boolean>>()
  private slice = 0
  private spent: Work | undefined

  /**
   * Call before doing the work, which must not be done if this returns false.
   *
   * @param cost microseconds
   */
  take(work: Work, cost = 0): boolean {
    if (this.left[work] === 0) {
      this.spent = work
      return false
    }
    this.left[work] -= 1
    this.slice += cost
    return true
  }

  /** What is used up, in words; undefined as long as nothing was refused. */
  get exhausted(): string | undefined {
    return this.spent && `more than ${BUDGET[this.spent]} ${WORDS[this.spent]}`
  }

  /** Whether to let other events come first; then call `startSlice`. */
  get isSliceSpent(): boolean {
    return this.slice >= SLICE
  }

  startSlice(): void {
    this.slice = 0
  }

  /**
   * Results of signatures over a set, by signature and key: a lookup is evaluated again
   * with each reply, and must not pay twice.
   */
  resultsOf(rrset: RRset): Map<string, boolean> {
    const known = this.results.get(rrset)
    if (known !== undefined) return known
    const results = new Map<string, boolean>()
    this.results.set(rrset, results)
    return results
  }
}

const WORDS: Record<Work, string> = {
  verifications: 'signatures to verify',
  hashes: 'NSEC3 hashes',
  questions: 'questions to resolvers',
}
