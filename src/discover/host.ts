/**
 * Where is this MX host, and may TLSA records be asked for, under which names?
 *
 * RFC 7672 §2.2.2: A and AAAA first. A secure set of either family leads on to
 * TLSA; an insecure one does not, because unsigned providers' servers fail on TLSA
 * queries. An insecure answer that came through an alias does not say which link
 * was insecure (§2.1.3), so the alias itself is asked for: if it is secure, TLSA
 * may still be found at the host's own name.
 *
 * One family that fails costs nothing while the other answers. Asks A and AAAA at
 * the same time. Limits: the first `MAX_ADDRESSES` of each family count.
 */
import { failureText } from '../lookup.js'
import type { Failed, Found, Lookup, Resolver } from '../lookup.js'
import type { DomainName } from '../name.js'
import type { HostFacts } from '../policy.js'

/** Addresses of one family that a host is tried at; enough for any provider's set. */
export const MAX_ADDRESSES = 16

export async function discoverHost(resolver: Resolver, exchange: DomainName): Promise<HostFacts> {
  const [v6, v4] = await Promise.all([
    resolver.lookup(exchange, 'AAAA'),
    resolver.lookup(exchange, 'A'),
  ])
  const found = [v6, v4].filter((answer) => answer.kind === 'found')
  const failed = firstFailure(v6, v4)
  if (found.length === 0) {
    return failed
      ? { kind: 'lookup-failed', question: `address of ${exchange}`, failed }
      : { kind: 'no-address' }
  }
  const addresses = found.flatMap(toAddresses)

  // RFC 7672 §2.2.2: either family, if secure, opens the way; an insecure other does not close it.
  const secure = found.find((answer) => answer.security === 'secure')
  if (secure) {
    return { kind: 'reachable', addresses, security: 'secure', tlsaBases: bases(exchange, secure) }
  }
  if (found.every((answer) => answer.aliases.length === 0)) {
    return { kind: 'reachable', addresses, security: 'insecure', tlsaBases: [] }
  }
  return classifyAlias(resolver, exchange, addresses)
}

/** RFC 7672 §2.2.3: the name that aliases lead to before the name itself, none from the middle. */
function bases(exchange: DomainName, { canonicalName }: Found): readonly DomainName[] {
  return canonicalName === exchange ? [exchange] : [canonicalName, exchange]
}

/** RFC 7672 §2.1.3: whether the alias that the host's own name holds is secure. */
async function classifyAlias(
  resolver: Resolver,
  exchange: DomainName,
  addresses: readonly string[],
): Promise<HostFacts> {
  const question = `CNAME of ${exchange}`
  const answer = await resolver.lookup(exchange, 'CNAME')
  switch (answer.kind) {
    case 'failed':
      return { kind: 'alias-lookup-failed', question, detail: failureText(answer) }
    case 'absent':
      // It was an alias a moment ago. Nobody knows what it is now.
      return { kind: 'alias-lookup-failed', question, detail: 'the alias is gone' }
    case 'found': {
      const { security } = answer
      const tlsaBases = security === 'secure' ? [exchange] : []
      return { kind: 'reachable', addresses, security: 'insecure', tlsaBases }
    }
  }
}

/** The failure worth telling: bogus before any other. */
function firstFailure(...answers: readonly Lookup[]): Failed | undefined {
  const failures = answers.filter((answer) => answer.kind === 'failed')
  return failures.find((failure) => failure.cause === 'bogus') ?? failures[0]
}

function toAddresses(answer: Found): readonly string[] {
  return answer.records
    .flatMap((record) => (record.type === 'A' || record.type === 'AAAA' ? [record.address] : []))
    .slice(0, MAX_ADDRESSES)
}
