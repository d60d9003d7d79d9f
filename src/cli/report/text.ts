/**
 * How does a person read what was found, step by step?
 *
 * In the gateways' words and order: SECURE, INSECURE or BOGUS first, then what was done
 * with each address, DANE SUCCESS or DANE FAILED near the end, with the reason and what
 * becomes of mail under each policy. Every text from outside is printable already.
 * Pure.
 */
import { failureText } from '../../lookup.js'
import type { Failed } from '../../lookup.js'
import type { Discovery, HostPlan, HostPolicy, Plan } from '../../policy.js'
import { phraseOf } from '../../reason.js'
import type { Reason } from '../../reason.js'
import { tlsaText, toRecord } from '../../tlsa.js'
import type { UnusableTlsa } from '../../tlsa.js'
import type { Verdict } from '../../verdict.js'
import type { AddressReport, Cause, MailFate, Question, Report, Step } from './report.js'

export function stepLines({ domain, port }: Question, step: Step): readonly string[] {
  switch (step.kind) {
    case 'routed':
      return routeLines(domain, step.discovery)
    case 'host':
      return hostLines(domain, step.index, step.plan, step.host, step.demand)
    case 'connecting': {
      const next = `Trying next A record (${step.address}) for MX(${step.host.exchange}) in ${domain}`
      const connecting = `Connecting to ${step.address} on port ${port}.`
      return step.index > 0 ? [next, connecting] : [connecting]
    }
    case 'met':
      return encounterLines(domain, step.host, step.demand, step.met)
  }
}

/** `paint` colors the one word that matters. */
export function conclusionLines(
  report: Report,
  paint: (word: string, isGood: boolean) => string,
): readonly string[] {
  const { question, verdict, cause, mail } = report
  const { domain, policy } = question
  const isGood = verdict === 'verified' || verdict === 'published'
  const unconnected = verdict === 'published' ? ' by DNS; certificates were not checked' : ''
  const { source } = policy
  return [
    `${paint(isGood ? 'DANE SUCCESS' : 'DANE FAILED', isGood)} for ${domain}${unconnected}`,
    ...(cause ? [`Reason: ${causeText(cause)}`] : []),
    ...(verdict === 'undetermined' ? ['This could not be determined: the lookup failed.'] : []),
    `Under opportunistic, ${fateText(mail.opportunistic)}`,
    `Under mandatory, ${fateText(mail.mandatory)}`,
    'Under audit or none, mail is sent as if this plugin were not there.',
    ...(source.kind === 'line'
      ? [
          `In force for ${domain} is ${policy.policy}, by dane.ini line ${source.line} (${source.text}).`,
        ]
      : []),
    'DANE verification completed.',
  ]
}

function reasonText(reason: Reason, detail = ''): string {
  return `${phraseOf(reason)} (${reason})${detail && `: ${detail}`}`
}

function causeText({ reason, at, detail }: Cause): string {
  return [...(at === undefined ? [] : [at]), reasonText(reason, detail)].join(': ')
}

/** What happens to a message now, as the end of a sentence; the details stand above it. */
function fateText({ action, host, cause, exposure }: MailFate): string {
  const inShort = (each: Cause): string => causeText({ ...each, detail: '' })
  const why = cause ? `: ${inShort(cause)}` : ''
  const but = exposure
    ? ` But whoever blocks better hosts gets it without DANE through ${inShort(exposure)}.`
    : ''
  switch (action) {
    case 'verified':
      return `mail is delivered to ${host ?? ''}, verified.${but}`
    case 'verify':
      return `mail is delivered to ${host ?? ''} if its certificate matches.${but}`
    case 'fallback':
      return `mail is sent without DANE${why}`
    case 'defer':
      return `mail waits in the queue, and bounces when its time is over${why}`
    case 'return':
      return `mail is returned to its sender at once${why}`
  }
}

function routeLines(domain: string, discovery: Discovery): readonly string[] {
  if (discovery.kind === 'plan') return []
  const { reason, detail } = discovery
  const what =
    reason === 'mx-bogus'
      ? `BOGUS MX record found for ${domain}`
      : discovery.kind === 'unresolved'
        ? `MX record of ${domain} cannot be looked up`
        : `No MX record found for ${domain}`
  return [what, reasonText(reason, detail)]
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
    route.kind === 'mx'
      ? `${mx} MX record(${exchange}) found for ${domain}`
      : `${mx} No MX record found for ${domain}, using its own address`,
    ...(route.security === 'insecure'
      ? [`INSECURE MX record(${exchange}) found. The command will still proceed.`]
      : []),
    ...host.addresses.map((each) => `${address} A record (${each}) found for ${inDomain}`),
    ...(facts.kind === 'lookup-failed' ? [failedLine('A', inDomain, facts.failed)] : []),
    ...demandLines(inDomain, host, demand),
  ]
}

function failedLine(type: string, inDomain: string, failed: Failed): string {
  return failed.cause === 'bogus'
    ? `BOGUS ${type} record found for ${inDomain}`
    : `${type} record of ${inDomain} cannot be looked up: ${failureText(failed)}`
}

/** What is demanded, as far as there is no connection to tell of it. */
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

function encounterLines(
  domain: string,
  { exchange }: HostPlan,
  demand: HostPolicy,
  { address, encounter }: AddressReport,
): readonly string[] {
  const isUsable = demand.kind === 'authenticate'
  const tlsa = `SECURE TLSA record found for MX(${exchange}) in ${domain}${isUsable ? '' : ', but none that can be used'}`
  switch (encounter.kind) {
    case 'not-tried':
      return demand.kind === 'authenticate' || demand.kind === 'encrypt' ? [tlsa] : []
    case 'no-route':
      return [tlsa, `This machine has no way to ${address}: ${encounter.detail}`]
    case 'failed': {
      const { reason, detail } = encounter
      return [tlsa, `Connection to ${address} failed: ${reasonText(reason, detail)}`]
    }
    case 'refused':
    case 'passed': {
      const { protocol, cipher, local } = encounter.session
      const end =
        encounter.kind === 'refused'
          ? [`Certificate verification failed: ${reasonText(encounter.reason, encounter.detail)}`]
          : [
              ...(encounter.isRolledOver
                ? ['The TLSA records had changed and were asked for anew.']
                : []),
              ...verdictLines(domain, encounter.verdict),
            ]
      return [
        `Connected to ${address} from interface ${local}.`,
        tlsa,
        'Checking TLS connection.',
        `TLS connection established: protocol ${protocol}, cipher ${cipher}.`,
        ...end,
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
    `TLSA record ${tlsaText(toRecord(record))} matched at depth ${depth}${by}`,
    `TLS connection succeeded ${domain}.`,
  ]
}
