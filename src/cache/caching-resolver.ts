/**
 * Has this been asked before?
 *
 * A resolver around a resolver: facts come from the store until they expire (RFC
 * 6698 §8.2), one question that many ask at once is asked once, and failures reach
 * those who asked but are not kept, so that the next message asks anew.
 *
 * Effects: none of its own; clock, store and inner resolver are given.
 */
import type { Lookup, LookupObserver, RecordType, Resolver } from '../lookup.js'
import type { DomainName } from '../name.js'
import type { Store } from './memory-store.js'

export type CachingParts = {
  readonly inner: Resolver
  readonly store: Store
  /** Milliseconds since the epoch. */
  readonly now: () => number
  readonly observe: LookupObserver
}

export function createCachingResolver({ inner, store, now, observe }: CachingParts): Resolver {
  const underway = new Map<string, Promise<Lookup>>()

  async function ask(name: DomainName, type: RecordType): Promise<Lookup> {
    const lookup = await inner.lookup(name, type)
    if (lookup.kind !== 'failed' && lookup.expiresAt > now()) {
      store.put(name, type, lookup)
      observe({ kind: 'cached', name, type, lookup })
    }
    return lookup
  }

  return {
    lookup(name, type) {
      const fact = store.get(name, type, now())
      if (fact) return Promise.resolve(fact)
      const key = `${type} ${name}`
      const asked = underway.get(key)
      if (asked) return asked
      const asking = ask(name, type).finally(() => underway.delete(key))
      underway.set(key, asking)
      return asking
    },
  }
}
