/**
 * Which destinations have a label of their own in the metrics?
 *
 * Names come from envelopes that any sender can choose, so their number is bounded: the
 * first ones get a label, and keep it until they have not been counted for a day and
 * another one needs it; all others are `other`. Pure.
 */
import { printable } from '../text.js'

export type Destinations = {
  /**
   * The label for a destination that is counted now.
   *
   * @param now milliseconds since the epoch
   */
  readonly labelFor: (destination: string, now: number) => string
}

/** @param forget called with a label that is no longer used */
export function createDestinations(limit: number, forget: (label: string) => void): Destinations {
  // In the order in which they were last counted.
  const countedAt = new Map<string, number>()

  return {
    labelFor(destination, now) {
      const label = printable(destination.toLowerCase(), MAX_LENGTH)
      if (limit === 0 || label === OTHER) return OTHER
      if (!countedAt.delete(label) && countedAt.size >= limit) {
        const [[oldest, at] = [OTHER, now]] = countedAt
        if (now - at < IDLE_MS) return OTHER
        countedAt.delete(oldest)
        forget(oldest)
      }
      countedAt.set(label, now)
      return label
    },
  }
}

export const OTHER = 'other'

/** No domain name is longer. */
const MAX_LENGTH = 253
const IDLE_MS = 86_400_000
