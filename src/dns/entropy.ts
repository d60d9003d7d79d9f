/**
 * Unpredictable bytes for query ids and 0x20 case.
 *
 * Read from the system's generator in blocks: two octets cost as much as thousands, and
 * every query needs some.
 *
 * Promises: every octet is used once, and none if the generator fails, which throws.
 * Effects: only those of the generator, which is passed in.
 */

/** @param fill fills a buffer with unpredictable octets, as `randomFillSync` does */
export function createEntropy(fill: (buffer: Buffer) => unknown): (octets: number) => Buffer {
  let block = Buffer.alloc(0)
  return (octets) => {
    if (block.length < octets) {
      // A new buffer, since slices of the old one are in use; assigned only once it is filled.
      const fresh = Buffer.alloc(Math.max(BLOCK, octets))
      fill(fresh)
      block = fresh
    }
    const given = block.subarray(0, octets)
    block = block.subarray(octets)
    return given
  }
}

/** Octets read at a time. */
const BLOCK = 4096
