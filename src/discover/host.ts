/**
 * Finds the addresses of an MX host, and the names to look up its TLSA records under.
 *
 * RFC 7672 §2.2.2: A and AAAA first. A secure RRset of either family leads to
 * TLSA; an insecure one does not, because servers of unsigned zones often fail on TLSA
 * queries. An insecure answer that came through an alias does not show which link
 * was insecure (§2.1.3), so the alias itself is looked up: if it is secure, TLSA
 * may still be found at the host's own name. Where the alias was derived from a DNAME,
 * that is the record to look up: a CNAME derived from one has no signature, and some
 * resolvers do not answer for it (RFC 6672 §5.3.1).
 *
 * A failure of one family is ignored if the other has addresses. A and AAAA are queried
 * in parallel. Addresses beyond the first `MAX_ADDRESSES` of each family are for later.
 */
import { failureText, staleFailure } from '../lookup.js'
import type { Failed, Found, Lookup, Resolver } from '../lookup.js'
import type { DomainName } from '../name.js'
import type { HostFacts } from '../plan.js'

/** Addresses of one family that are tried first; no provider has more for one host. */
export const MAX_ADDRESSES = 16

export async function discoverHost(resolver: Resolver, exchange: DomainName): Promise<HostFacts> {
  const [v6, v4] = await Promise.all([
    resolver.lookup(exchange, 'AAAA'),
    resolver.lookup(exchange, 'A'),
  ])
  const found = [v6, v4].filter((answer) => answer.kind === 'found')
  // What has expired says nothing about what is absent now (RFC 8767).
  const isStale = [v6, v4].some((answer) => answer.kind !== 'failed' && answer.isStale)
  const failed = firstFailure(v6, v4) ?? (isStale ? staleFailure('no A or AAAA record') : undefined)
  if (found.length === 0) {
    return failed
      ? { kind: 'lookup-failed', question: `address of ${exchange}`, failed }
      : { kind: 'no-address' }
  }
  const all = found.map(toAddresses)
  const addresses = all.flatMap((family) => family.slice(0, MAX_ADDRESSES))
  const later = all.flatMap((family) => family.slice(MAX_ADDRESSES))

  const extra = { ...mark(isStale), ...(later.length > 0 && { laterAddresses: later }) }

  // RFC 7672 §2.2.2: one secure family is enough, even if the other is insecure.
  const secure = found.find((answer) => answer.security === 'secure')
  if (secure) {
    const tlsaBases = bases(exchange, secure)
    return { kind: 'reachable', addresses, security: 'secure', tlsaBases, ...extra }
  }
  if (found.every((answer) => answer.aliases.length === 0)) {
    return { kind: 'reachable', addresses, security: 'insecure', tlsaBases: [], ...extra }
  }
  const dname = found.find((answer) => answer.dname !== undefined)?.dname
  const facts = await classifyAlias(resolver, exchange, dname, addresses)
  return facts.kind === 'reachable' ? { ...facts, ...extra } : facts
}

/** RFC 7672 §2.2.3: the canonical name first, then the name itself; no intermediate alias. */
function bases(exchange: DomainName, { canonicalName }: Found): readonly DomainName[] {
  return canonicalName === exchange ? [exchange] : [canonicalName, exchange]
}

/** RFC 7672 §2.1.3: whether the first alias, at the host's own name, is secure. */
async function classifyAlias(
  resolver: Resolver,
  exchange: DomainName,
  dname: DomainName | undefined,
  addresses: readonly string[],
): Promise<HostFacts> {
  const [owner, type] =
    dname === undefined ? [exchange, 'CNAME' as const] : [dname, 'DNAME' as const]
  const question = `${type} of ${owner}`
  const answer = await resolver.lookup(owner, type)
  switch (answer.kind) {
    case 'failed':
      return { kind: 'alias-lookup-failed', question, detail: failureText(answer) }
    case 'absent':
      // The address lookup has just followed it: the zone is changing.
      return { kind: 'alias-lookup-failed', question, detail: 'the alias no longer exists' }
    case 'found': {
      const { security } = answer
      const tlsaBases = security === 'secure' ? [exchange] : []
      return {
        kind: 'reachable',
        addresses,
        security: 'insecure',
        tlsaBases,
        ...mark(answer.isStale === true),
      }
    }
  }
}

function mark(isStale: boolean): { readonly isStale?: true } {
  return isStale ? { isStale } : {}
}

/** The failure to report: bogus before any other. */
function firstFailure(...answers: readonly Lookup[]): Failed | undefined {
  const failures = answers.filter((answer) => answer.kind === 'failed')
  return failures.find((failure) => failure.cause === 'bogus') ?? failures[0]
}

function toAddresses({ records }: Found<'A' | 'AAAA'>): readonly string[] {
  return records.map(({ address }) => address)
}
