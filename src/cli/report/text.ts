/**
 * The report as text for a person, step by step.
 *
 * In the gateways' words and order: SECURE, INSECURE or BOGUS first, then each address,
 * DANE SUCCESS, NO DANE, DANE FAILED or DANE UNDETERMINED near the end, with the reason
 * and what happens to mail under each policy. Text from outside is printable already. Pure.
 */
import { adviceFor } from '../../advice.js'
import { failureText } from '../../lookup.js'
import type { Failed } from '../../lookup.js'
import type { Discovery, HostPlan, HostPolicy, Plan } from '../../plan.js'
import { phraseOf } from '../../reason.js'
import type { Reason } from '../../reason.js'
import { tlsaText } from '../../tlsa.js'
import type { UnusableTlsa } from '../../tlsa.js'
import type { Verdict } from '../../verdict.js'
import { expiryLines, sessionLines, tlsaLines } from './session-text.js'
import type {
  AddressReport,
  Cause,
  DomainVerdict,
  MailOutcome,
  Question,
  Report,
  Step,
} from './report.js'

/** @param now milliseconds since the epoch */
export function stepLines({ domain, port }: Question, step: Step, now: number): readonly string[] {
  switch (step.kind) {
    case 'routed':
      return routeLines(domain, step.discovery)
    case 'host':
      return [
        ...omissionLines(domain, step.index, step.plan),
        ...hostLines(domain, step.index, step.plan, step.host, step.demand),
        ...tlsaLines(step.host, port, now),
      ]
    case 'connecting': {
      const next = `Trying next ${typeOf(step.address)} record (${step.address}) for MX(${step.host.exchange}) in ${domain}`
      const connecting = `Connecting to ${step.address} on port ${port}.`
      return step.index > 0 ? [next, connecting] : [connecting]
    }
    case 'address':
      return connectionLines(domain, step.host, step.demand, step.report, now)
  }
}

/** @param paint colors the result */
export function conclusionLines(
  report: Report,
  paint: (word: string, verdict: DomainVerdict) => string,
): readonly string[] {
  const { question, verdict, cause, mail } = report
  const { domain, policy } = question
  const unconnected = verdict === 'published' ? ' by DNS; certificates were not checked' : ''
  const { source } = policy
  return [
    `${paint(HEADLINE[verdict], verdict)} for ${domain}${unconnected}`,
    ...(cause ? [`Reason: ${causeText(cause)}`, adviceText(cause)] : []),
    ...(verdict === 'undetermined' ? [undeterminedText(cause)] : []),
    `Under opportunistic, ${outcomeText(mail.opportunistic)}`,
    `Under mandatory, ${outcomeText(mail.mandatory)}`,
    'Under audit or none, mail is sent as without this plugin.',
    ...(source.kind === 'line'
      ? [
          `The policy in force for ${domain} is ${policy.policy}, by dane.ini line ${source.line} (${source.text}).`,
        ]
      : []),
    'DANE verification completed.',
  ]
}

const HEADLINE: Readonly<Record<DomainVerdict, string>> = {
  verified: 'DANE SUCCESS',
  published: 'DANE SUCCESS',
  'no-dane': 'NO DANE',
  refused: 'DANE FAILED',
  undetermined: 'DANE UNDETERMINED',
}

function undeterminedText(cause: Cause | undefined): string {
  return cause?.reason === 'connection-failed'
    ? 'This could not be determined: there is no connection from this machine to the host.'
    : 'This could not be determined: the lookup failed.'
}

function reasonText(reason: Reason, detail = ''): string {
  return `${phraseOf(reason)} (${reason})${detail && `: ${detail}`}`
}

/** In the words of docs/reasons.md. */
function adviceText({ reason }: Cause): string {
  const { action, whose } = adviceFor(reason)
  return `What to do (${whose === 'destination' ? 'operators of the destination' : 'this relay'}): ${action}`
}

