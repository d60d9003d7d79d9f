/**
 * What is the time, for those who count how long a fact lives?
 *
 * Made of the wall clock, which may be set, and a steady one, which never is. Steps
 * ahead are followed, for a machine that slept; steps back are not, since they would
 * lengthen the life of all that is held. Given both clocks.
 */
export type Clock = {
  /** Milliseconds since the epoch, or more; never fewer than before, and never at a stand. */
  readonly now: () => number
  /** How far `now` is ahead of the wall clock, in milliseconds. */
  readonly lead: () => number
}

/**
 * @param wall milliseconds since the epoch
 * @param steady milliseconds since whenever
 */
export function createClock(wall: () => number, steady: () => number): Clock {
  let offset = -Infinity
  const now = (): number => {
    const at = steady()
    offset = Math.max(offset, wall() - at)
    return offset + at
  }
  return { now, lead: () => now() - wall() }
}
