/**
 * What all processes know of each destination, as far as it was told.
 *
 * Of what two processes say, the later one counts. What a process has told is kept when it
 * ends. Bounded: `MAX_DESTINATIONS`, those without news for the longest time are forgotten
 * first. Pure.
 */
import { LRUCache } from 'lru-cache'
import type { RowFacts } from './facts.js'
import { MAX_DESTINATIONS } from './status-model.js'
import type { DaneState } from './status-model.js'

export class MergedFacts {
  private readonly rows: LRUCache<string, RowFacts>
  private news = 0

  constructor(limit = MAX_DESTINATIONS) {
    this.rows = new LRUCache({ max: limit })
  }

  /** Another number means that something has changed. */
  get version(): number {
    return this.news
  }

  take(rows: readonly RowFacts[]): void {
    if (rows.length > 0) this.news++
    for (const row of rows) {
      const known = this.rows.get(row.destination)
      this.rows.set(row.destination, known === undefined ? row : merge(known, row))
    }
  }

  of(destination: string): RowFacts | undefined {
    return this.rows.peek(destination)
  }

  destinations(): Iterable<string> {
    return this.rows.keys()
  }
}

function merge(a: RowFacts, b: RowFacts): RowFacts {
  const planned = b.plannedAt >= a.plannedAt ? b : a
  return {
    destination: a.destination,
    dane: daneAt(b.dane) >= daneAt(a.dane) ? b.dane : a.dane,
    hosts: planned.hosts,
    plannedAt: planned.plannedAt,
    isRouted: planned.isRouted,
    lastSuccess: later(a.lastSuccess, b.lastSuccess),
    lastRefusal: later(a.lastRefusal, b.lastRefusal),
  }
}

function daneAt(state: DaneState): number {
  return 'at' in state ? state.at : 0
}

/** The later one; of two at the same time, the second. */
export function later<T extends { readonly at: number }>(
  a: T | undefined,
  b: T | undefined,
): T | undefined {
  if (a === undefined || b === undefined) return a ?? b
  return b.at >= a.at ? b : a
}
