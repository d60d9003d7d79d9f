/**
 * What is held of a name in the cache that relays share, and how is it taken out?
 *
 * For people: unlike redis-store.ts it rejects when Redis fails, and tells what is
 * there and not believed from what is not there. A purge takes keys out and counts up
 * the epoch, which every relay watches: what it holds in its own memory goes too.
 */
import type { Fact, RecordType } from '../lookup.js'
import type { DomainName } from '../name.js'
import { entryKey, KEY_START, parseEntry } from './entry.js'
import { EPOCH_KEY } from './redis-store.js'
import type { RedisClient } from './redis-client.js'

export type Held =
  | { readonly kind: 'fact'; readonly fact: Fact }
  /** Damaged, of another version, not authentic, or past its time. */
  | { readonly kind: 'not-believed' }

export type Inspection = {
  readonly look: (name: DomainName, type: RecordType) => Promise<Held | undefined>
  /** Whether it was there. */
  readonly remove: (name: DomainName, type: RecordType) => Promise<boolean>
  /** How many there were. */
  readonly removeAll: () => Promise<number>
  /** Every relay forgets what it holds in its own memory, within some seconds. */
  readonly tellRelays: () => Promise<void>
}

export type InspectionParts = {
  readonly client: RedisClient
  readonly prefix: string
  readonly secret: string | undefined
  readonly maxTtlMs: number
  /** Milliseconds since the epoch. */
  readonly now: () => number
}

export function createInspection(parts: InspectionParts): Inspection {
  const { client, prefix, secret, maxTtlMs, now } = parts
  const removeKey = async (key: string): Promise<boolean> => (await client.remove(key)) === 1
  return {
    async look(name, type) {
      const text = await client.get(prefix + entryKey(name, type))
      if (text === null) return undefined
      const fact = parseEntry(name, type, text, secret, now(), maxTtlMs)
      return fact ? { kind: 'fact', fact } : { kind: 'not-believed' }
    },

    remove: (name, type) => removeKey(prefix + entryKey(name, type)),

    async removeAll() {
      const keys = await client.keys(prefix + KEY_START)
      const removed = await Promise.all(
        keys.filter((key) => key !== prefix + EPOCH_KEY).map(removeKey),
      )
      return removed.filter((wasThere) => wasThere).length
    },

    async tellRelays() {
      await client.increment(prefix + EPOCH_KEY)
    },
  }
}
