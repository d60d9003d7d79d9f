/**
 * Limits and caches connections to mail hosts.
 *
 * A few providers take the mail of most domains: each address is connected to once for
 * each server name, and the result is kept for domains that come later, a failure for a
 * minute only. Bounded in memory and in concurrent connections.
 */
import type { ConnectionOptions } from 'node:tls'
import { LRUCache } from 'lru-cache'
import type { DomainName } from '../name.js'
import { probeHost } from './smtp-probe.js'
import type { Probe } from './smtp-probe.js'

/** @param serverName SNI */
export type CachedProbe = (address: string, port: number, serverName: DomainName) => Promise<Probe>

export type ProbeCacheOptions = {
  /** Undefined: the address literal of each connection. */
  readonly helloName: string | undefined
  /** Of the handshake, as in tls.ini. */
  readonly tls: ConnectionOptions
  /** For one connection, up to the end of the handshake. */
  readonly timeoutMs: number
  /** Concurrent connections. */
  readonly most: number
}

export function createProbeCache({ most, ...each }: ProbeCacheOptions): CachedProbe {
  const known = new LRUCache<string, Promise<Probe>>({ max: MAX_KNOWN })
  const limited = createLimit(most)
  return (address, port, serverName) => {
    const key = `${address} ${port} ${serverName}`
    const before = known.get(key)
    if (before) return before
    const probing = limited(() => probeHost({ address, port, serverName, ...each }))
    const kept = probing.then((probe) => {
      const ttl = probe.kind === 'handshake' ? KEPT_MS : FAILURE_KEPT_MS
      if (known.peek(key) === kept) known.set(key, kept, { ttl })
      return probe
    })
    known.set(key, kept)
    return kept
  }
}

/** Runs at most `most` tasks at a time, first come, first served. */
function createLimit(most: number): <T>(task: () => Promise<T>) => Promise<T> {
  const waiting: (() => void)[] = []
  let running = 0
  return async (task) => {
    if (running >= most) await new Promise<void>((resolve) => waiting.push(resolve))
    else running++
    try {
      return await task()
    } finally {
      const next = waiting.shift()
      // The slot passes to the next task.
      if (next) next()
      else running--
    }
  }
}

/** A chain takes a few kB, at most about 100. */
const MAX_KNOWN = 500
const KEPT_MS = 600_000
const FAILURE_KEPT_MS = 60_000
