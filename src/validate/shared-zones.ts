/**
 * Keeps zones in memory and shares them with other processes.
 *
 * What this process proves is written to the shared store, and what another one has proven
 * is read from it before it is asked for in DNS, so that it needs no DS and DNSKEY
 * questions. The shared store is an optimization: reading never rejects and ends in time,
 * and no lookup waits for writing.
 *
 * What was read while everything was being forgotten is not kept. Store and clock are
 * passed in.
 */
import { labelCount, wireNameText } from '../wire-name.js'
import type { WireName } from '../wire-name.js'
import type { AlgorithmPolicy } from './key.js'
import { composeZone, parseZone } from './zone-entry.js'
import type { ClearableZones, KeptZone, ZoneStore } from './zone-store.js'

/** Texts that several processes share. Nothing here rejects or takes long. */
export type SharedTexts = {
  /** The text and for how many milliseconds it may still be used. */
  readonly read: (
    id: string,
  ) => Promise<{ readonly body: string; readonly leftMs: number } | undefined>
  readonly write: (id: string, body: string, lifeMs: number) => Promise<void>
}

export type SharedZoneParts = {
  readonly memory: ClearableZones
  readonly texts: SharedTexts
  readonly policy: AlgorithmPolicy
  /** Milliseconds since the epoch, by the wall clock. */
  readonly now: () => number
}

export function createSharedZones({ memory, texts, policy, now }: SharedZoneParts): ZoneStore {
  function isKnown(apex: WireName, under: string): boolean {
    const zone = memory.get(apex)
    return zone?.under === under && zone.expiresAt > now()
  }

  async function read(apex: WireName, under: string): Promise<KeptZone | undefined> {
    // Before the store computes the remaining life.
    const at = now()
    const stored = await texts.read(zoneId(apex, under))
    if (stored === undefined) return undefined
    const until = at + stored.leftMs
    return parseZone(stored.body, { apex, under, policy, now: now(), until })
  }

  return {
    get: (apex) => memory.get(apex),
    generation: () => memory.generation(),
    put(zone) {
      memory.put(zone)
      const lifeMs = Math.floor(zone.expiresAt - now())
      if (lifeMs <= 0) return
      texts.write(zoneId(zone.apex, zone.under), composeZone(zone), lifeMs).catch(nothing)
    },
    async load(apexes, under) {
      const since = memory.generation()
      const missing = apexes
        .filter((apex) => labelCount(apex) <= MOST_LABELS && !isKnown(apex, under))
        .slice(-MOST_READ)
      const zones = await Promise.all(missing.map((apex) => read(apex, under)))
      if (memory.generation() !== since) return
      for (const zone of zones) {
        // Proven here in the meantime: newer.
        if (zone !== undefined && !isKnown(zone.apex, under)) memory.put(zone)
      }
    },
  }
}

/** What an entry is stored at: relays with other anchors have their own. */
export function zoneId(apex: WireName, under: string): string {
  return `${under}:${wireNameText(apex)}`
}

function nothing(): void {
  // it does not reject; if it did, other processes would prove the zone themselves
}

/** Deeper names are hardly ever zones. */
const MOST_LABELS = 20
/** Entries read for one lookup, the uppermost ones. */
const MOST_READ = 12
