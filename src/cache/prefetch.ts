/**
 * When is a fact in use looked up again before it expires?
 *
 * Shortly before, at a random instant, so that processes do not all query at once; a
 * short-lived fact never is. Pure.
 */
import type { Fact, RecordType } from '../lookup.js'
import type { Held } from './memory-store.js'

/**
 * @param askedAt as `Held.askedAt`
 * @param now milliseconds since the epoch
 * @param random from 0 inclusive to 1 exclusive
 */
export function hold<T extends RecordType>(
  fact: Fact<T>,
  askedAt: number,
  now: number,
  random: number,
): Held<T> {
  const life = fact.expiresAt - now
  const early = Math.min(life * PREFETCH_SHARE, MAX_PREFETCH_MS) * (0.5 + random / 2)
  const prefetchAt = life < MIN_PREFETCHED_MS ? Infinity : fact.expiresAt - early
  return { fact, askedAt, prefetchAt }
}

/** The last share of a fact's life in which it is looked up again, and its bounds. */
const PREFETCH_SHARE = 0.1
const MAX_PREFETCH_MS = 30_000
const MIN_PREFETCHED_MS = 10_000
