/**
 * Which hosts take mail for this domain, and does DNSSEC vouch for the list?
 *
 * RFC 5321 §5.1 and RFC 7672 §2.2.1: the MX RRset under the name that aliases lead
 * to, or the domain itself where there is none; null MX (RFC 7505) and NXDOMAIN are
 * final; a failed lookup tells nobody anything. Hosts come back in order of
 * preference, each once; hosts of equal preference are shuffled where the list is
 * used (haraka/delivery.ts), not here.
 *
 * Limits: of a longer list the first `MAX_HOSTS` count. Asks only its resolver.
 */
import { isIP } from 'node:net'
import { failureText } from '../lookup.js'
import type { MxRecord, Resolver } from '../lookup.js'
import type { DomainName } from '../name.js'
import type { Route, Undeliverable, Unresolved } from '../policy.js'
import { lookupReason } from '../reason.js'

/** One entry of the list: a name to look up, or an IP address in the place of one. */
export type MailHost = {
  readonly kind: 'name' | 'literal'
  readonly exchange: DomainName
  readonly preference: number
}

export type RouteDiscovery =
  | { readonly kind: 'route'; readonly route: Route; readonly hosts: readonly MailHost[] }
  | Unresolved
  | Undeliverable

/** MX hosts looked at. RFC 5321 §5.1 asks for at least two addresses; the largest providers publish 20. */
export const MAX_HOSTS = 32

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
        return { kind: 'undeliverable', reason: 'no-such-domain', detail: `${question}: NXDOMAIN` }
      }
      const { security, canonicalName } = answer
      const route: Route = {
        kind: 'implicit-mx',
        nextHop,
        expandedNextHop: canonicalName,
        security,
      }
      return { kind: 'route', route, hosts: [{ kind: 'name', exchange: nextHop, preference: 0 }] }
    }
    case 'found': {
      const records = answer.records.filter((record) => record.type === 'MX')
      // RFC 7505 §3: the root as the only exchange. Beside others it is a mistake and left out.
      if (records.every((record) => record.exchange === '.')) {
        return { kind: 'undeliverable', reason: 'null-mx', detail: `${question}: null MX` }
      }
      const { security, canonicalName } = answer
      const route: Route = { kind: 'mx', nextHop, expandedNextHop: canonicalName, security }
      const hosts = toHosts(records)
      if (hosts.length > 0) return { kind: 'route', route, hosts }
      // RFC 5321 §5.1: never the domain's own addresses when MX records exist.
      const detail = `${question}: no exchange is a name that can be asked for`
      return { kind: 'unresolved', reason: 'no-address', detail }
    }
  }
}

function toHosts(records: readonly MxRecord[]): readonly MailHost[] {
  const byName = new Map<string, MailHost>()
  for (const { exchange, preference } of records.toSorted(byPreference)) {
    if (exchange === '.' || exchange === '' || byName.has(exchange)) continue
    // An MX record that holds an address has the form of a name, so it came through as one.
    const kind = isIP(exchange) === 0 ? 'name' : 'literal'
    byName.set(exchange, { kind, exchange, preference })
  }
  return [...byName.values()].slice(0, MAX_HOSTS)
}

function byPreference(a: MxRecord, b: MxRecord): number {
  return a.preference - b.preference
}
