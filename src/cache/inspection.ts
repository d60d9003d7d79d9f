/**
 * Shows and removes entries of the shared cache, for `haraka-dane cache`.
 *
 * Unlike redis-store.ts it rejects when Redis fails, and distinguishes an entry that is
 * not believed from a missing one. Removing everything first advances the epoch, which
 * invalidates all entries at once, including those written while keys are removed; the
 * removal itself only frees memory, in batches. Zones are passed on as text.
 */
import type { Fact, RecordType } from '../lookup.js'
import type { DomainName } from '../name.js'
import { composeEpoch, epochKey, MAX_MARK, nextEpoch, parseEpoch, purgeKey } from './epoch.js'
import type { Epoch } from './epoch.js'
import { toFact } from './redis-store.js'
import type { RedisClient } from './redis-client.js'
import { factKey, KEY_START, MAX_ENTRY, openEntry, zoneKey } from './seal.js'
import type { Vault } from './seal.js'
import { tryCommands } from './trial.js'
import type { TrialFault } from './trial.js'
import { errorText } from '../text.js'

export type Inspected<T extends RecordType = RecordType> =
  | { readonly kind: 'fact'; readonly fact: Fact<T> }
  /** Damaged, of another version or epoch, not authentic, or expired. */
  | { readonly kind: 'not-believed' }

export type Inspection = {
  readonly look: <T extends RecordType>(
    name: DomainName,
    type: T,
  ) => Promise<Inspected<T> | undefined>
  /** Whether it existed. */
  readonly remove: (name: DomainName, type: RecordType) => Promise<boolean>
  /** The text of a zone, and for how many milliseconds it may still be used. */
  readonly lookZone: (
    id: string,
  ) => Promise<{ readonly body: string; readonly leftMs: number } | 'not-believed' | undefined>
  /** Whether it existed. */
  readonly removeZone: (id: string) => Promise<boolean>
  /** Invalidates everything that any relay has stored or remembers. Returns how much there was. */
  readonly removeAll: () => Promise<{ readonly answers: number; readonly zones: number }>
  /** Tries each command that is needed; empty if all work. */
  readonly tryOut: () => Promise<readonly TrialFault[]>
  /** Every relay clears its own memory, within a few seconds. */
  readonly tellRelays: () => Promise<void>
}

export type InspectionParts = {
  readonly client: RedisClient
  readonly vault: Vault
  readonly maxTtlMs: number
  /** Milliseconds since the epoch, by the wall clock. */
  readonly wall: () => number
  /** 16 random hexadecimal digits. */
  readonly nonce: () => string
}

export function createInspection(parts: InspectionParts): Inspection {
  const { client, vault, maxTtlMs, wall, nonce } = parts
  const removeKey = async (key: string): Promise<boolean> => (await client.remove(key)) === 1

  async function epochNow(): Promise<Epoch | undefined> {
    const stored = await client.read(epochKey(vault), MAX_MARK)
    return stored && parseEpoch(vault, stored.text)
  }

  return {
    async look(name, type) {
      const at = wall()
      const [epoch, stored] = await Promise.all([
        epochNow(),
        client.read(factKey(vault, name, type), MAX_ENTRY + 1),
      ])
      if (stored === undefined) return undefined
      const fact =
        epoch === undefined
          ? undefined
          : toFact(vault, name, type, stored, { epoch, at, wall: wall(), maxTtlMs })
      return fact ? { kind: 'fact', fact } : { kind: 'not-believed' }
    },

    remove: (name, type) => removeKey(factKey(vault, name, type)),

    async lookZone(id) {
      const key = zoneKey(vault, id)
      const [epoch, stored] = await Promise.all([epochNow(), client.read(key, MAX_ENTRY + 1)])
      if (stored === undefined) return undefined
      const { text, leftMs } = stored
      const reading = { wall: wall(), leftMs, maxTtlMs }
      const entry =
        epoch === undefined ? undefined : openEntry(vault, key, text, { epoch, ...reading })
      return entry ?? 'not-believed'
    },

    removeZone: (id) => removeKey(zoneKey(vault, id)),

    async removeAll() {
      const advance = async (): Promise<void> => {
        const epoch = nextEpoch(await epochNow(), wall(), nonce())
        await client.set(epochKey(vault), composeEpoch(vault, epoch), undefined)
      }
      // A full Redis accepts the epoch when entries have been removed.
      const isAdvanced = await advance().then(yes, no)
      let removed = 0
      let zones = 0
      const ours = vault.prefix + KEY_START
      const zonesStart = zoneKey(vault, '')
      for await (const keys of client.keys(ours)) {
        const entries = keys.filter((key) => !MARKS.test(key.slice(ours.length)))
        const gone = await Promise.all(entries.map(removeKey))
        removed += gone.filter((wasThere) => wasThere).length
        zones += gone.filter((wasThere, i) => wasThere && entries[i]?.startsWith(zonesStart)).length
      }
      if (!isAdvanced) {
        await advance().catch((error: unknown) => {
          throw new Error(`${removed} entries removed, but ${NOT_TOLD}: ${errorText(error)}`)
        })
      }
      return { answers: removed - zones, zones }
    },

    tryOut: () => tryCommands(client, vault, nonce()),

    async tellRelays() {
      await client.set(purgeKey(vault), nonce(), undefined).catch((error: unknown) => {
        throw new Error(`entries removed, but ${NOT_TOLD}: ${errorText(error)}`)
      })
    },
  }
}

function yes(): true {
  return true
}

function no(): false {
  return false
}

const NOT_TOLD = 'the relays still use their own copies'

/** Keys other than entries: epochs, and the purge token. */
const MARKS = /^(?:epoch|purge)(?::|$)/
