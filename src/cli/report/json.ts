/**
 * How does a program read what was found?
 *
 * One object a domain, documented in docs/verify-json.md and described by
 * docs/verify.schema.json. Within a `version` keys are added, never taken away or given
 * another meaning; words are the same as in the log. Pure.
 */
import { tlsaOwner } from '../../name.js'
import type { EnforcedPolicy, HostPolicy } from '../../policy.js'
import { phraseOf } from '../../reason.js'
import { toRecord } from '../../tlsa.js'
import type { TlsaRecord } from '../../tlsa.js'
import { standingOf } from './conclude.js'
import type { AddressReport, Cause, HostReport, MailFate, Report } from './report.js'

/** What JSON can hold. */
export type Json =
  string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json }

export const VERSION = 1

export function toJson(report: Report): Json {
  const { question, discovery, verdict, cause, mail, hosts, instant } = report
  const { source, policy } = question.policy
  const route = discovery.kind === 'plan' ? discovery.route : undefined
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
    mail: { opportunistic: fateJson(mail.opportunistic), mandatory: fateJson(mail.mandatory) },
    route: route
      ? { kind: route.kind, security: route.security, expandedName: route.expandedNextHop }
      : null,
    hosts: discovery.kind === 'plan' ? hosts.map((host) => hostJson(report, host)) : [],
  }
}

function causeJson(cause: Cause | undefined): Json {
  if (cause === undefined) return null
  const { reason, at, detail } = cause
  return { reason, meaning: phraseOf(reason), at: at ?? null, detail }
}

function fateJson({ action, host, cause, exposure }: MailFate): Json {
  return { action, host: host ?? null, cause: causeJson(cause), exposure: causeJson(exposure) }
}

function hostJson({ question, discovery }: Report, host: HostReport): Json {
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
    tlsa: tlsaJson(host, question.port),
    referenceNames: namesOf(demands.opportunistic),
    addresses: addresses.map(addressJson),
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

function tlsaJson({ plan }: HostReport, port: number): Json {
  const { tlsa } = plan
  if (tlsa === undefined) return { status: 'not-asked', owner: null, records: [] }
  switch (tlsa.kind) {
    case 'insecure':
    case 'absent':
      return { status: tlsa.kind, owner: null, records: [] }
    case 'lookup-failed': {
      const status = tlsa.failed.cause === 'bogus' ? 'bogus' : 'failed'
      return { status, owner: null, records: [] }
    }
    case 'secure': {
      const { tlsaBase, usable, unusable } = tlsa
      return {
        status: 'secure',
        owner: tlsaOwner(port, tlsaBase) ?? null,
        records: [
          ...usable.map((record) => recordJson(toRecord(record), null)),
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

function addressJson({ address, encounter }: AddressReport): Json {
  const nothing = { reason: null, meaning: null, detail: null, tls: null, matched: null }
  const common = { address, outcome: encounter.kind, ...nothing }
  switch (encounter.kind) {
    case 'not-tried':
      return common
    case 'no-route':
      return { ...common, detail: encounter.detail }
    case 'failed': {
      const { reason, detail } = encounter
      return { ...common, reason, meaning: phraseOf(reason), detail }
    }
    case 'refused': {
      const { reason, detail, session } = encounter
      return { ...common, reason, meaning: phraseOf(reason), detail, tls: tlsJson(session) }
    }
    case 'passed': {
      const { session, verdict } = encounter
      const tls = tlsJson(session)
      if (verdict.kind === 'encrypted') return { ...common, outcome: 'encrypted', tls }
      const { record, depth, name } = verdict
      const matched = { record: recordJson(toRecord(record), null), depth, name: name ?? null }
      return { ...common, outcome: 'verified', tls, matched }
    }
  }
}

function tlsJson({
  protocol,
  cipher,
}: {
  readonly protocol: string
  readonly cipher: string
}): Json {
  return { protocol, cipher }
}
