/**
 * How do the parts fit together?
 *
 * Settings in, a running resolver out. The only file that knows that a cache wraps a
 * pool of stubs, that a stub has sockets, and what the time is.
 */
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { performance } from 'node:perf_hooks'
import { createCachingResolver } from './cache/caching-resolver.js'
import { createMemoryStore } from './cache/memory-store.js'
import { createAsk } from './dns/ask.js'
import { createPool } from './dns/pool.js'
import type { Member } from './dns/pool.js'
import { prove } from './dns/probe.js'
import { createStub } from './dns/stub.js'
import { tcpTo, tlsTo } from './dns/stream.js'
import { udpTo } from './dns/datagram.js'
import type { LookupObserver, Resolver } from './lookup.js'
import { SettingsError } from './option-reader.js'
import { isTrustedChannel, serverText } from './server-address.js'
import type { ResolverAddress } from './server-address.js'
import type { ResolverSettings, Settings } from './settings.js'
import { errorText } from './text.js'

export type RunningResolver = Resolver & {
  /** Ends probes and idle connections; lookups that are underway come to their end. */
  readonly close: () => void
}

/** The resolver that these settings describe. Throws a SettingsError for a file that cannot be read. */
export function assembleResolver(settings: Settings, observe: LookupObserver): RunningResolver {
  const { servers, timeoutMs, probe } = settings.resolver
  const members = servers.map((server) => openMember(server, settings.resolver, observe))
  const pool = createPool({
    members,
    timeoutMs,
    probeIntervalMs: probe.intervalMs,
    now,
    schedule,
    random: Math.random,
    observe,
  })
  const store = createMemoryStore(settings.cache.entries)
  return {
    ...createCachingResolver({ inner: pool, store, now, observe }),
    close() {
      pool.close()
      for (const { close } of members) close()
    },
  }
}

/** One resolver with its sockets, neither cached nor probed until it is asked to prove itself. */
export function openMember(
  server: ResolverAddress,
  { isNetworkTrusted, caFile, probe }: Omit<ResolverSettings, 'servers' | 'timeoutMs'>,
  observe: LookupObserver,
): Member & { readonly close: () => void } {
  const stream =
    server.tlsName === undefined ? tcpTo(server) : tlsTo(server, caFile && readCa(caFile))
  const ask = createAsk({
    server: serverText(server),
    udp: server.tlsName === undefined ? udpTo(server) : undefined,
    stream: stream.exchange,
    now,
    entropy: randomBytes,
  })
  return {
    ...createStub({
      server: serverText(server),
      ask,
      isTrusted: isTrustedChannel(server, isNetworkTrusted),
      now,
      observe,
    }),
    prove: (deadline) => prove(ask, probe, deadline),
    close: stream.close,
  }
}

/** A clock that is set back must not lengthen the life of a fact, nor a machine that slept. */
function now(): number {
  return Math.max(Date.now(), performance.timeOrigin + performance.now())
}

/** A timer that does not keep the process alive. */
function schedule(milliseconds: number, action: () => void): () => void {
  const timer = setTimeout(action, milliseconds).unref()
  return () => {
    clearTimeout(timer)
  }
}

function readCa(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    throw new SettingsError(`[resolver] ca_file = ${file}: ${errorText(error)}`)
  }
}
