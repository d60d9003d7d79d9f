/**
 * Do others know it, and may they know it from us?
 *
 * Facts in Redis, each under its name and type for exactly as long as it lives, and
 * beside it, while somebody asks DNS, a claim that the others wait on. Redis makes mail
 * faster, never safer or surer: whatever it does (nothing, late, wrong, full), the
 * answer comes in `timeoutMs` and leads to DNS. When it fails it is left alone for a
 * while, and its loss and its return are told once each.
 *
 * Given the commands, clock and timer.
 */
import type { Fact, LookupObserver, RecordType } from '../lookup.js'
import type { DomainName } from '../name.js'
import { errorText } from '../text.js'
import { claimKey, composeEntry, entryKey, KEY_START, parseEntry } from './entry.js'
import { OURS, THEIRS } from './shared-store.js'
import type { SharedStore } from './shared-store.js'

/** What is asked of a Redis client. Any of it may reject, or never settle. */
export type RedisCommands = {
  /** Whether they are done in the order in which they are given: by one server, on one connection. */
  readonly isInOrder: boolean
  readonly get: (key: string) => Promise<string | null>
  readonly set: (key: string, value: string, milliseconds: number) => Promise<unknown>
  /** Whether it was not there before. */
  readonly setNew: (key: string, value: string, milliseconds: number) => Promise<boolean>
  readonly remove: (key: string) => Promise<unknown>
}

export type RedisParts = {
  readonly commands: RedisCommands
  /** Settles when the client has tried to connect for the first time, or has done so. */
  readonly started: Promise<void>
  /** Before every key. */
  readonly prefix: string
  /** Entries are authenticated with it. */
  readonly secret: string | undefined
  /** Longest wait for one command. */
  readonly timeoutMs: number
  /** Longest wait for somebody else's answer, and how long a claim holds. */
  readonly patienceMs: number
  /** The longest life that an entry may claim. */
  readonly maxTtlMs: number
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** How far `now` is ahead of the wall clock, which is what entries go by, in milliseconds. */
  readonly lead: () => number
  /** Calls `action` after `milliseconds`, unless the returned function is called before. */
  readonly schedule: (milliseconds: number, action: () => void) => () => void
  readonly observe: LookupObserver
}

export type RedisStore = SharedStore & {
  /** The client's own news: it has lost its connection, or has one. */
  readonly noteConnection: (fault: string | undefined) => void
  /** Changes whenever somebody has purged the cache; undefined: not known. */
  readonly epoch: () => Promise<string | undefined>
}

/** Reading and writing fail apart: a full Redis still answers. */
type What = 'read' | 'write'
type Health = { fault: string | undefined; isTold: boolean; restUntil: number }

