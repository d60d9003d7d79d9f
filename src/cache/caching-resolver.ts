/**
 * Has this been asked before?
 *
 * A resolver around a resolver: facts come from this process's memory, then from what
 * it shares with others, until they expire (RFC 6698 §8.2); only then is DNS asked, and
 * one question that many ask at once, here or in other processes, is asked once. A fact
 * in use is asked for again shortly before it expires. Failures reach those who asked
 * and are remembered for a few seconds at most, so as not to beat on a broken zone
 * (RFC 9520 §3.2), never as facts.
 *
 * `refresh` goes past both layers, for those who are about to refuse a host for what
 * may be out of date.
 *
 * Effects: none of its own; clock, chance, stores and inner resolver are given.
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
import type { Held, MemoryStore } from './memory-store.js'
import type { SharedStore } from './shared-store.js'

export type CachingParts = {
  readonly inner: Resolver
  readonly memory: MemoryStore
  readonly shared: SharedStore
  /** Facts that live shorter are not kept, in milliseconds. */
  readonly minTtlMs: number
  /** No fact is kept longer, in milliseconds. */
  readonly maxTtlMs: number
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** From 0 inclusive to 1 exclusive. */
  readonly random: () => number
  readonly observe: LookupObserver
}

export function createCachingResolver(parts: CachingParts): CachedResolver {
  const { inner, memory, shared, minTtlMs, maxTtlMs, now, random, observe } = parts
  const underway = new Map<string, Promise<Lookup>>()
  const failures = new LRUCache<string, { readonly failed: Failed; readonly until: number }>({
    max: MAX_FAILURES,
  })

  /** All who ask the same at the same time share one answer. */
  function once(key: string, work: () => Promise<Lookup>): Promise<Lookup> {
    const asked = underway.get(key)
    if (asked) return asked
    const asking = work().finally(() => underway.delete(key))
    underway.set(key, asking)
    return asking
  }

  async function find(name: DomainName, type: RecordType): Promise<Lookup> {
    const known = await shared.get(name, type)
    if (known) return adopt(name, type, known)
    const claim = await shared.claim(name, type)
    switch (claim.kind) {
      case 'ours':
        return ask(name, type)
      case 'known':
        return adopt(name, type, claim.fact)
      case 'theirs': {
        const found = await shared.wait(name, type)
        return found ? adopt(name, type, found) : ask(name, type)
      }
    }
  }

  /** A fact that somebody else was told. */
  function adopt(name: DomainName, type: RecordType, fact: Fact): Fact {
    observe({ kind: 'hit', layer: 'redis' })
    memory.put(name, type, hold(fact, 0))
    return fact
  }

  /** DNS, and what it says is for everybody. */
  async function ask(name: DomainName, type: RecordType): Promise<Lookup> {
    const lookup = limited(await inner.lookup(name, type))
    if (lookup.kind === 'failed') {
      const until = now() + (FAILURE_MS[lookup.cause] ?? USUAL_FAILURE_MS)
      failures.set(keyOf(name, type), { failed: lookup, until })
      release(name, type, undefined)
      return lookup
    }
    const isKept = lookup.expiresAt - now() >= Math.max(1, minTtlMs)
    if (isKept) {
      memory.put(name, type, hold(lookup, now()))
      observe({ kind: 'cached', name, type, lookup })
    }
    release(name, type, isKept ? lookup : undefined)
    return lookup
  }

  /** Nobody here has to wait for it. */
  function release(name: DomainName, type: RecordType, found: Fact | undefined): void {
    shared.release(name, type, found).catch(() => {
      // It does not reject; and if it did, the others would ask DNS.
    })
  }

  function limited(lookup: Lookup): Lookup {
    if (lookup.kind === 'failed') return lookup
    const latest = now() + maxTtlMs
    return lookup.expiresAt <= latest ? lookup : { ...lookup, expiresAt: latest }
  }

  /** With some chance in when it is renewed, so that processes do not all ask at once. */
  function hold(fact: Fact, askedAt: number): Held {
    const life = fact.expiresAt - now()
    const early = Math.min(life * RENEWAL_SHARE, MAX_RENEWAL_MS) * (0.5 + random() / 2)
    const renewAt = life < MIN_RENEWED_MS ? Infinity : fact.expiresAt - early
    return { fact, askedAt, renewAt }
  }

  /** Somebody uses what expires soon: asked for again beside the answer. */
  function renew(name: DomainName, type: RecordType, held: Held): void {
    held.renewAt = Infinity
    // Not under the key of lookups: who asks after the expiry must not be given what has expired.
    once(`renew ${keyOf(name, type)}`, async () => {
      const claim = await shared.claim(name, type, held.fact.expiresAt)
      switch (claim.kind) {
        case 'ours':
          return ask(name, type)
        case 'known':
          return adopt(name, type, claim.fact)
        case 'theirs':
          return held.fact
      }
    }).catch(() => {
      // The one who asks after the expiry hears of it.
    })
  }

  function recentFailure(key: string): Failed | undefined {
    const known = failures.get(key)
    return known && known.until > now() ? known.failed : undefined
  }

  function remembered(name: DomainName, type: RecordType): Fact | undefined {
    const at = now()
    const held = memory.get(name, type, at)
    if (held === undefined) return undefined
    if (held.renewAt <= at) renew(name, type, held)
    observe(PROCESS_HIT)
    return held.fact
  }

  return {
    remembered,

    lookup(name, type) {
      const fact = remembered(name, type)
      if (fact) return Promise.resolve(fact)
      const key = keyOf(name, type)
      const failed = recentFailure(key)
      return failed ? Promise.resolve(failed) : once(key, () => find(name, type))
    },

    refresh(name, type) {
      const held = memory.get(name, type, now())
      if (held && now() - held.askedAt < FRESH_MS) return Promise.resolve(held.fact)
      const key = keyOf(name, type)
      const failed = recentFailure(key)
      return failed ? Promise.resolve(failed) : once(`fresh ${key}`, () => ask(name, type))
    },
  }
}

function keyOf(name: DomainName, type: RecordType): string {
  return `${type} ${name}`
}

const PROCESS_HIT = { kind: 'hit', layer: 'process' } as const

/** RFC 9520 §3.2: at least one second, at most five minutes; a queue tries again after five at the earliest. */
const USUAL_FAILURE_MS = 5_000
/** What says more about the way to the resolver than about the name is forgotten sooner. */
const FAILURE_MS: Partial<Record<FailureCause, number>> = { network: 1_000, 'no-resolver': 0 }
const MAX_FAILURES = 10_000

/** What DNS said a moment ago is fresh enough for anyone. */
const FRESH_MS = 5_000

/** Share of its life before the end of which a fact is renewed, and the bounds of that. */
const RENEWAL_SHARE = 0.1
const MAX_RENEWAL_MS = 30_000
const MIN_RENEWED_MS = 10_000
