/**
 * Shows and removes the zones that processes share, for `haraka-dane cache`.
 *
 * A lookup of a name uses the zone that holds it, and what vouches for that zone: so the
 * zones at the names given and above them are meant, except the root and top-level domains
 * that are not given themselves. Those hold other domains too; only removing everything
 * removes them. Rejects when the store fails. Store and clock are passed in.
 */
import type { DomainName } from '../name.js'
import { labelCount, parentOf, toWireName, wireNameText } from '../wire-name.js'
import type { WireName } from '../wire-name.js'
import type { AlgorithmPolicy } from './key.js'
import { zoneId } from './shared-zones.js'
import { parseZone } from './zone-entry.js'

export type ZoneInspectionParts = {
  readonly texts: {
    readonly lookZone: (
      id: string,
    ) => Promise<{ readonly body: string; readonly leftMs: number } | 'not-believed' | undefined>
    /** Whether it existed. */
    readonly removeZone: (id: string) => Promise<boolean>
  }
  /** See proven-under.ts: zones of relays with other anchors are not shown. */
  readonly under: string
  readonly policy: AlgorithmPolicy
  /** Milliseconds since the epoch, by the wall clock. */
  readonly now: () => number
}

export type StoredZone = {
  readonly zone: string
  /** `ignored`: damaged, of another version or epoch, not authentic, or expired. */
  readonly kind: 'secure' | 'insecure' | 'ignored'
  /** Why it is insecure. */
  readonly detail: string
  readonly keys: readonly { readonly keyTag: number; readonly algorithm: number }[]
  /** Milliseconds since the epoch. */
  readonly expiresAt: number
}

export type ZoneInspection = {
  /** The uppermost first. */
  readonly zonesOf: (names: Iterable<DomainName>) => Promise<readonly StoredZone[]>
  /** How many there were. */
  readonly removeZonesOf: (names: Iterable<DomainName>) => Promise<number>
}

export function createZoneInspection(parts: ZoneInspectionParts): ZoneInspection {
  const { texts, under, policy, now } = parts

  async function look(apex: WireName): Promise<readonly StoredZone[]> {
    const at = now()
    const stored = await texts.lookZone(zoneId(apex, under))
    if (stored === undefined) return []
    const zone = wireNameText(apex)
    const ignored = { zone, kind: 'ignored', detail: '', keys: [], expiresAt: at } as const
    if (stored === 'not-believed') return [ignored]
    const until = at + stored.leftMs
    const kept = parseZone(stored.body, { apex, under, policy, now: now(), until })
    if (kept === undefined) return [ignored]
    const { keys, detail, expiresAt } = kept
    const kind = keys === undefined ? 'insecure' : 'secure'
    return [{ zone, kind, detail, keys: keys ?? [], expiresAt }]
  }

  return {
    zonesOf: async (names) => (await Promise.all(apexesOf(names).map(look))).flat(),
    async removeZonesOf(names) {
      const ids = apexesOf(names).map((apex) => zoneId(apex, under))
      const removed = await Promise.all(ids.map((id) => texts.removeZone(id)))
      return removed.filter(Boolean).length
    },
  }
}

/** Where zones that hold these names may begin, the uppermost first. */
function apexesOf(names: Iterable<DomainName>): readonly WireName[] {
  const apexes = new Set<WireName>()
  for (const name of names) {
    const own = toWireName(name)
    apexes.add(own)
    for (let at = parentOf(own); at !== undefined && labelCount(at) > 1; at = parentOf(at)) {
      apexes.add(at)
    }
  }
  return [...apexes].sort((a, b) => labelCount(a) - labelCount(b))
}