export function createRedisStore(parts: RedisParts): RedisStore {
  const { commands, prefix, secret, timeoutMs, patienceMs, maxTtlMs, now, lead, schedule } = parts
  const health: Record<What, Health> = {
    read: { fault: undefined, isTold: false, restUntil: 0 },
    write: { fault: undefined, isTold: false, restUntil: 0 },
  }

  let isStarted = false
  parts.started.then(
    () => {
      isStarted = true
    },
    nothing, // those who wait are told
  )

  const keyOf = (name: DomainName, type: RecordType): string => prefix + entryKey(name, type)
  const claimOf = (name: DomainName, type: RecordType): string => prefix + claimKey(name, type)

  /**
   * The command's reply, or undefined where Redis is out of order.
   *
   * @param first what is to be known before a failure is told
   */
  async function attempt<T>(
    what: What,
    command: () => Promise<T>,
    first: () => Promise<unknown> = () => Promise.resolve(),
  ): Promise<T | undefined> {
    const state = health[what]
    if (state.restUntil > now()) return undefined
    // One of those who wait finds out whether it is back.
    if (state.fault !== undefined) state.restUntil = now() + REST_MS
    try {
      const reply = await inTime(command)
      recovered(what)
      return reply
    } catch (error) {
      await first()
      lost(what, errorText(error))
      return undefined
    }
  }

  function inTime<T>(command: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      let isOver = false
      const end = <R>(settle: (result: R) => void) => {
        return (result: R): void => {
          isOver = true
          cancel()
          settle(result)
        }
      }
      const fail = end(reject)
      const cancel = schedule(timeoutMs, () => {
        fail(new Error(`no answer within ${timeoutMs} ms`))
      })
      const say = (): void => {
        // What nobody waits for any more is not said to a Redis that starts late.
        if (isOver) return
        try {
          command().then(end(resolve), fail)
        } catch (error) {
          fail(error)
        }
      }
      if (isStarted) say()
      else parts.started.then(say, fail)
    })
  }

  function lost(what: What, fault: string): void {
    const state = health[what]
    state.restUntil = now() + REST_MS
    state.fault ??= fault
    // Who cannot read cannot write: one line tells both.
    if (state.isTold || health.read.isTold) return
    state.isTold = true
    parts.observe({ kind: 'redis', what, fault: state.fault })
  }

  function recovered(what: What): void {
    const { isTold } = health[what]
    health[what] = { fault: undefined, isTold: false, restUntil: 0 }
    if (isTold) parts.observe({ kind: 'redis', what, fault: undefined })
  }

  async function get(name: DomainName, type: RecordType): Promise<Fact | undefined> {
    const text = await attempt('read', () => commands.get(keyOf(name, type)))
    if (typeof text !== 'string') return undefined
    const ahead = lead()
    const fact = parseEntry(name, type, text, secret, now() - ahead, maxTtlMs)
    return fact && shifted(fact, ahead)
  }

  return {
    get,

    async claim(name, type, latest = 0) {
      let looking: Promise<Fact | undefined> | undefined
      const look = (): Promise<Fact | undefined> => (looking ??= get(name, type))
      // If both fail, it is the reading that is told of.
      const claiming = attempt(
        'write',
        () => commands.setNew(claimOf(name, type), '1', patienceMs),
        look,
      )
      // Looked at behind it: somebody may have found it and ended their claim just before.
      if (!commands.isInOrder) await claiming
      const [isNew, fact] = await Promise.all([claiming, look()])
      if (fact === undefined || fact.expiresAt < latest + WORTH_MS) {
        return isNew === false ? THEIRS : OURS
      }
      if (isNew === true) await attempt('write', () => commands.remove(claimOf(name, type)))
      return { kind: 'known', fact }
    },

    async wait(name, type) {
      const deadline = now() + patienceMs
      let pause = FIRST_PAUSE_MS
      while (now() + pause < deadline) {
        await new Promise<void>((resolve) => {
          schedule(pause, resolve)
        })
        pause = Math.min(pause * PAUSE_GROWTH, MAX_PAUSE_MS)
        const [fact, claim] = await Promise.all([
          get(name, type),
          attempt('read', () => commands.get(claimOf(name, type))),
        ])
        // Nobody is at it any more, or nobody can tell.
        if (fact || claim === null || claim === undefined) return fact
      }
      return undefined
    },

    async release(name, type, found) {
      const left = found ? Math.floor(found.expiresAt - now()) : 0
      const isWorthIt = found !== undefined && left > 0 && health.write.restUntil <= now()
      // In this order on one connection: nobody sees the claim gone and the fact not there.
      await Promise.all([
        isWorthIt &&
          attempt('write', () =>
            commands.set(
              keyOf(name, type),
              composeEntry(name, type, shifted(found, -lead()), secret),
              left,
            ),
          ),
        attempt('write', () => commands.remove(claimOf(name, type))),
      ])
    },

    noteConnection(fault) {
      if (fault !== undefined) {
        lost('read', fault)
        return
      }
      recovered('read')
      // Whether it takes writes will be seen.
      health.write.restUntil = 0
    },

    async epoch() {
      const text = await attempt('read', () => commands.get(prefix + EPOCH_KEY))
      return text === undefined ? undefined : (text ?? '')
    },
  }
}

/** Counts purges. */
export const EPOCH_KEY = `${KEY_START}epoch`

/** The same fact by another clock. */
function shifted(fact: Fact, ahead: number): Fact {
  return Object.assign({}, fact, { expiresAt: fact.expiresAt + ahead })
}

function nothing(): void {
  // nobody to tell
}

/**
 * How much longer than another a fact has to live to be newer: the same one, read twice, may
 * differ by the fraction of a millisecond that clocks differ by.
 */
const WORTH_MS = 1_000
/** How long a Redis that has failed is left alone. */
const REST_MS = 1_000
/** Between two looks at what somebody else is about to find, growing. */
const FIRST_PAUSE_MS = 4
const PAUSE_GROWTH = 1.5
const MAX_PAUSE_MS = 100
