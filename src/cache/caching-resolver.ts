/**
 * A resolver with a cache in front of it.
 *
 * Facts come from the memory of this process, then from the cache it shares with others,
 * until they expire (RFC 6698 §8.2); only then is DNS queried, once for equal questions
 * in flight at the same time, here or in other processes. A fact in use is prefetched
 * shortly before it expires. Failures are returned to the callers and remembered for a
 * few seconds at most, so as not to overload a broken zone (RFC 9520 §3.2), never as facts.
 *
 * `refresh` bypasses both layers, before a host is refused because of data that may be stale.
 * A resolver may serve expired data (RFC 8767), with or without an extended error; most
 * then fetch it again at once. So `refresh` waits a moment after the last query, and an
 * answer that is marked stale is queried again after that moment, and never cached.
 *
 * Effects: none of its own; clock, timer, randomness, stores and inner resolver are passed in.
 */
import { LRUCache } from 'lru-cache'
import type {
  CachedResolver,
  Fact,
  Failed,
  FailureCause,
  Lookup,
  LookupObserver,
  RecordType,
  Resolver,
} from '../lookup.js'
import type { DomainName } from '../name.js'
import { createCoalesce } from './coalesce.js'
import type { Held, MemoryStore } from './memory-store.js'
import { hold } from './prefetch.js'
import type { SharedStore } from './shared-store.js'

export type CachingParts = {
  readonly inner: Resolver
  readonly memory: MemoryStore
  readonly shared: SharedStore
  /** Facts with a shorter lifetime are not cached, in milliseconds. */
  readonly minTtlMs: number
  /** No fact is cached for longer, in milliseconds. */
  readonly maxTtlMs: number
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** From 0 inclusive to 1 exclusive. */
  readonly random: () => number
  readonly observe: LookupObserver
  /** Settles after so many milliseconds; by default at once. */
  readonly pause?: (milliseconds: number) => Promise<unknown>
}

export function createCachingResolver(parts: CachingParts): CachedResolver {
  const { memory, now, observe, pause = atOnce } = parts
  const coalesce = createCoalesce()
  const failures = createFailureMemory(now)
  const { ask, find, prefetch } = createSources(parts, failures)

  function remembered<T extends RecordType>(name: DomainName, type: T): Fact<T> | undefined {
    const at = now()
    const held = memory.get(name, type, at)
    if (held === undefined) return undefined
    if (held.prefetchAt <= at) {
      held.prefetchAt = Infinity
      // Not coalesced with lookups: one after the expiry must not get the expired fact.
      coalesce('prefetch', name, type, () => prefetch(name, type, held)).catch(() => {
        // the first lookup after the expiry reports it
      })
    }
    observe(PROCESS_HIT)
    return held.fact
  }

  return {
    remembered,

    lookup(name, type) {
      const answer = remembered(name, type) ?? failures.recent(name, type)
      return answer
        ? Promise.resolve(answer)
        : coalesce('lookup', name, type, () => find(name, type))
    },

    refresh(name, type) {
      const failed = failures.recent(name, type)
      if (failed) return Promise.resolve(failed)
      return coalesce('refresh', name, type, async () => {
        const at = now()
        const { askedAt = 0 } = memory.get(name, type, at) ?? {}
        if (at - askedAt < SETTLE_MS) await pause(SETTLE_MS - (at - askedAt))
        return ask(name, type)
      })
    },
  }
}

