/**
 * How are many doors knocked at without being a nuisance?
 *
 * A few providers take the mail of most domains: each address is connected to once for
 * each name, and what it showed is kept for the domains that come later, a failure for
 * a minute only. So many connections at a time, and no more. Bounded memory.
 */
import { LRUCache } from 'lru-cache'
import type { DomainName } from '../name.js'
import { probeHost } from './smtp-probe.js'
import type { Probe } from './smtp-probe.js'

/** @param serverName SNI */
export type Knock = (address: string, port: number, serverName: DomainName) => Promise<Probe>

export type KnockOptions = {
  readonly helloName: string
  /** For one connection, up to the end of the handshake. */
  readonly timeoutMs: number
  /** Connections at the same time. */
  readonly most: number
}

export function createKnock({ helloName, timeoutMs, most }: KnockOptions): Knock {
  const known = new LRUCache<string, Promise<Probe>>({ max: MAX_KNOWN })
  const inTurn = createTurns(most)
  return (address, port, serverName) => {
    const key = `${address} ${port} ${serverName}`
    const before = known.get(key)
    if (before) return before
    const probing = inTurn(() => probeHost({ address, port, serverName, helloName, timeoutMs }))
    const kept = probing.then((probe) => {
      const ttl = probe.kind === 'handshake' ? KEPT_MS : FAILURE_KEPT_MS
      if (known.peek(key) === kept) known.set(key, kept, { ttl })
      return probe
    })
    known.set(key, kept)
    return kept
  }
}

/** Runs at most `most` of the works that it is given, in the order in which they came. */
function createTurns(most: number): <T>(work: () => Promise<T>) => Promise<T> {
  const waiting: (() => void)[] = []
  let underway = 0
  return async (work) => {
    if (underway >= most) await new Promise<void>((resolve) => waiting.push(resolve))
    else underway++
    try {
      return await work()
    } finally {
      const next = waiting.shift()
      // Whoever waits takes the place over.
      if (next) next()
      else underway--
    }
  }
}

/** A chain takes some kB, at worst 100. */
const MAX_KNOWN = 500
const KEPT_MS = 600_000
const FAILURE_KEPT_MS = 60_000
