/**
 * The clock by which facts expire.
 *
 * Combines the wall clock, which may be set, with a monotonic one. Forward steps are
 * followed, for a machine that was suspended; backward steps are not, since they would
 * extend the life of everything in the cache. Both clocks are passed in.
 */

/**
 * @param wall milliseconds since the epoch
 * @param steady milliseconds of a monotonic clock
 * @returns milliseconds since the epoch, or more; strictly increasing
 */
export function createClock(wall: () => number, steady: () => number): () => number {
  let offset = -Infinity
  return () => {
    const at = steady()
    offset = Math.max(offset, wall() - at)
    return offset + at
  }
}
