/**
 * Which facts does this process remember?
 *
 * A store of `Lookup`s that are facts, bounded in number and size, least recently used
 * out first. An entry is gone at its expiry, judged by the instant the caller gives; no
 * timers. Failures cannot be put here: the type has no room for them.
 */
import { LRUCache } from 'lru-cache'
import type { Fact, RecordType } from '../lookup.js'
import type { DomainName } from '../name.js'

/** A fact, and what its keeper has to know of it. */
export type Held = {
  readonly fact: Fact
  /** When DNS said so to this very process, in milliseconds since the epoch; 0: somebody else was told. */
  readonly askedAt: number
  /** From when on it is worth asking again before it expires. */
  renewAt: number
}

export type MemoryStore = {
  /** What is held and outlives `now` (milliseconds since the epoch). */
  get(name: DomainName, type: RecordType, now: number): Held | undefined
  put(name: DomainName, type: RecordType, held: Held): void
  /** Forgets everything. */
  clear(): void
}

/** @param most entries held, at least 1, if they are of usual size; together they take about `most` kB */
export function createMemoryStore(most: number): MemoryStore {
  const entries = new LRUCache<string, Held>({
    max: most,
    maxSize: most * 1024,
    sizeCalculation: ({ fact }) => octetsOf(fact),
  })
  return {
    get(name, type, now) {
      const key = keyOf(name, type)
      const held = entries.get(key)
      if (held === undefined || held.fact.expiresAt > now) return held
      entries.delete(key)
      return undefined
    },
    put(name, type, held) {
      entries.set(keyOf(name, type), held)
    },
    clear() {
      entries.clear()
    },
  }
}

/** About what a fact takes in memory. An RRset may be sixty times the usual, so entries alone bound nothing. */
function octetsOf(fact: Fact): number {
  const records = fact.kind === 'found' ? fact.records : []
  return records.reduce(
    (sum, record) => sum + RECORD_OCTETS + (record.type === 'TLSA' ? record.rdata.length : 0),
    FACT_OCTETS + fact.aliases.length * RECORD_OCTETS,
  )
}

/** Measured on Node 20: objects, strings and the map's own share. */
const FACT_OCTETS = 600
const RECORD_OCTETS = 200

function keyOf(name: DomainName, type: RecordType): string {
  return `${type} ${name}`
}
