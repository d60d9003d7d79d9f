/**
 * Limits how long lookups wait for the answers of other processes.
 *
 * One budget per process, since a plan needs several lookups in sequence and anyone who can
 * write to Redis can make each of them wait. Each wait consumes its duration beyond the
 * first `QUICK_MS`; an unsuccessful one consumes the whole budget of `totalMs`. It is
 * restored `REST_MS` after the last use. So consecutive lookups together wait for
 * `totalMs`, plus `QUICK_MS` each, at most, and after an unsuccessful wait not at all for a
 * while. The clock is passed in.
 */
export type Patience = {
  /** Milliseconds that a wait may take now; 0: no wait. */
  readonly left: () => number
  /** A wait was successful, or ended early. */
  readonly spend: (milliseconds: number) => void
  /** A wait was unsuccessful. */
  readonly exhaust: () => void
}

export function createPatience(totalMs: number, now: () => number): Patience {
  let spent = 0
  let wholeAt = 0
  const draw = (milliseconds: number): void => {
    if (milliseconds <= 0) return
    spent += milliseconds
    wholeAt = now() + REST_MS
  }
  return {
    left() {
      if (now() >= wholeAt) spent = 0
      return Math.max(0, totalMs - spent)
    },
    spend(milliseconds) {
      draw(milliseconds - QUICK_MS)
    },
    exhaust() {
      draw(totalMs)
    },
  }
}

/** The first part of each wait, which is free. */
export const QUICK_MS = 100
/** How long there is no wait after an unsuccessful one. */
export const REST_MS = 30_000
