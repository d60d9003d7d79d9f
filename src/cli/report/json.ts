/**
 * The report as JSON.
 *
 * One object per domain, documented in docs/verify-json.md and described by
 * docs/verify.schema.json. Within a `version` keys may be added, but never removed or
 * given another meaning; reasons are the words of the log. Pure.
 */
import { tlsaOwner } from '../../name.js'
import type { HostPolicy, Route } from '../../plan.js'
import type { EnforcedPolicy } from '../../policy.js'
import { phraseOf } from '../../reason.js'
import type { TlsaRecord } from '../../tlsa.js'
import { standingOf } from './conclude.js'
import type { ShownCertificate } from '../shown-certificate.js'
import type { AddressReport, Cause, HostReport, MailOutcome, Report, TlsSession } from './report.js'
import { expirySoon, secondsLeft } from './session-text.js'

/** Any JSON value. */
export type Json =
  string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json }

export const VERSION = 1

export function toJson(report: Report): Json {
  const { question, discovery, verdict, cause, mail, hosts, instant } = report
  const { source, policy } = question.policy
  const plan = discovery.kind === 'plan' ? discovery : undefined
  return {
    version: VERSION,
    domain: question.domain,
    time: new Date(instant).toISOString(),
    verdict,
    cause: causeJson(cause),
    policy: {
      inForce: policy,
      judgedAs: question.judgedAs,
      source: source.kind,
      line: source.kind === 'line' ? source.line : null,
    },
    insecureMx: question.insecureMx,
    port: question.port,
    connected: question.isConnecting,
    mail: {
      opportunistic: outcomeJson(mail.opportunistic),
      mandatory: outcomeJson(mail.mandatory),
    },
    route: plan ? routeJson(plan.route) : null,
    hosts: plan ? hosts.map((host) => hostJson(report, host)) : [],
    laterHosts: plan?.laterHosts?.length ?? 0,
    omittedHosts: plan?.omittedHosts ?? 0,
  }
}

function routeJson({ kind, security, expandedNextHop }: Route): Json {
  return { kind, security, expandedName: expandedNextHop }
}

function causeJson(cause: Cause | undefined): Json {
  if (cause === undefined) return null
  const { reason, host, detail } = cause
  return { reason, meaning: phraseOf(reason), at: host ?? null, detail }
}

function outcomeJson({ action, host, cause, exposure }: MailOutcome): Json {
  return { action, host: host ?? null, cause: causeJson(cause), exposure: causeJson(exposure) }
}

function hostJson({ question, discovery, instant }: Report, host: HostReport): Json {
  const { plan, demands, addresses } = host
  const { exchange, preference, facts } = plan
  const standing =
    discovery.kind === 'plan' ? standingOf(host, discovery, question.judgedAs) : undefined
  return {
    name: exchange,
    preference,
    standing: standing?.kind ?? 'unknown',
    cause: causeJson(standing && 'cause' in standing ? standing.cause : undefined),
    addressStatus: addressStatus(facts),
    demand: Object.fromEntries(
      (['opportunistic', 'mandatory'] as const).map((policy: EnforcedPolicy) => [
        policy,
        demands[policy].kind,
      ]),
    ),
    tlsa: tlsaJson(host, question.port, instant),
    referenceNames: namesOf(demands.opportunistic),
    addresses: addresses.map((each) => addressJson(each, instant)),
    laterAddresses: plan.laterAddresses?.length ?? 0,
  }
}

function addressStatus(facts: HostReport['plan']['facts']): string {
  switch (facts.kind) {
    case 'reachable':
      return facts.security
    case 'literal':
      return 'literal'
    case 'no-address':
      return 'absent'
    case 'lookup-failed':
      return facts.failed.cause === 'bogus' ? 'bogus' : 'failed'
    case 'alias-lookup-failed':
      return 'failed'
  }
}

function namesOf(demand: HostPolicy): readonly string[] {
  return demand.kind === 'authenticate' ? demand.referenceNames : []
}

function tlsaJson({ plan }: HostReport, port: number, instant: number): Json {
  const { tlsa } = plan
  if (tlsa === undefined) return { status: 'not-asked', owner: null, ttl: null, records: [] }
  switch (tlsa.kind) {
    case 'insecure':
    case 'absent':
      return { status: tlsa.kind, owner: null, ttl: null, records: [] }
    case 'lookup-failed': {
      const status = tlsa.failed.cause === 'bogus' ? 'bogus' : 'failed'
      return { status, owner: null, ttl: null, records: [] }
    }
    case 'secure': {
      const { tlsaBase, usable, unusable } = tlsa
      return {
        status: 'secure',
        owner: tlsaOwner(port, tlsaBase) ?? null,
        ttl: secondsLeft(tlsa, instant),
        records: [
          ...usable.map(({ published }) => recordJson(published, null)),
          ...unusable.map(({ record, reason }) => recordJson(record, reason)),
        ],
      }
    }
  }
}

function recordJson({ rdata }: TlsaRecord, unusable: string | null): Json {
  const [usage = null, selector = null, matchingType = null] = rdata
  const data = rdata.toString('hex', Math.min(3, rdata.length))
  return { usage, selector, matchingType, data, usable: unusable === null, unusable }
}

function addressJson({ address, connection }: AddressReport, instant: number): Json {
  const nothing = {
    reason: null,
    meaning: null,
    detail: null,
    tls: null,
    matched: null,
    certificates: [],
    expiring: null,
  }
  const common = { address, outcome: connection.kind, ...nothing }
  switch (connection.kind) {
    case 'not-tried':
      return common
    case 'no-route':
      return { ...common, detail: connection.detail }
    case 'failed': {
      const { reason, detail } = connection
      return { ...common, reason, meaning: phraseOf(reason), detail }
    }
    case 'refused': {
      const { reason, detail, session } = connection
      const tls = tlsJson(session)
      const certificates = session.shown.map(certificateJson)
      return { ...common, reason, meaning: phraseOf(reason), detail, tls, certificates }
    }
    case 'passed': {
      const { session, verdict } = connection
      const tls = tlsJson(session)
      const certificates = session.shown.map(certificateJson)
      if (verdict.kind === 'encrypted')
        return { ...common, outcome: 'encrypted', tls, certificates }
      const { record, depth, name } = verdict
      const matched = { record: recordJson(record.published, null), depth, name: name ?? null }
      const soon = expirySoon(connection, instant)
      const expiring = soon ? { depth: soon.depth, notAfter: timeJson(soon.notAfter) } : null
      return { ...common, outcome: 'verified', tls, matched, certificates, expiring }
    }
  }
}

function tlsJson({ protocol, cipher, milliseconds }: TlsSession): Json {
  return { protocol, cipher, milliseconds }
}

function certificateJson(shown: ShownCertificate, depth: number): Json {
  const { size, subject, issuer, names, notBefore, notAfter, certificate, publicKey } = shown
  return {
    depth,
    size,
    subject,
    issuer,
    names,
    notBefore: timeJson(notBefore),
    notAfter: timeJson(notAfter),
    certificate,
    publicKey: publicKey ?? null,
  }
}

function timeJson(instant: number | undefined): string | null {
  return instant === undefined ? null : new Date(instant).toISOString()
}