/** Sources of a fact that is not in the memory of this process. */
function createSources(parts: CachingParts, failures: FailureMemory) {
  const { inner, memory, shared, minTtlMs, maxTtlMs, now, random, observe, pause = atOnce } = parts

  /** The shared cache, then DNS. */
  async function find<T extends RecordType>(name: DomainName, type: T): Promise<Lookup<T>> {
    const since = memory.generation()
    const known = await shared.find(name, type)
    // If everything was flushed in the meantime, the fact may be invalid.
    return known && memory.generation() === since ? adopt(name, type, known) : ask(name, type)
  }

  /** Keeps a fact that another process looked up. */
  function adopt<T extends RecordType>(name: DomainName, type: T, fact: Fact<T>): Fact<T> {
    observe({ kind: 'hit', layer: 'redis' })
    memory.put(name, type, hold(fact, 0, now(), random()))
    return fact
  }

  /** Queries DNS and shares the answer. */
  async function ask<T extends RecordType>(name: DomainName, type: T): Promise<Lookup<T>> {
    const since = memory.generation()
    const lookup = limited(await current(name, type))
    if (lookup.kind === 'failed') {
      failures.note(name, type, lookup)
      release(name, type, undefined)
      return lookup
    }
    // A query sent before everything was flushed may be part of what is invalid.
    const isCurrent =
      lookup.expiresAt - now() >= Math.max(1, minTtlMs) && memory.generation() === since
    const isKept = isCurrent && lookup.isStale !== true
    if (isKept) {
      memory.put(name, type, hold(lookup, now(), now(), random()))
      observe({ kind: 'cached', name, type, lookup })
    }
    release(name, type, isKept ? lookup : undefined)
    return lookup
  }

  /** The answer of DNS, the second one if the first is stale. */
  async function current<T extends RecordType>(name: DomainName, type: T): Promise<Lookup<T>> {
    const first = await inner.lookup(name, type)
    if (first.kind === 'failed' || first.isStale !== true) return first
    await pause(SETTLE_MS)
    return inner.lookup(name, type)
  }

  async function prefetch<T extends RecordType>(
    name: DomainName,
    type: T,
    { fact }: Held<T>,
  ): Promise<Lookup<T>> {
    const since = memory.generation()
    const claim = await shared.claim(name, type, fact.expiresAt)
    switch (claim.kind) {
      case 'ours':
        return ask(name, type)
      case 'known':
        return memory.generation() === since ? adopt(name, type, claim.fact) : ask(name, type)
      case 'theirs':
        return fact
    }
  }

  /** Does not wait for the result. */
  function release(name: DomainName, type: RecordType, found: Fact | undefined): void {
    shared.release(name, type, found).catch(() => {
      // it does not reject; if it did, other processes would query DNS
    })
  }

  function limited<T extends RecordType>(lookup: Lookup<T>): Lookup<T> {
    if (lookup.kind === 'failed') return lookup
    const latest = now() + maxTtlMs
    return lookup.expiresAt <= latest ? lookup : { ...lookup, expiresAt: latest }
  }

  return { ask, find, prefetch }
}

function atOnce(): Promise<void> {
  return Promise.resolve()
}

type FailureMemory = {
  readonly note: (name: DomainName, type: RecordType, failed: Failed) => void
  readonly recent: (name: DomainName, type: RecordType) => Failed | undefined
}

function createFailureMemory(now: () => number): FailureMemory {
  const failures = new LRUCache<string, { readonly failed: Failed; readonly until: number }>({
    max: MAX_FAILURES,
  })
  return {
    note(name, type, failed) {
      const until = now() + (FAILURE_MS[failed.cause] ?? USUAL_FAILURE_MS)
      failures.set(`${type} ${name}`, { failed, until })
    },
    recent(name, type) {
      const known = failures.get(`${type} ${name}`)
      return known && known.until > now() ? known.failed : undefined
    },
  }
}

const PROCESS_HIT = { kind: 'hit', layer: 'process' } as const

/** RFC 9520 §3.2: at least one second, at most five minutes; a queue retries after five at the earliest. */
const USUAL_FAILURE_MS = 5_000
/** Failures of the resolver rather than of the name expire sooner. */
const FAILURE_MS: Partial<Record<FailureCause, number>> = { network: 1_000, 'no-resolver': 0 }
const MAX_FAILURES = 10_000

/** Milliseconds that a resolver usually needs at most to refetch data that it has just served stale. */
const SETTLE_MS = 500
