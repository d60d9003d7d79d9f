/**
 * What does DANE demand of this host?
 *
 * `decide` is the one place that turns facts about the DNS and the operator's
 * policy into a `HostPolicy`. It can be read against decision-table.csv and
 * RFC 7672 §2 line by line: a straight run of guards, one reason an exit.
 *
 * Two functions say what a reason costs: `noDane`, where the destination has no
 * DANE to offer (opportunistic goes on without, mandatory passes the host over,
 * RFC 7672 §6), and `unreachable`, where nobody can know (no policy connects).
 * The lookup of the MX record itself, and what its failure means, is route.ts.
 *
 * Pure.
 */
import { failureText } from '../lookup.js'
import type { DomainName } from '../name.js'
import type {
  EnforcedPolicy,
  HostFacts,
  HostPolicy,
  InsecureMx,
  Route,
  TlsaFacts,
  UnreachableHost,
} from '../policy.js'
import { lookupReason } from '../reason.js'
import type { LookupReason, NoDaneReason } from '../reason.js'

export type Circumstances = {
  readonly policy: EnforcedPolicy
  readonly insecureMx: InsecureMx
  readonly route: Route
  readonly host: HostFacts
  /** Undefined: not asked yet. */
  readonly tlsa: TlsaFacts | undefined
}

/** The demand, or 'ask-tlsa' where it hangs on TLSA records that have not been asked for. */
export function decide(circumstances: Circumstances): HostPolicy | 'ask-tlsa' {
  const { policy, insecureMx, route, host, tlsa } = circumstances
  const noDane = (reason: NoDaneReason, detail: string): HostPolicy =>
    policy === 'mandatory'
      ? { kind: 'unreachable', reason, detail }
      : { kind: 'opportunistic', reason }

  // RFC 7672 §2.1.2: without an address there is no host to speak of; others may be used.
  if (host.kind === 'no-address') return unreachable('no-address', 'no A or AAAA record')
  if (host.kind === 'lookup-failed') {
    return unreachable(
      lookupReason('address', host.failed),
      `${host.question}: ${failureText(host.failed)}`,
    )
  }
  // RFC 7672 §2.2: DANE does not apply to addresses, only to names.
  if (host.kind === 'literal') return noDane('address-literal', 'the MX record holds an address')
  // RFC 7672 §2.2.1: mandatory DANE needs the whole way to the host secure.
  if (route.security === 'insecure' && policy === 'mandatory') {
    return noDane('mx-insecure', `the MX lookup of ${route.nextHop} is insecure`)
  }
  // RFC 7672 §2.2.2: any failure in the process leaves the host out.
  if (host.kind === 'alias-lookup-failed') {
    return unreachable('alias-lookup-failed', `${host.question}: ${host.detail}`)
  }
  // RFC 7672 §2.2.2: TLSA is not asked for below an insecure address.
  if (host.tlsaBases.length === 0)
    return noDane('address-insecure', 'the address records are insecure')

  if (tlsa === undefined) return 'ask-tlsa'

  switch (tlsa.kind) {
    case 'lookup-failed': {
      // RFC 7672 §2.1.2: a failure is not absence.
      const detail = `${tlsa.question}: ${failureText(tlsa.failed)}`
      return unreachable(lookupReason('tlsa', tlsa.failed), detail)
    }
    // RFC 7672 §2.2: insecure or absent TLSA records are no DANE, and no error.
    case 'insecure':
      return noDane('tlsa-insecure', 'the TLSA records are insecure')
    case 'absent':
      return noDane('no-tlsa-record', 'no TLSA records')
    case 'secure':
      break
  }
  // RFC 7672 §2.2.1 leaves this to local policy; mandatory has left above.
  if (route.security === 'insecure' && insecureMx === 'may') {
    return { kind: 'opportunistic', reason: 'mx-insecure' }
  }
  const { tlsaBase, usable, unusable } = tlsa
  const [first, ...rest] = usable
  if (first === undefined) {
    // RFC 7672 §2.2: TLS all the same, unauthenticated; RFC 7671 §10.3: not if DANE is mandatory.
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

/** RFC 7672 §3.2.2: the names that a DANE-TA(2) certificate may bear, base domain first. */
export function referenceNames(
  route: Route,
  tlsaBase: DomainName,
): readonly [DomainName, ...DomainName[]] {
  const others = new Set<DomainName>()
  switch (route.kind) {
    case 'mx':
      // An insecure MX record vouches for nothing: the MX host's own name alone.
      if (route.security === 'secure') others.add(route.nextHop).add(route.expandedNextHop)
      break
    // The next hop is the host itself; where its alias became the base, its own name counts too.
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
