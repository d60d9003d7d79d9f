/**
 * Which TLSA RRset speaks for this host?
 *
 * RFC 7672 §2.2.3: the candidate base domains in order; the first with a secure
 * TLSA RRset is the base domain, even if none of its records is usable. Nothing
 * there, or something insecure: the next. A failure ends the search, since nobody
 * can know what stood there (§2.1.2). An alias at the TLSA owner name changes
 * nothing about the base.
 *
 * Asks one candidate after the other, as it must.
 */
import type { Found, Resolver } from '../lookup.js'
import { tlsaOwner } from '../name.js'
import type { DomainName } from '../name.js'
import type { TlsaFacts } from '../policy.js'
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
    if (owner === undefined) continue // too long for DNS, so nothing can be there
    const answer = await resolver.lookup(owner, 'TLSA')
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
        return { kind: 'secure', tlsaBase, ...filterOnce(answer) }
      }
    }
  }
  return { kind: insecure ? 'insecure' : 'absent' }
}

/**
 * Records with whole certificates and keys cost OpenSSL's parser a lot, and a cached
 * answer is the same object for every message: each is filtered once.
 */
function filterOnce(answer: Found): FilteredTlsa {
  const known = filtered.get(answer)
  if (known) return known
  const fresh = filterTlsa(answer.records.filter((record) => record.type === 'TLSA'))
  filtered.set(answer, fresh)
  return fresh
}

const filtered = new WeakMap<Found, FilteredTlsa>()
