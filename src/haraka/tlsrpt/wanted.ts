/**
 * Which domains want TLS reports, as far as this process knows.
 *
 * Asked in the background when a domain is met, and again after a while; the resolver's
 * cache answers for the TTL. What was learned stands until the next answer; a lookup that
 * fails changes nothing about a domain that wanted reports.
 *
 * Bounded: `MAX_KNOWN` domains, `MAX_IN_FLIGHT` lookups; beyond that a domain is not known.
 */
import type { DomainName } from '../../name.js'
import type { FindRecord } from '../../tlsrpt/record.js'

export type Wanted = {
  /** Undefined: not known; then `onAnswer` is called, now or never. */
  readonly isWanted: (domain: DomainName) => boolean | undefined
}

type Known = { isWanted: boolean; askedAt: number; lifeMs: number }

/**
 * @param now milliseconds since the epoch
 * @param onAnswer called for a domain that was not known; `false` also if it cannot be known
 */
export function createWanted(
  findRecord: FindRecord,
  now: () => number,
  onAnswer: (domain: DomainName, isWanted: boolean) => void,
): Wanted {
  /** In the order in which they were met. */
  const known = new Map<DomainName, Known>()
  const asking = new Set<DomainName>()

  function learn(domain: DomainName, isWanted: boolean, lifeMs: number): void {
    known.delete(domain)
    known.set(domain, { isWanted, askedAt: now(), lifeMs })
    if (known.size <= MAX_KNOWN) return
    for (const oldest of known.keys()) {
      known.delete(oldest)
      break
    }
  }

  function ask(domain: DomainName): boolean {
    if (asking.has(domain)) return true
    if (asking.size >= MAX_IN_FLIGHT) return false
    asking.add(domain)
    const before = known.get(domain)?.isWanted
    findRecord(domain)
      .then(({ kind }) => {
        if (kind === 'failed') learn(domain, before ?? false, FAILED_MS)
        else learn(domain, kind === 'found', KNOWN_MS)
      })
      .catch(() => {
        learn(domain, before ?? false, FAILED_MS)
      })
      .finally(() => {
        asking.delete(domain)
        if (before === undefined) onAnswer(domain, known.get(domain)?.isWanted ?? false)
      })
      .catch(() => undefined)
    return true
  }

  return {
    isWanted(domain) {
      const found = known.get(domain)
      // Also after a jump of the clock, forwards or back.
      if (found && Math.abs(now() - found.askedAt) < found.lifeMs) return found.isWanted
      const isAsked = ask(domain)
      return found?.isWanted ?? (isAsked ? undefined : false)
    },
  }
}

const MAX_KNOWN = 20_000
const MAX_IN_FLIGHT = 500
/** Until the resolver is asked again, which has a cache. */
const KNOWN_MS = 60_000
const FAILED_MS = 10_000
