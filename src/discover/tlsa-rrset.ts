/**
 * Finds the TLSA RRset of a host.
 *
 * RFC 7672 §2.2.3: the candidate base domains in order; the first with a secure
 * TLSA RRset is the base domain, even if none of its records is usable. If there are
 * no records, or insecure ones, the next candidate is tried. A failure ends the search,
 * since it could hide a secure RRset (§2.1.2); an expired answer without one (RFC 8767)
 * counts as a failure. An alias at the TLSA owner name does not change the base domain.
 *
 * Candidates are queried one after the other. Pure, except for the queries and the memory
 * of filtered records, which depend on the answer alone.
 */
import { staleFailure } from '../lookup.js'
import type { Found, Lookup, Resolver } from '../lookup.js'
import { tlsaOwner } from '../name.js'
import type { DomainName } from '../name.js'
import type { TlsaFacts } from '../plan.js'
import { filterTlsa } from '../tlsa.js'
import type { FilteredTlsa } from '../tlsa.js'

export async function discoverTlsa(
  resolver: Resolver,
  port: number,
  candidates: readonly DomainName[],
): Promise<TlsaFacts> {
  let insecure = false
  for (const tlsaBase of candidates) {
    const owner = tlsaOwner(port, tlsaBase)
    if (owner === undefined) continue // too long for DNS, so it cannot exist
    const answer = current(await resolver.lookup(owner, 'TLSA'))
    switch (answer.kind) {
      case 'failed':
        return { kind: 'lookup-failed', question: `TLSA of ${owner}`, failed: answer }
      case 'absent':
        break
      case 'found': {
        if (answer.security === 'insecure') {
          insecure = true
          break
        }
        return {
          kind: 'secure',
          tlsaBase,
          expiresAt: answer.expiresAt,
          ...filterOnce(answer),
          ...(answer.isStale && { isStale: true }),
        }
      }
    }
  }
  return { kind: insecure ? 'insecure' : 'absent' }
}

/** An expired answer counts if it demands DANE, and is a failure if it does not. */
function current(answer: Lookup<'TLSA'>): Lookup<'TLSA'> {
  if (answer.kind === 'failed' || answer.isStale !== true) return answer
  if (answer.kind === 'absent') return staleFailure('no TLSA records')
  return answer.security === 'secure' ? answer : staleFailure('insecure TLSA records')
}

/**
 * Parsing records with whole certificates and keys is expensive, and a cached answer is
 * the same object for every message: each is filtered once.
 */
function filterOnce(answer: Found<'TLSA'>): FilteredTlsa {
  const known = filtered.get(answer)
  if (known) return known
  const fresh = filterTlsa(answer.records)
  filtered.set(answer, fresh)
  return fresh
}

const filtered = new WeakMap<Found<'TLSA'>, FilteredTlsa>()
