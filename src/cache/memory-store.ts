/**
 * Which facts does this process remember?
 *
 * A store of `Lookup`s that are facts, bounded in number and size, least recently used
 * out first. An
 * entry is gone at its expiry, judged by the instant the caller gives; no timers.
 * Failures cannot be put here: the type has no room for them.
 */
import { LRUCache } from 'lru-cache'
import type { Absent, Found, RecordType } from '../lookup.js'
import type { DomainName } from '../name.js'

/** What may be remembered. */
export type Fact = Found | Absent

export type Store = {
  /** The fact, if one is held that outlives `now` (milliseconds since the epoch). */
  get(name: DomainName, type: RecordType, now: number): Fact | undefined
  put(name: DomainName, type: RecordType, fact: Fact): void
}

/** @param most entries held, at least 1, if they are of usual size; together they take about `most` kB */
export function createMemoryStore(most: number): Store {
  const entries = new LRUCache<string, Fact>({
    max: most,
    maxSize: most * 1024,
    sizeCalculation: octetsOf,
  })
  return {
    get(name, type, now) {
      const key = keyOf(name, type)
      const fact = entries.get(key)
      if (fact === undefined || fact.expiresAt > now) return fact
      entries.delete(key)
      return undefined
    },
    put(name, type, fact) {
      entries.set(keyOf(name, type), fact)
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
