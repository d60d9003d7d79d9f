/**
 * A circuit breaker for Redis.
 *
 * Every command goes through `attempt`: it ends within `timeoutMs`, and after a failure
 * Redis is not used for `REST_MS`. Failure and recovery are reported once each, separately
 * for reading and writing, since a full Redis can still be read.
 *
 * Clock, timer and observer are passed in.
 */
import type { LookupObserver } from '../lookup.js'
import { errorText } from '../text.js'

export type HealthParts = {
  /** Settles when the first attempt to connect has succeeded or failed. */
  readonly started: Promise<void>
  /** Longest wait for one command. */
  readonly timeoutMs: number
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** Calls `action` after `milliseconds`, unless the returned function is called before. */
  readonly schedule: (milliseconds: number, action: () => void) => () => void
  readonly observe: LookupObserver
}

/** Reading and writing fail separately. */
export type What = 'read' | 'write'

export type Health = {
  /**
   * The command's reply, or undefined if Redis is unavailable. Never rejects.
   *
   * @param first awaited before a failure is reported
   */
  readonly attempt: <T>(
    what: What,
    command: () => Promise<T>,
    first?: () => Promise<unknown>,
  ) => Promise<T | undefined>
  /** Whether commands of this kind are skipped at present. */
  readonly isResting: (what: What) => boolean
  /** The client has lost its connection (the error), or has one (undefined). */
  readonly noteConnection: (fault: string | undefined) => void
}

type State = { fault: string | undefined; isTold: boolean; restUntil: number }

export function createHealth(parts: HealthParts): Health {
  const { now } = parts
  const health: Record<What, State> = {
    read: { fault: undefined, isTold: false, restUntil: 0 },
    write: { fault: undefined, isTold: false, restUntil: 0 },
  }

  let isStarted = false
  parts.started.then(
    () => {
      isStarted = true
    },
    nothing, // reported by each command that waits for it
  )

  function lost(what: What, fault: string): void {
    const state = health[what]
    state.restUntil = now() + REST_MS
    state.fault ??= fault
    // If reading fails, writing fails too: one report is enough.
    if (state.isTold || health.read.isTold) return
    state.isTold = true
    parts.observe({ kind: 'redis', what, fault: state.fault })
  }

  function recovered(what: What): void {
    const { isTold } = health[what]
    health[what] = { fault: undefined, isTold: false, restUntil: 0 }
    if (isTold) parts.observe({ kind: 'redis', what, fault: undefined })
  }

  return {
    async attempt(what, command, first = () => Promise.resolve()) {
      const state = health[what]
      if (state.restUntil > now()) return undefined
      // Only one command at a time tests whether it has recovered.
      if (state.fault !== undefined) state.restUntil = now() + REST_MS
      try {
        const reply = await inTime(parts, () => isStarted, command)
        recovered(what)
        return reply
      } catch (error) {
        await first()
        lost(what, errorText(error))
        return undefined
      }
    },

    isResting: (what) => health[what].restUntil > now(),

    noteConnection(fault) {
      if (fault !== undefined) {
        lost('read', fault)
        return
      }
      // Used at once; but that it answers and accepts writes is shown by a reply only.
      Object.assign(health.read, { fault: undefined, restUntil: 0 })
      health.write.restUntil = 0
    },
  }
}

/** Runs the command when the client has started; rejects after `timeoutMs`. */
function inTime<T>(
  { timeoutMs, schedule, started }: HealthParts,
  isStarted: () => boolean,
  command: () => Promise<T>,
): Promise<T> {
  return new Promise((resolve, reject) => {
    let isOver = false
    const end = (): void => {
      isOver = true
      cancel()
    }
    const fail = (error: unknown): void => {
      end()
      reject(error instanceof Error ? error : new Error(errorText(error)))
    }
    const cancel = schedule(timeoutMs, () => {
      fail(new Error(`no answer within ${timeoutMs} ms`))
    })
    const say = (): void => {
      // After the timeout the command is not sent any more.
      if (isOver) return
      try {
        command().then((reply) => {
          end()
          resolve(reply)
        }, fail)
      } catch (error) {
        fail(error)
      }
    }
    if (isStarted()) say()
    else started.then(say, fail)
  })
}

function nothing(): void {
  // reported elsewhere
}

/** How long Redis is not used after a failure. */
const REST_MS = 1_000
