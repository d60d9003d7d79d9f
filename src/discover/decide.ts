/**
 * What does DANE require of this host?
 *
 * `decide` is the only function that turns DNS facts and the operator's policy into a
 * `HostPolicy`. It can be compared line by line with decision-table.csv and RFC 7672 §2:
 * a sequence of guards, one reason per exit.
 *
 * Two functions define the effect of a reason: `noDane`, if the destination does not use
 * DANE (opportunistic continues without it, mandatory skips the host, RFC 7672 §6), and
 * `unreachable`, if that is unknown (no policy connects). The MX lookup and its failures
 * are in route.ts.
 *
 * Pure.
 */
import { failureText, STALE_TEXT } from '../lookup.js'
import type { DomainName } from '../name.js'
import type { HostFacts, HostPolicy, Route, TlsaFacts, UnreachableHost } from '../plan.js'
import type { EnforcedPolicy, InsecureMx } from '../policy.js'
import { lookupReason } from '../reason.js'
import type { LookupReason, NoDaneReason } from '../reason.js'

export type Circumstances = {
  readonly policy: EnforcedPolicy
  readonly insecureMx: InsecureMx
  readonly route: Route
  readonly host: HostFacts
  /** Undefined: not looked up yet. */
  readonly tlsa: TlsaFacts | undefined
}

/** The policy depends on TLSA records that have not been looked up. */
export type NeedsTlsa = { readonly kind: 'needs-tlsa' }

/** The host's policy, or `needs-tlsa` if it depends on a TLSA lookup that has not been made. */
export function decide(circumstances: Circumstances): HostPolicy | NeedsTlsa {
  const policy = conclude(circumstances)
  // An expired answer (RFC 8767) may still demand DANE, but it never releases from it.
  const isUnverified = policy.kind === 'opportunistic' || policy.kind === 'encrypt'
  const expired = isUnverified ? expiredPart(circumstances) : undefined
  return expired ? unreachable(expired, `not sent without DANE, ${STALE_TEXT}`) : policy
}

/** The lookup that has to be made again; undefined if all answers are current. */
function expiredPart({ route, host, tlsa }: Circumstances): LookupReason | undefined {
  if (route.isStale) return 'mx-lookup-failed'
  if (host.kind === 'reachable' && host.isStale) return 'address-lookup-failed'
  return tlsa?.kind === 'secure' && tlsa.isStale ? 'tlsa-lookup-failed' : undefined
}

function conclude(circumstances: Circumstances): HostPolicy | NeedsTlsa {
  const { policy, insecureMx, route, host, tlsa } = circumstances
  const noDane = (reason: NoDaneReason, detail: string): HostPolicy =>
    policy === 'mandatory'
      ? { kind: 'unreachable', reason, detail }
      : { kind: 'opportunistic', reason }

  // RFC 7672 §2.1.2: a host without an address is skipped; others may be used.
  if (host.kind === 'no-address') return unreachable('no-address', 'no A or AAAA record')
  if (host.kind === 'lookup-failed') {
    return unreachable(
      lookupReason('address', host.failed),
      `${host.question}: ${failureText(host.failed)}`,
    )
  }
  // RFC 7672 §2.2: DANE does not apply to addresses, only to names.
  if (host.kind === 'literal') return noDane('address-literal', 'the MX record contains an address')
  // RFC 7672 §2.2.1: mandatory DANE requires a secure MX lookup too.
  if (route.security === 'insecure' && policy === 'mandatory') {
    return noDane('mx-insecure', `the MX lookup of ${route.nextHop} is insecure`)
  }
  // RFC 7672 §2.2.2: any failure in the process excludes the host.
  if (host.kind === 'alias-lookup-failed') {
    return unreachable('alias-lookup-failed', `${host.question}: ${host.detail}`)
  }
  // RFC 7672 §2.2.2: TLSA is not looked up for an insecure address.
  if (host.tlsaBases.length === 0)
    return noDane('address-insecure', 'the address records are insecure')

  if (tlsa === undefined) return { kind: 'needs-tlsa' }

  switch (tlsa.kind) {
    case 'lookup-failed': {
      // RFC 7672 §2.1.2: a failure is not absence.
      const detail = `${tlsa.question}: ${failureText(tlsa.failed)}`
      return unreachable(lookupReason('tlsa', tlsa.failed), detail)
    }
    // RFC 7672 §2.2: insecure or absent TLSA records mean no DANE, and are not an error.
    case 'insecure':
      return noDane('tlsa-insecure', 'the TLSA records are insecure')
    case 'absent':
      return noDane('no-tlsa-record', 'no TLSA records')
    case 'secure':
      break
  }
  // RFC 7672 §2.2.1 leaves this to local policy; mandatory has returned above.
  if (route.security === 'insecure' && insecureMx === 'may') {
    return { kind: 'opportunistic', reason: 'mx-insecure' }
  }
  const { tlsaBase, usable, unusable } = tlsa
  const [first, ...rest] = usable
  if (first === undefined) {
    // RFC 7672 §2.2: unauthenticated TLS is still required; RFC 7671 §10.3: not enough if DANE is mandatory.
    return policy === 'mandatory'
      ? unreachable('tlsa-unusable', `none of the ${unusable.length} TLSA records is usable`)
      : { kind: 'encrypt', tlsaBase, unusable }
  }
  return {
    kind: 'authenticate',
    tlsaBase,
    records: [first, ...rest],
    referenceNames: referenceNames(route, tlsaBase),
    unusable,
  }
}

/** RFC 7672 §3.2.2: the names that a DANE-TA(2) certificate may have, base domain first. */
export function referenceNames(
  route: Route,
  tlsaBase: DomainName,
): readonly [DomainName, ...DomainName[]] {
  const others = new Set<DomainName>()
  switch (route.kind) {
    case 'mx':
      // An insecure MX record proves nothing: the MX host's own name alone.
      if (route.security === 'secure') others.add(route.nextHop).add(route.expandedNextHop)
      break
    // The next hop is the host itself; if its alias became the base, its own name counts too.
    case 'implicit-mx':
    case 'relay':
      others.add(route.nextHop)
      break
  }
  others.delete(tlsaBase)
  return [tlsaBase, ...others]
}

function unreachable(reason: LookupReason | NoDaneReason, detail: string): UnreachableHost {
  return { kind: 'unreachable', reason, detail }
}
