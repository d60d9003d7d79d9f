/**
 * Where does what a forger must not guess come from?
 *
 * From the system's generator, a block at a time: asking it for two octets costs as much
 * as asking it for thousands, and every question to a resolver needs some.
 *
 * Promises: every octet is handed out once, and none where the generator fails, which
 * throws. Effects: none but those of the generator that is given.
 */

/** @param fill fills a buffer with octets that nobody can predict, as `randomFillSync` does */
export function createEntropy(fill: (buffer: Buffer) => unknown): (octets: number) => Buffer {
  let block = Buffer.alloc(0)
  return (octets) => {
    if (block.length < octets) {
      // A new one, since what was handed out is part of the old one; and none that is not filled.
      const fresh = Buffer.alloc(Math.max(BLOCK, octets))
      fill(fresh)
      block = fresh
    }
    const given = block.subarray(0, octets)
    block = block.subarray(octets)
    return given
  }
}

/** Octets asked for at a time. */
const BLOCK = 4096
