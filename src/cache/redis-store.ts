/**
 * Shares DNS facts with other processes through Redis.
 *
 * Each fact is stored under its name and type until it expires; while a process queries
 * DNS, its claim (redis-leases.ts) makes the others wait. Mail never depends on Redis:
 * whatever it does (fail, hang, lie, refuse writes) and whatever others write to it, the
 * lookup ends and falls back to DNS. A lookup takes at most two commands in sequence (three
 * in a Cluster), each at most `timeoutMs`, and the wait that patience.ts allows.
 *
 * An entry is believed only in the current epoch (epoch-watch.ts), for as long as seal.ts
 * and its expiry in Redis allow. What this process has written since a purge, and before it
 * noticed, is removed again. Commands, clocks, timer and randomness are passed in.
 */
import type { Fact, RecordType } from '../lookup.js'
import type { DomainName } from '../name.js'
import { composeFact, parseFact } from './entry.js'
import { createEpochWatch } from './epoch-watch.js'
import type { EpochParts, EpochWatch } from './epoch-watch.js'
import type { RedisCommands, Stored } from './redis-commands.js'
import { createRecentWrites } from './recent-writes.js'
import { createHealth } from './redis-health.js'
import type { Health, HealthParts } from './redis-health.js'
import { createLeases } from './redis-leases.js'
import { composeEntry, factKey, MAX_ENTRY, openEntry, zoneKey } from './seal.js'
import type { Vault } from './seal.js'
import type { SharedStore } from './shared-store.js'

export type RedisParts = Omit<EpochParts & HealthParts, 'attempt'> & {
  readonly commands: RedisCommands
  /** Longest wait for another process's answer. */
  readonly patienceMs: number
  /** No fact is used for longer after it was looked up. */
  readonly maxTtlMs: number
}

export type RedisStore = SharedStore &
  Pick<EpochWatch, 'look' | 'lapse' | 'isPending'> &
  Pick<Health, 'noteConnection'> & {
    /** Proven zones, as text: what is read is believed like a fact, but not parsed here. */
    readonly zones: ZoneTexts
  }

export type ZoneTexts = {
  /** One command, at most `timeoutMs`; never waits for the epoch or for another process. */
  readonly read: (
    id: string,
  ) => Promise<{ readonly body: string; readonly leftMs: number } | undefined>
  /** @param lifeMs whole milliseconds */
  readonly write: (id: string, body: string, lifeMs: number) => Promise<void>
}

export function createRedisStore(parts: RedisParts): RedisStore {
  const { commands, vault, now, wall } = parts
  const health = createHealth(parts)
  const { attempt } = health
  const { toText, set, noteToken } = createWriter(parts, health, () => epochs.forWriting())
  const epochs = createEpochWatch({ ...parts, attempt, noteToken })
  const get = createReader(parts, attempt, epochs)
  const leases = createLeases({ ...parts, attempt, get, isHolding: epochs.isHolding })

  return {
    async find(name, type) {
      const epoch = epochs.believed()
      if (epoch === undefined || (typeof epoch !== 'string' && (await epoch) === undefined)) {
        return undefined
      }
      const fact = await get(name, type)
      if (fact) return fact
      if (health.isResting('read')) return undefined
      const claimed = await leases.claim(name, type, 0)
      switch (claimed.kind) {
        case 'ours':
          return undefined
        case 'known':
          return claimed.fact
        case 'theirs':
          return leases.wait(name, type)
      }
    },

    claim: leases.claimOrTakeOver,

    async release(name, type, found) {
      const key = factKey(vault, name, type)
      const lifeMs = found ? Math.floor(found.expiresAt - now()) : 0
      const text = found && toText(key, composeFact(found), lifeMs)
      // In this order on one connection: no process sees the claim ended before the fact is stored.
      await Promise.all([text !== undefined && set(key, text, lifeMs), leases.end(name, type)])
    },

    zones: {
      async read(id) {
        if (epochs.current() === undefined) return undefined
        const key = zoneKey(vault, id)
        const stored = await attempt('read', () => commands.read(key, MAX_ENTRY + 1))
        // It may have changed in the meantime.
        const epoch = epochs.current()
        if (stored === undefined || epoch === undefined) return undefined
        const { text, leftMs } = stored
        return openEntry(vault, key, text, {
          epoch,
          wall: wall(),
          leftMs,
          maxTtlMs: parts.maxTtlMs,
        })
      },
      async write(id, body, lifeMs) {
        const key = zoneKey(vault, id)
        const text = toText(key, body, lifeMs)
        if (text !== undefined) await set(key, text, lifeMs)
      },
    },

    noteConnection(fault) {
      health.noteConnection(fault)
      // The epoch may have changed in the meantime; it is read before any entry is used.
      if (fault === undefined) epochs.look().catch(nothing)
    },

    look: epochs.look,
    lapse: epochs.lapse,
    isPending: epochs.isPending,
  }
}

/** What this process writes, and what of it is removed again after a purge. */
function createWriter(
  { commands, vault, wall }: RedisParts,
  { attempt, isResting }: Health,
  epochForWriting: () => string | undefined,
) {
  const recent = createRecentWrites()

  /** What was written after a purge, but before it was noticed here, may rest on what it was to remove. */
  function withdraw(): void {
    for (const key of recent.take()) {
      attempt('write', () => commands.remove(key)).catch(nothing)
    }
  }

  return {
    /** The entry to store; undefined if it is not shared. */
    toText: (key: string, body: string, lifeMs: number): string | undefined => {
      if (lifeMs <= 0 || isResting('write')) return undefined
      const epoch = epochForWriting()
      if (epoch === undefined) return undefined
      const text = composeEntry(vault, key, { epoch, askedAt: wall(), lifeMs, body })
      return text.length <= MAX_ENTRY ? text : undefined
    },

    set: (key: string, text: string, lifeMs: number): Promise<unknown> =>
      attempt('write', () => {
        recent.note(key)
        return commands.set(key, text, lifeMs)
      }),

    noteToken: (isChanged: boolean): void => {
      if (isChanged) withdraw()
      else recent.settle()
    },
  }
}

function createReader(
  { commands, vault, maxTtlMs, now, wall }: RedisParts,
  attempt: Health['attempt'],
  epochs: EpochWatch,
): SharedStore['find'] {
  return async (name, type) => {
    // Before Redis computes the remaining life of the entry.
    const at = now()
    const stored = await attempt('read', () =>
      commands.read(factKey(vault, name, type), MAX_ENTRY + 1),
    )
    const epoch = epochs.current()
    if (stored === undefined || epoch === undefined) return undefined
    return toFact(vault, name, type, stored, { epoch, at, wall: wall(), maxTtlMs })
  }
}

/**
 * The stored fact; undefined if it is malformed or not believed.
 *
 * @param at when it was read, in milliseconds since the epoch
 */
export function toFact<T extends RecordType>(
  vault: Vault,
  name: DomainName,
  type: T,
  { text, leftMs }: Stored,
  reading: {
    readonly epoch: string
    readonly at: number
    readonly wall: number
    readonly maxTtlMs: number
  },
): Fact<T> | undefined {
  const { epoch, at, wall, maxTtlMs } = reading
  const key = factKey(vault, name, type)
  const entry = openEntry(vault, key, text, { epoch, wall, leftMs, maxTtlMs })
  return entry && parseFact(name, type, entry.body, at + entry.leftMs)
}

function nothing(): void {
  // it does not reject; if it did, DNS would be queried
}
