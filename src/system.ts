/**
 * Clocks, timers and chance of this process, for the files that put its parts together.
 */
import { randomFillSync } from 'node:crypto'
import { performance } from 'node:perf_hooks'
import { createClock } from './cache/clock.js'
import { createEntropy } from './dns/entropy.js'

/** One clock for the process, so that all its parts agree. */
export const now = createClock(wall, () => performance.now())

/** The wall clock, which relays can compare. Unlike `now`, it may go back. */
export function wall(): number {
  return Date.now()
}

/** Unpredictable octets. */
export const entropy = createEntropy(randomFillSync)

/**
 * A timer that does not keep the process alive. If the process was too busy to run it in
 * time, data that has already arrived is processed first: the peer was not late.
 */
export function schedule(milliseconds: number, action: () => void): () => void {
  let immediate: NodeJS.Immediate | undefined
  const timer = setTimeout(() => {
    immediate = setImmediate(action)
  }, milliseconds).unref()
  return () => {
    clearTimeout(timer)
    clearImmediate(immediate)
  }
}

/** Resolves after other events of this process had their turn. */
export function yieldTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve)
  })
}
