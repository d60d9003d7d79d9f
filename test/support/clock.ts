/**
 * A simulated clock, so that tests can let hours pass at once.
 *
 * It stands still until it is advanced, and its timers fire in
 * order; promises settled by a timer run their continuations before the next timer fires.
 */

export type Clock = {
  readonly now: () => number
  readonly schedule: (milliseconds: number, action: () => void) => () => void
  /** Settles with the value after that time. */
  readonly after: <T>(milliseconds: number, value: T) => Promise<T>
  readonly advance: (milliseconds: number) => Promise<void>
}

export function createClock(start = Date.UTC(2026, 5, 15)): Clock {
  let now = start
  const timers = new Set<{ readonly at: number; readonly action: () => void }>()

  const schedule: Clock['schedule'] = (milliseconds, action) => {
    const timer = { at: now + milliseconds, action }
    timers.add(timer)
    return () => timers.delete(timer)
  }

  return {
    now: () => now,
    schedule,
    after: (milliseconds, value) =>
      new Promise((resolve) => {
        schedule(milliseconds, () => resolve(value))
      }),
    async advance(milliseconds) {
      const end = now + milliseconds
      await settled()
      for (;;) {
        const [next] = [...timers].filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)
        if (next === undefined) break
        timers.delete(next)
        now = Math.max(now, next.at)
        next.action()
        await settled()
      }
      now = end
    },
  }
}

/** Waits for all pending promise continuations. */
function settled(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve)
  })
}
