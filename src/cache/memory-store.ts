/**
 * Which facts does this process remember?
 *
 * A store of `Lookup`s that are facts, bounded in number and size, least recently used
 * out first. The most recent are kept as they are; the others packed into the text that
 * entry.ts has for them, which takes a fifth of the memory, and are unpacked when
 * somebody asks. An entry is gone at its expiry, judged by the instant the caller gives;
 * no timers. Failures cannot be put here: the type has no room for them.
 */
import { LRUCache } from 'lru-cache'
import type { Fact, RecordType } from '../lookup.js'
import type { DomainName } from '../name.js'
import { composeEntry, parseEntry } from './entry.js'

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

type Placed = { readonly name: DomainName; readonly type: RecordType; readonly held: Held }

/**
 * @param most entries held, at least 1, if they are of usual size; together they take less than `most` kB
 * @param mostAtHand entries of these that are not packed
 */
export function createMemoryStore(most: number, mostAtHand = AT_HAND): MemoryStore {
  const atHandToo = Math.min(most, mostAtHand)
  const packed = new LRUCache<string, string>({
    max: Math.max(1, most - atHandToo),
    maxSize: most * 1024,
    sizeCalculation: (text, key) => PACKED_OCTETS + text.length + key.length,
  })
  const atHand = new LRUCache<string, Placed>({
    max: atHandToo,
    maxSize: atHandToo * 1024,
    sizeCalculation: ({ held }) => octetsOf(held.fact),
    dispose: (placed, key, reason) => {
      if (reason === 'evict' && atHandToo < most) packed.set(flat(key), pack(placed))
    },
  })

  function unpacked(
    key: string,
    name: DomainName,
    type: RecordType,
    now: number,
  ): Held | undefined {
    const text = packed.get(key)
    if (text === undefined) return undefined
    packed.delete(key)
    const held = unpack(text, name, type, now)
    if (held) atHand.set(key, { name, type, held })
    return held
  }

  return {
    get(name, type, now) {
      const key = keyOf(name, type)
      const held = atHand.get(key)?.held
      if (held === undefined) return unpacked(key, name, type, now)
      if (held.fact.expiresAt > now) return held
      atHand.delete(key)
      return undefined
    },
    put(name, type, held) {
      const key = keyOf(name, type)
      packed.delete(key)
      atHand.set(key, { name, type, held })
    },
    clear() {
      atHand.clear()
      packed.clear()
    },
  }
}

function pack({ name, type, held: { fact, askedAt, renewAt } }: Placed): string {
  const times = `${Math.floor(askedAt)} ${Math.floor(renewAt)}`
  return flat(`${times} ${composeEntry(name, type, fact, undefined)}`)
}

function unpack(text: string, name: DomainName, type: RecordType, now: number): Held | undefined {
  const [askedAt = '', renewAt = ''] = text.split(' ', 2)
  const entry = text.slice(askedAt.length + renewAt.length + 2)
  const fact = parseEntry(name, type, entry, undefined, now, Infinity)
  return fact && { fact, askedAt: Number(askedAt), renewAt: Number(renewAt) }
}

/** The same text in one piece: V8 keeps what was put together as a tree of its parts, twice as large. */
function flat(ascii: string): string {
  return ascii.length > SCRATCH.length
    ? ascii
    : SCRATCH.toString('latin1', 0, SCRATCH.write(ascii, 'latin1'))
}

const SCRATCH = Buffer.alloc(4096)

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
/** The map's share of a packed one, and the heads of two strings. */
const PACKED_OCTETS = 150

/** Two thousand destinations of one host. */
const AT_HAND = 8_000

function keyOf(name: DomainName, type: RecordType): string {
  return `${type} ${name}`
}
