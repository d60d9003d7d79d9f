/**
 * Which hosts accept mail for this domain, and is the list secure?
 *
 * RFC 5321 §5.1 and RFC 7672 §2.2.1: the MX RRset under the canonical name, or the domain
 * itself if there is none; null MX (RFC 7505) and NXDOMAIN are final; a failed lookup is
 * neither. Hosts are returned in order of preference, each once; hosts of equal
 * preference are shuffled where the list is used (haraka/attempt/decision.ts), not here.
 *
 * Effects: queries its resolver.
 */
import { isIP } from 'node:net'
import { failureText, STALE_TEXT } from '../lookup.js'
import type { MxRecord, Resolver } from '../lookup.js'
import type { DomainName } from '../name.js'
import type { MailHost, Route, Undeliverable, Unresolved } from '../plan.js'
import { lookupReason } from '../reason.js'

export type RouteDiscovery =
  | {
      readonly kind: 'route'
      readonly route: Route
      /** All of them, in order of preference. */
      readonly hosts: readonly MailHost[]
    }
  | Unresolved
  | Undeliverable

/**
 * MX hosts looked up at a time. RFC 5321 §5.1 requires at least two addresses to be tried;
 * the largest providers publish 20.
 */
export const MAX_HOSTS = 32

/** MX hosts that one attempt uses at most, whatever the domain publishes. */
export const MOST_HOSTS = 128

export async function discoverRoute(
  resolver: Resolver,
  nextHop: DomainName,
): Promise<RouteDiscovery> {
  const question = `MX of ${nextHop}`
  const answer = await resolver.lookup(nextHop, 'MX')
  switch (answer.kind) {
    case 'failed':
      return {
        kind: 'unresolved',
        reason: lookupReason('mx', answer),
        detail: `${question}: ${failureText(answer)}`,
      }
    case 'absent': {
      // RFC 5321 §5.1: a domain that does not exist is a permanent error.
      if (answer.reason === 'nxdomain') {
        if (answer.isStale) return stale(`${question}: NXDOMAIN`)
        return { kind: 'undeliverable', reason: 'no-such-domain', detail: `${question}: NXDOMAIN` }
      }
      const { security, canonicalName } = answer
      const route: Route = {
        kind: 'implicit-mx',
        nextHop,
        expandedNextHop: canonicalName,
        security,
        ...(answer.isStale && { isStale: true }),
      }
      return { kind: 'route', route, hosts: [{ kind: 'name', exchange: nextHop, preference: 0 }] }
    }
    case 'found': {
      const { records } = answer
      // RFC 7505 §3: the root as the only exchange. If there are others it is a mistake and ignored.
      if (records.every((record) => record.exchange.kind === 'root')) {
        if (answer.isStale) return stale(`${question}: null MX`)
        return { kind: 'undeliverable', reason: 'null-mx', detail: `${question}: null MX` }
      }
      const { security, canonicalName } = answer
      const route: Route = {
        kind: 'mx',
        nextHop,
        expandedNextHop: canonicalName,
        security,
        ...(answer.isStale && { isStale: true }),
      }
      const hosts = toHosts(records)
      if (hosts.length > 0) return { kind: 'route', route, hosts }
      // RFC 5321 §5.1: never the domain's own addresses when MX records exist.
      const detail = `${question}: no exchange is a usable host name`
      return { kind: 'unresolved', reason: 'no-address', detail }
    }
  }
}

/** RFC 8767 §7: what has expired returns no message. */
export function stale(what: string): Unresolved {
  return { kind: 'unresolved', reason: 'mx-lookup-failed', detail: `${what}, ${STALE_TEXT}` }
}

function toHosts(records: readonly MxRecord[]): readonly MailHost[] {
  const byName = new Map<string, MailHost>()
  for (const { exchange, preference } of records.toSorted(byPreference)) {
    if (exchange.kind !== 'host' || byName.has(exchange.name)) continue
    const { name } = exchange
    // An IPv4 address in an MX record has the form of a name and is parsed as one.
    const kind = isIP(name) === 0 ? 'name' : 'literal'
    byName.set(name, { kind, exchange: name, preference })
  }
  return [...byName.values()]
}

function byPreference(a: MxRecord, b: MxRecord): number {
  return a.preference - b.preference
}
