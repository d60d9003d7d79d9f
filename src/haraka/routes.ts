/**
 * What about hosts that another plugin chose?
 *
 * A route takes the place of the MX records, by the operator's will, so nobody has
 * to vouch for it; whether the connection to the chosen host is authenticated is
 * DANE's business all the same (RFC 7672 §2.2.2: the same procedure, under the
 * host's own name and the real port). Hosts that are not SMTP over a network are
 * outside RFC 7672 and left alone.
 *
 * Keeps the order that the plugin gave.
 */
import { discoverRelay } from '../discover/discover.js'
import { parseDomainName } from '../name.js'
import type { EnforcedPolicy } from '../policy.js'
import type { Resolver } from '../lookup.js'
import { isPort } from '../server-address.js'
import { printable } from '../text.js'
import { decideByHosts, inTime, isMissing, refreshing, toCandidates } from './delivery.js'
import type { Candidate, Decision, DeliveryParts } from './delivery.js'
import type { Mx } from './host.js'
import type { Refusal } from '../mail-event.js'

/** @param domain the message's destination, for the case that no host is left */
export async function decideByRoute(
  parts: DeliveryParts,
  policy: EnforcedPolicy,
  mxs: readonly Mx[],
  domain: string,
): Promise<Decision> {
  const hosts = await inTime(parts.deadlineMs, (limited) =>
    Promise.all(mxs.map((mx) => toHost(parts, limited, policy, mx))),
  )
  return decideByHosts(hosts, domain)
}

async function toHost(
  parts: DeliveryParts,
  limited: (resolver: Resolver) => Resolver,
  policy: EnforcedPolicy,
  mx: Mx,
): Promise<readonly Candidate[] | Refusal> {
  const exchange = mx.exchange ?? ''
  const host = printable(mx.path ?? exchange)
  if (mx.path !== undefined || mx.using_lmtp === true) {
    return [{ mx, host, gate: undefined }]
  }
  const name = parseDomainName(exchange)
  if (name === undefined) {
    // RFC 7672 §2.2: there is no DANE for an address, so mandatory cannot be met (§6).
    const reason = 'address-literal'
    return policy === 'mandatory'
      ? { reason, host, detail: 'the route names an address, for which there is no TLSA record' }
      : [{ mx, host, gate: undefined }]
  }
  const port = Number(mx.port ?? SMTP_PORT)
  if (!isPort(port)) {
    return {
      reason: 'route-deferred',
      host,
      detail: `the route names port ${printable(String(mx.port))}`,
    }
  }
  const { insecureMx } = parts.settings
  const options = { policy, insecureMx, port }
  let relay = await discoverRelay(limited(parts.resolver), name, options)
  if (isMissing(relay.host)) {
    relay = await discoverRelay(limited(refreshing(parts.resolver)), name, options)
  }
  return toCandidates(relay.host, relay.route, { ...mx, port }, parts)
}

const SMTP_PORT = 25