function causeText({ reason, host, detail }: Cause): string {
  return [...(host === undefined ? [] : [host]), reasonText(reason, detail)].join(': ')
}

/** What happens to a message now, as the end of a sentence; details are printed above it. */
function outcomeText({ action, host, cause, exposure }: MailOutcome): string {
  const inShort = (each: Cause): string => causeText({ ...each, detail: '' })
  const why = cause ? `: ${inShort(cause)}` : ''
  const but = exposure
    ? ` But an attacker who blocks the preferred hosts has it sent ${unprotectedText(exposure)} through ${inShort(exposure)}.`
    : ''
  switch (action) {
    case 'verified':
      return `mail is delivered to ${host ?? ''}, verified.${but}`
    case 'verify':
      return `mail is delivered to ${host ?? ''} if its certificate matches.${but}`
    case 'fallback':
      return `mail is sent ${unprotectedText(cause)}${why}`
    case 'defer':
      return `mail waits in the queue, and bounces when its lifetime there ends${why}`
    case 'return':
      return `mail is returned to its sender at once${why}`
  }
}

/** TLSA records that cannot be used still demand TLS (RFC 7672 §2.2). */
function unprotectedText(cause: Cause | undefined): string {
  return cause?.reason === 'tlsa-unusable' ? 'over TLS, unauthenticated' : 'without DANE'
}

function routeLines(domain: string, discovery: Discovery): readonly string[] {
  if (discovery.kind === 'plan') return []
  const { reason, detail } = discovery
  return [routeFailure(domain, discovery.kind, reason), reasonText(reason, detail)]
}

function routeFailure(domain: string, kind: Discovery['kind'], reason: Reason): string {
  if (reason === 'mx-bogus') return `BOGUS MX record found for ${domain}`
  if (reason === 'null-mx') return `Null MX record found for ${domain}`
  if (reason === 'no-such-domain') return `${domain} does not exist`
  return kind === 'unresolved'
    ? `MX record of ${domain} cannot be looked up`
    : `No MX record found for ${domain}`
}

/** The type of the record that an address comes from. */
function typeOf(address: string): 'A' | 'AAAA' {
  return address.includes(':') ? 'AAAA' : 'A'
}

/** Once, before the first host. */
function omissionLines(
  domain: string,
  index: number,
  { hosts, laterHosts = [], omittedHosts = 0 }: Plan,
): readonly string[] {
  if (index > 0) return []
  const used = hosts.length + laterHosts.length
  return [
    ...(laterHosts.length > 0
      ? [
          `${laterHosts.length} more MX hosts of ${domain} are not checked: mail goes there only if none of the first ${hosts.length} takes it`,
        ]
      : []),
    ...(omittedHosts > 0
      ? [`${omittedHosts} more MX hosts of ${domain} are never used: the limit is ${used}`]
      : []),
  ]
}

function hostLines(
  domain: string,
  index: number,
  { route }: Plan,
  host: HostPlan,
  demand: HostPolicy,
): readonly string[] {
  const { exchange, facts } = host
  const mx = route.security.toUpperCase()
  const inDomain = `MX(${exchange}) in ${domain}`
  const address = 'security' in facts ? facts.security.toUpperCase() : 'INSECURE'
  return [
    ...(index > 0 ? [`Trying next MX record in ${domain}`] : []),
    ...(route.kind === 'mx'
      ? [
          `${mx} MX record(${exchange}) found for ${domain}`,
          `MX(${exchange}) has preference ${host.preference}.`,
        ]
      : route.kind === 'implicit-mx'
        ? [`${mx} No MX record found for ${domain}, using its own address`]
        : []),
    ...(route.security === 'insecure'
      ? [`INSECURE MX record(${exchange}) found. The command will still proceed.`]
      : []),
    ...host.addresses.map(
      (each) => `${address} ${typeOf(each)} record (${each}) found for ${inDomain}`,
    ),
    ...laterLines(inDomain, host),
    ...(facts.kind === 'lookup-failed' ? [failedLine('address', inDomain, facts.failed)] : []),
    ...demandLines(inDomain, host, demand),
  ]
}

