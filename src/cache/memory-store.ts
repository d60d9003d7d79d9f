/**
 * The facts that this process remembers.
 *
 * Bounded in number and size; the least recently used are evicted first. The most recent
 * are kept as objects; the others are packed into the text of entry.ts, which takes a
 * fifth of the memory, and unpacked on use. An entry ends at its expiry, judged by the
 * caller's instant; no timers. Failures cannot be stored: the type excludes them.
 */
import { LRUCache } from 'lru-cache'
import type { Fact, RecordType } from '../lookup.js'
import type { DomainName } from '../name.js'
import { composeFact, parseFact } from './entry.js'

/** A fact in the cache. */
export type Held<T extends RecordType = RecordType> = {
  readonly fact: Fact<T>
  /**
   * When this process received it from DNS, in milliseconds since the epoch; 0: another
   * process did.
   */
  readonly askedAt: number
  /** A use at or after this time triggers a prefetch. */
  prefetchAt: number
}

export type MemoryStore = {
  /** An entry that has not expired at `now` (milliseconds since the epoch). */
  get<T extends RecordType>(name: DomainName, type: T, now: number): Held<T> | undefined
  put<T extends RecordType>(name: DomainName, type: T, held: Held<T>): void
  /** Removes all entries. */
  clear(): void
  /** How often all entries were removed. An answer queried in an earlier generation must not be stored. */
  generation(): number
}

/**
 * @param most entries of usual size, at least 1; all together take less than `most` kB
 * @param mostAtHand how many of these are not packed
 */
export function createMemoryStore(most: number, mostAtHand = AT_HAND): MemoryStore {
  const atHandToo = Math.min(most, mostAtHand)
  const packed = new LRUCache<string, string>({
    max: Math.max(1, most - atHandToo),
    maxSize: most * 1024,
    sizeCalculation: (text, key) => PACKED_OCTETS + text.length + key.length,
  })
  const atHand = new LRUCache<string, Held>({
    max: atHandToo,
    maxSize: atHandToo * 1024,
    sizeCalculation: ({ fact }) => octetsOf(fact),
    dispose: (held, key, reason) => {
      if (reason === 'evict' && atHandToo < most) packed.set(flat(key), pack(held))
    },
  })

  let generation = 0

  function unpacked<T extends RecordType>(
    key: string,
    name: DomainName,
    type: T,
    now: number,
  ): Held<T> | undefined {
    const text = packed.get(key)
    if (text === undefined) return undefined
    packed.delete(key)
    const held = unpack(text, name, type, now)
    if (held) atHand.set(key, held)
    return held
  }

  return {
    get(name, type, now) {
      const key = keyOf(name, type)
      const held = atHand.get(key)
      if (held === undefined) return unpacked(key, name, type, now)
      if (held.fact.expiresAt > now && isOf(held, type)) return held
      atHand.delete(key)
      return undefined
    },
    put(name, type, held) {
      const key = keyOf(name, type)
      packed.delete(key)
      atHand.set(key, held)
    },
    clear() {
      atHand.clear()
      packed.clear()
      generation++
    },
    generation: () => generation,
  }
}

function pack({ fact, askedAt, prefetchAt }: Held): string {
  const times = `${Math.floor(fact.expiresAt)} ${Math.floor(askedAt)} ${Math.floor(prefetchAt)}`
  return flat(`${times} ${composeFact(fact)}`)
}

function isOf<T extends RecordType>(held: Held, type: T): held is Held<T> {
  const { fact } = held
  return fact.kind === 'absent' || fact.records.every((record) => record.type === type)
}

function unpack<T extends RecordType>(
  text: string,
  name: DomainName,
  type: T,
  now: number,
): Held<T> | undefined {
  const [expiresAt = '', askedAt = '', prefetchAt = ''] = text.split(' ', 3)
  if (Number(expiresAt) <= now) return undefined
  const body = text.slice(expiresAt.length + askedAt.length + prefetchAt.length + 3)
  const fact = parseFact(name, type, body, Number(expiresAt))
  return fact && { fact, askedAt: Number(askedAt), prefetchAt: Number(prefetchAt) }
}

/** The same text as one flat string: V8 keeps concatenated strings as trees, twice as large. */
function flat(ascii: string): string {
  return ascii.length > SCRATCH.length
    ? ascii
    : SCRATCH.toString('latin1', 0, SCRATCH.write(ascii, 'latin1'))
}

const SCRATCH = Buffer.alloc(4096)

/** Approximate size of a fact in memory. RRsets differ by a factor of sixty, so a number of entries alone is no bound. */
function octetsOf(fact: Fact): number {
  const records = fact.kind === 'found' ? fact.records : []
  return records.reduce(
    (sum, record) => sum + RECORD_OCTETS + (record.type === 'TLSA' ? record.rdata.length : 0),
    FACT_OCTETS + fact.aliases.length * RECORD_OCTETS,
  )
}

/** Measured on Node 20: objects, strings and the share of the map. */
const FACT_OCTETS = 600
const RECORD_OCTETS = 200
/** The share of the map and the headers of two strings. */
const PACKED_OCTETS = 150

/** Enough for two thousand destinations with one host each. */
const AT_HAND = 8_000

function keyOf(name: DomainName, type: RecordType): string {
  return `${type} ${name}`
}
