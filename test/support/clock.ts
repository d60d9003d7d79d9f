/**
 * How do tests let hours pass in no time?
 *
 * A clock that stands still until it is told to go on, with timers that fire in their
 * order; promises that a timer settles have their consequences before the next fires.
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

/** Everything that follows from what has happened so far. */
function settled(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve)
  })
}
