/**
 * How do the parts fit together?
 *
 * Settings in, a running resolver out. The only file that knows that a cache wraps a
 * stub, that the stub has sockets, and what the time is.
 */
import { randomInt } from 'node:crypto'
import { performance } from 'node:perf_hooks'
import { createCachingResolver } from './cache/caching-resolver.js'
import { createMemoryStore } from './cache/memory-store.js'
import { createStub } from './dns/stub.js'
import { exchangeTcp, exchangeUdp } from './dns/transport.js'
import type { LookupObserver, Resolver } from './lookup.js'
import type { Settings } from './settings.js'

/** The resolver that these settings describe. It holds nothing that has to be closed. */
export function assembleResolver(settings: Settings, observe: LookupObserver): Resolver {
  // A clock that is set back must not lengthen the life of a fact, nor a machine that slept.
  const now = (): number => Math.max(Date.now(), performance.timeOrigin + performance.now())
  const inner = createStub({
    ...settings.resolver,
    udp: exchangeUdp,
    tcp: exchangeTcp,
    now,
    randomId: () => randomInt(0x10000),
    observe,
  })
  const store = createMemoryStore(settings.cache.entries)
  return createCachingResolver({ inner, store, now, observe })
}
