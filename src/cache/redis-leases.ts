/**
 * Decides through Redis which process queries DNS, and waits for the others' answers.
 *
 * A claim is a key with a life of `CLAIM_MS`, set by the process that queries DNS and
 * removed when the answer is stored. Claims with another life were not made by a relay
 * and are replaced, so a planted claim delays no lookup. Waits are limited by patience.ts.
 *
 * No promise rejects. Commands, clock and timer are passed in.
 */
import type { Fact, RecordType } from '../lookup.js'
import type { DomainName } from '../name.js'
import { createPatience } from './patience.js'
import type { Health } from './redis-health.js'
import type { RedisCommands } from './redis-commands.js'
import { claimKey } from './seal.js'
import type { Vault } from './seal.js'
import { OURS, THEIRS } from './shared-store.js'
import type { Claim, SharedStore } from './shared-store.js'

export type LeaseParts = {
  readonly commands: RedisCommands
  readonly attempt: Health['attempt']
  readonly vault: Vault
  /** Longest wait for another process's answer. */
  readonly patienceMs: number
  /** Milliseconds since the epoch. */
  readonly now: () => number
  readonly schedule: (milliseconds: number, action: () => void) => () => void
  /** Reads a fact. */
  readonly get: SharedStore['find']
  /** Writing is suspended, so other processes would wait for an answer that never comes. */
  readonly isHolding: () => boolean
}

export type Leases = {
  readonly claim: SharedStore['claim']
  /** As `claim`, replacing a claim that was not made by a relay. */
  readonly claimOrTakeOver: SharedStore['claim']
  /** The answer of the process that has the claim; undefined if there is none, or not in time. */
  readonly wait: SharedStore['find']
  /** Removes the claim if this process made it. */
  readonly end: (name: DomainName, type: RecordType) => Promise<unknown>
}

export function createLeases(parts: LeaseParts): Leases {
  const { commands, attempt, vault, now, schedule, get, isHolding } = parts
  const patience = createPatience(parts.patienceMs, now)
  /** Claims of this process. */
  const ours = new Set<string>()

  async function claim<T extends RecordType>(
    name: DomainName,
    type: T,
    latest: number,
  ): Promise<Claim<T>> {
    if (isHolding()) return OURS
    const key = claimKey(vault, name, type)
    let looking: Promise<Fact<T> | undefined> | undefined
    const look = (): Promise<Fact<T> | undefined> => (looking ??= get(name, type))
    const isAlreadyOurs = ours.has(key)
    ours.add(key)
    // If both fail, report the read failure.
    const claiming = attempt('write', () => commands.setNew(key, '1', CLAIM_MS), look)
    // Read after the claim: another process may have stored the fact and ended its claim just before.
    if (!commands.isInOrder) await claiming
    const [isNew, fact] = await Promise.all([claiming, look()])
    const isMissing = fact === undefined || fact.expiresAt < latest + WORTH_MS
    if (isMissing && isNew !== false) return OURS
    if (!isAlreadyOurs) ours.delete(key)
    if (isMissing) return THEIRS
    if (isNew === true) attempt('write', () => commands.remove(key)).catch(nothing)
    return { kind: 'known', fact }
  }

  /** Replaces a claim that was not made by a relay with one that expires. */
  function takeOver(key: string): void {
    ours.add(key)
    attempt('write', () => commands.set(key, '1', CLAIM_MS)).catch(nothing)
  }

  return {
    claim,

    async claimOrTakeOver(name, type, latest) {
      const found = await claim(name, type, latest)
      if (found.kind !== 'theirs') return found
      const key = claimKey(vault, name, type)
      const left = await attempt('read', () => commands.left(key))
      if (left === undefined || left === GONE || isClaimLife(left)) return found
      takeOver(key)
      return OURS
    },

    async wait(name, type) {
      const key = claimKey(vault, name, type)
      const startedAt = now()
      const until = startedAt + patience.left()
      if (until <= startedAt) return undefined
      let pause = FIRST_PAUSE_MS
      for (;;) {
        // In this order: the fact is stored before its claim ends.
        const [left, fact] = await Promise.all([
          attempt('read', () => commands.left(key)),
          get(name, type),
        ])
        const isOver = fact !== undefined || left === undefined || left === GONE
        const isPlanted = left !== undefined && left !== GONE && !isClaimLife(left)
        if (isOver || isPlanted) {
          if (isPlanted) takeOver(key)
          patience.spend(now() - startedAt)
          return fact
        }
        if (now() + pause >= until || patience.left() === 0) {
          patience.exhaust()
          return undefined
        }
        await new Promise<void>((resolve) => {
          schedule(pause, resolve)
        })
        pause = Math.min(pause * PAUSE_GROWTH, MAX_PAUSE_MS)
      }
    },

    async end(name, type) {
      const key = claimKey(vault, name, type)
      if (ours.delete(key)) await attempt('write', () => commands.remove(key))
    },
  }
}

function isClaimLife(left: number): boolean {
  return left >= 0 && left <= CLAIM_MS
}

function nothing(): void {
  // it does not reject; if it did, DNS would be queried
}

/** PTTL of a missing key. */
const GONE = -2
/** Life of a claim. */
const CLAIM_MS = 2_000
/**
 * How much longer a fact has to live than another to count as newer: the same one, read
 * twice, may differ by clock differences and the round trip to Redis.
 */
const WORTH_MS = 1_000
/** Pauses between two reads while waiting, growing. */
const FIRST_PAUSE_MS = 4
const PAUSE_GROWTH = 1.5
const MAX_PAUSE_MS = 100
