/**
 * Keeps zones that were established: their keys, or that they are insecure.
 *
 * A zone is kept until the DS and DNSKEY RRsets that prove it expire, by TTL or by the end
 * of their signatures (RFC 4035 §5.3.3), so a changed DS RRset counts from then on. It
 * carries a digest of the trust anchors and of the policy it was proven under, so that
 * other anchors forget it. Bogus zones are never kept.
 *
 * The memory implementation forgets the zone that was used longest ago. Pure, except for
 * what it keeps.
 */
import type { ZoneKey } from './key.js'
import type { WireName } from '../wire-name.js'

export type KeptZone = {
  readonly apex: WireName
  /** Undefined: proven insecure (RFC 4035 §5.2). */
  readonly keys: readonly ZoneKey[] | undefined
  /** Why it is insecure, in words; empty if it is not. */
  readonly detail: string
  /** Milliseconds since the epoch. */
  readonly expiresAt: number
  /** What it was proven under; see proven-under.ts. */
  readonly under: string
}

export type ZoneStore = {
  /** What this process knows; the caller checks expiry and anchors. */
  get(apex: WireName): KeptZone | undefined
  put(zone: KeptZone): void
  /** Changes whenever everything is forgotten. What was asked before must not be put then. */
  generation(): number
  /** Fetches what other processes know of these names, so that `get` has it. Never rejects. */
  load?(apexes: readonly WireName[], under: string): Promise<void>
}

export type ClearableZones = ZoneStore & {
  clear(): void
}

/** @param most zones kept; about 1 kB each */
export function createMemoryZones(most = 20_000): ClearableZones {
  const zones = new Map<WireName, KeptZone>()
  let generation = 0
  return {
    get(apex) {
      const zone = zones.get(apex)
      if (zone === undefined) return undefined
      // The order of a Map is that of insertion: the first is the one used longest ago.
      zones.delete(apex)
      zones.set(apex, zone)
      return zone
    },
    put(zone) {
      zones.delete(zone.apex)
      zones.set(zone.apex, zone)
      for (const apex of zones.keys()) {
        if (zones.size <= most) break
        zones.delete(apex)
      }
    },
    clear() {
      zones.clear()
      generation++
    },
    generation: () => generation,
  }
}