function laterLines(
  inDomain: string,
  { addresses, laterAddresses = [] }: HostPlan,
): readonly string[] {
  if (laterAddresses.length === 0) return []
  return [
    `${laterAddresses.length} more addresses of ${inDomain} are not checked: mail goes there only if the first ${addresses.length} do not answer`,
  ]
}

function failedLine(type: string, inDomain: string, failed: Failed): string {
  return failed.cause === 'bogus'
    ? `BOGUS ${type} record found for ${inDomain}`
    : `${type} record of ${inDomain} cannot be looked up: ${failureText(failed)}`
}

/** What is demanded, where no connection will show it. */
function demandLines(inDomain: string, { tlsa }: HostPlan, demand: HostPolicy): readonly string[] {
  switch (demand.kind) {
    case 'unreachable': {
      const failed =
        tlsa?.kind === 'lookup-failed' ? [failedLine('TLSA', inDomain, tlsa.failed)] : []
      return [...failed, `${inDomain} cannot be used: ${reasonText(demand.reason, demand.detail)}`]
    }
    case 'opportunistic':
      return [`No DANE for ${inDomain}: ${reasonText(demand.reason)}`]
    case 'encrypt':
      return unusableLines(demand.unusable)
    case 'authenticate':
      return unusableLines(demand.unusable)
  }
}

function unusableLines(unusable: readonly UnusableTlsa[]): readonly string[] {
  return unusable.map(
    ({ record, reason }) => `TLSA record ${tlsaText(record)} is not used: ${reason}`,
  )
}

function connectionLines(
  domain: string,
  { exchange }: HostPlan,
  demand: HostPolicy,
  { address, connection }: AddressReport,
  now: number,
): readonly string[] {
  const isUsable = demand.kind === 'authenticate'
  const tlsa = `SECURE TLSA record found for MX(${exchange}) in ${domain}${isUsable ? '' : ', but none that can be used'}`
  switch (connection.kind) {
    case 'not-tried':
      return demand.kind === 'authenticate' || demand.kind === 'encrypt' ? [tlsa] : []
    case 'no-route':
      return [tlsa, `This machine has no route to ${address}: ${connection.detail}`]
    case 'failed': {
      const { reason, detail } = connection
      // Only one of these reasons is about the connection; the others came over it.
      const what = reason === 'connection-failed' ? 'Connection to' : 'SMTP session with'
      return [tlsa, `${what} ${address} failed: ${reasonText(reason, detail)}`]
    }
    case 'refused':
    case 'passed': {
      const { protocol, cipher, local } = connection.session
      const end =
        connection.kind === 'refused'
          ? [`Certificate verification failed: ${reasonText(connection.reason, connection.detail)}`]
          : [
              ...(connection.isRolledOver
                ? ['The TLSA records had changed and were looked up again.']
                : []),
              ...verdictLines(domain, connection.verdict),
            ]
      return [
        `Connected to ${address} from interface ${local}.`,
        tlsa,
        'Checking TLS connection.',
        `TLS connection established: protocol ${protocol}, cipher ${cipher}.`,
        ...sessionLines(connection.session),
        ...end,
        ...expiryLines(connection, now),
      ]
    }
  }
}

function verdictLines(
  domain: string,
  verdict: Exclude<Verdict, { kind: 'refused' }>,
): readonly string[] {
  if (verdict.kind === 'encrypted') return ['Certificate not verified: no usable TLSA record']
  const { record, depth, name } = verdict
  const by = name === undefined ? '' : `, name ${name}`
  return [
    'Certificate verification successful',
    `TLSA record ${tlsaText(record.published)} matched at depth ${depth}${by}`,
    `TLS connection succeeded ${domain}.`,
  ]
}
