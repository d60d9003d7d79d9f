/**
 * What a mail event says to a TLS report: sessions with their policy and result (RFC 8460
 * §4.3).
 *
 * A connection's attempt at TLS is a session. So is a host, or a whole destination, that
 * was not contacted because its DNSSEC data is bogus (`dnssec-invalid`) or because the
 * operator's policy requires DANE and there is none (`dane-required`). Failures to connect
 * and faults of this relay or its resolver say nothing about TLS at the destination and
 * are not counted. Under `policy = audit` a session is what it would have been.
 *
 * Pure.
 */
import type { EndedSession, Forecast, MailEvent } from '../mail-event.js'
import { nameFromWire, parseDomainName } from '../name.js'
import type { DomainName } from '../name.js'
import type { HostPlan, Plan } from '../plan.js'
import { phraseOf } from '../reason.js'
import type { Reason } from '../reason.js'
import type { TlsaRecord } from '../tlsa.js'
import { reportAddress } from './address.js'
import type { FailureDetail, ReportPolicy, ResultType } from './counts.js'

/** One session, before it is added to a counter. */
export type CountedSession = {
  readonly domain: DomainName
  /** Milliseconds since the epoch; undefined: now. */
  readonly endedAt: number | undefined
  readonly policy: ReportPolicy
  /** Undefined: a success. */
  readonly detail: FailureDetail | undefined
}

/** The sessions that an event stands for; most stand for none. */
export function sessionsOf(event: MailEvent): readonly CountedSession[] {
  switch (event.kind) {
    case 'session': {
      const counted = connection(event.session)
      return counted ? [counted] : []
    }
    case 'plan':
      // No lookup was made for a destination that no policy of DANE applies to.
      return event.policy === 'none' ? [] : avoidedHosts(event.plan)
    case 'settled':
      return event.isKnown ? [] : avoidedDestination(event.destination, event.refusal.reason)
    case 'forecast':
      return avoidedDestination(event.destination, reasonOf(event.opportunistic))
    // A host that another plugin chose is not the recipients'.
    case 'routed':
    case 'decision':
    case 'handshake':
    case 'refused':
    case 'unreached':
    case 'rollover':
    case 'passed':
    case 'delivered':
    case 'unjudged':
      return []
  }
}

/** RFC 8460 §4.3.1, §4.3.2.1: what a reason is in a report; undefined: nothing. */
export function resultType(reason: Reason): ResultType | undefined {
  return RESULTS[reason]
}

function connection(session: EndedSession): CountedSession | undefined {
  const { domain, endedAt, failure, tlsa } = session
  const type = failure && RESULTS[failure]
  if (failure !== undefined && type === undefined) return undefined
  const policy: ReportPolicy = tlsa
    ? { kind: 'tlsa', domain: tlsa.base, records: recordTexts(tlsa.records) }
    : { kind: 'no-policy-found', domain }
  if (failure === undefined || type === undefined) {
    return { domain, endedAt, policy, detail: undefined }
  }
  const detail = {
    resultType: type,
    sendingMtaIp: addressOf(session.localAddress),
    receivingMxHostname: parseDomainName(session.host),
    receivingMxHelo: session.greeting === undefined ? undefined : helloName(session.greeting),
    receivingIp: addressOf(session.remoteAddress),
    reasonCode: failure,
    additionalInformation: phraseOf(failure),
  }
  return { domain, endedAt, policy, detail }
}

/** Hosts that were left out of the plan, and count as failed sessions (RFC 8460 §4.3.2.1). */
function avoidedHosts({ route, hosts }: Plan): readonly CountedSession[] {
  // A host that takes the place of the MX records is not the domain's.
  if (route.kind === 'relay') return []
  const domain = route.nextHop
  return hosts.flatMap((host) => {
    const { policy, exchange } = host
    const type = policy.kind === 'unreachable' ? AVOIDED[policy.reason] : undefined
    if (policy.kind !== 'unreachable' || type === undefined) return []
    const detail = avoided(type, policy.reason, parseDomainName(exchange))
    return [{ domain, endedAt: undefined, policy: policyOf(host, policy.reason, domain), detail }]
  })
}

function policyOf({ facts, tlsa }: HostPlan, reason: Reason, domain: DomainName): ReportPolicy {
  if (tlsa?.kind === 'secure') {
    const records = [
      ...tlsa.usable.map(({ published }) => published),
      ...tlsa.unusable.map(({ record }) => record),
    ]
    return { kind: 'tlsa', domain: tlsa.tlsaBase, records: recordTexts(records) }
  }
  // Which records there are is not known: they did not validate.
  const base = facts.kind === 'reachable' ? facts.tlsaBases[0] : undefined
  return reason === 'tlsa-bogus' && base !== undefined
    ? { kind: 'tlsa', domain: base, records: [] }
    : { kind: 'no-policy-found', domain }
}

/** A destination whose hosts could not be determined. */
function avoidedDestination(text: string, reason: Reason | undefined): readonly CountedSession[] {
  const domain = reason === 'mx-bogus' ? parseDomainName(text) : undefined
  if (domain === undefined || reason === undefined) return []
  const detail = avoided('dnssec-invalid', reason, undefined)
  return [{ domain, endedAt: undefined, policy: { kind: 'no-policy-found', domain }, detail }]
}

function avoided(
  type: ResultType,
  reason: Reason,
  receivingMxHostname: DomainName | undefined,
): FailureDetail {
  return {
    resultType: type,
    sendingMtaIp: undefined,
    receivingMxHostname,
    receivingMxHelo: undefined,
    receivingIp: undefined,
    reasonCode: reason,
    additionalInformation: phraseOf(reason),
  }
}

function reasonOf(forecast: Forecast): Reason | undefined {
  return 'refusal' in forecast ? forecast.refusal?.reason : undefined
}

/** RFC 6698 §2.2, the whole data; sorted, so that equal sets are equal texts. */
function recordTexts(records: readonly TlsaRecord[]): readonly string[] {
  return [...new Set(records.slice(0, MAX_RECORDS).map(recordText))].toSorted()
}

function recordText({ rdata }: TlsaRecord): string {
  const [usage, selector, matchingType] = rdata
  if (usage === undefined || selector === undefined || matchingType === undefined) {
    // RFC 3597 §5: too short for its own fields.
    return `\\# ${rdata.length} ${rdata.toString('hex')}`.trim()
  }
  return `${usage} ${selector} ${matchingType} ${rdata.toString('hex', 3, 3 + MAX_DATA)}`.trim()
}

function addressOf(text: string | undefined): string | undefined {
  return text === undefined ? undefined : reportAddress(text)
}

/** The server's own word: only what is a name. */
function helloName(text: string): DomainName | undefined {
  return /^[a-z0-9.-]+$/i.test(text) ? nameFromWire(text.replace(/\.$/, '')) : undefined
}

/** Of one set; more than real sets have. */
const MAX_RECORDS = 16
/** Octets of a record: a full certificate is named by what it begins with. */
const MAX_DATA = 512

/** RFC 8460 §4.3.1, of connections. */
const RESULTS: Partial<Record<Reason, ResultType>> = {
  'starttls-not-offered': 'starttls-not-supported',
  'starttls-refused': 'starttls-not-supported',
  'name-mismatch': 'certificate-host-mismatch',
  'certificate-expired': 'certificate-expired',
  'certificate-not-yet-valid': 'certificate-not-trusted',
  'no-certificate': 'certificate-not-trusted',
  'unreadable-certificate': 'certificate-not-trusted',
  'certificate-mismatch': 'certificate-not-trusted',
  'untrusted-path': 'certificate-not-trusted',
  'budget-exhausted': 'validation-failure',
  'tls-handshake-failed': 'validation-failure',
  'protocol-violation': 'validation-failure',
  'tlsa-unusable': 'tlsa-invalid',
}

/** RFC 8460 §4.3.2.1, of hosts that were not contacted; the last five under `mandatory` only. */
const AVOIDED: Partial<Record<Reason, ResultType>> = {
  'address-bogus': 'dnssec-invalid',
  'tlsa-bogus': 'dnssec-invalid',
  'tlsa-unusable': 'tlsa-invalid',
  'mx-insecure': 'dane-required',
  'address-insecure': 'dane-required',
  'address-literal': 'dane-required',
  'tlsa-insecure': 'dane-required',
  'no-tlsa-record': 'dane-required',
}
