/**
 * One day's counts of one domain as the report of RFC 8460 §4.4.
 *
 * `toReport` is deterministic: the same counts give the same octets, in every process and
 * however often. A report has at most `MAX_REPORT_BYTES` as JSON; where the counts are more,
 * details lose their addresses and hosts, then policies with the fewest sessions lose their
 * record sets. Every session stays in the totals.
 *
 * Promises: I-JSON (RFC 7493): no member is null or empty, and all text is printable ASCII,
 * except for the organization's name. Pure.
 */
import type { DomainName } from '../name.js'
import type { CountedDetail, DayCounts, FailureDetail, PolicyCounts } from './counts.js'
import { endOf, startOf } from './day.js'
import type { UtcDay } from './day.js'

/** RFC 8460 §4.4. */
export type Report = {
  readonly 'organization-name': string
  readonly 'date-range': { readonly 'start-datetime': string; readonly 'end-datetime': string }
  readonly 'contact-info': string
  readonly 'report-id': string
  readonly policies: readonly ReportedPolicy[]
}

export type ReportedPolicy = {
  readonly policy: {
    readonly 'policy-type': 'tlsa' | 'no-policy-found'
    /** Left out if the set is empty or not known. */
    readonly 'policy-string'?: readonly string[]
    readonly 'policy-domain': string
  }
  readonly summary: {
    readonly 'total-successful-session-count': number
    readonly 'total-failure-session-count': number
  }
  readonly 'failure-details'?: readonly ReportedDetail[]
}

export type ReportedDetail = {
  readonly 'result-type': string
  readonly 'sending-mta-ip'?: string
  readonly 'receiving-mx-hostname'?: string
  readonly 'receiving-mx-helo'?: string
  readonly 'receiving-ip'?: string
  readonly 'failed-session-count': number
  readonly 'additional-information'?: string
  readonly 'failure-reason-code'?: string
}

/** Who reports. */
export type Reporter = {
  readonly organization: string
  /** An address. */
  readonly contact: string
  /** The domain of the report's From and of its DKIM signature. */
  readonly submitter: DomainName
}

/** A report with the octets that are sent. */
export type WrittenReport = { readonly report: Report; readonly json: string }

/** Octets of a report before compression. */
export const MAX_REPORT_BYTES = 1_048_576

export function toReport(counts: DayCounts, reporter: Reporter): WrittenReport {
  let written = write(counts, reporter, counts.policies)
  for (const { details, policies } of REDUCTIONS) {
    if (Buffer.byteLength(written.json) <= MAX_REPORT_BYTES) break
    const fewer = withFewerSets(counts.policies, policies)
    written = write(
      counts,
      reporter,
      fewer.map((each) => withFewerDetails(each, details)),
    )
  }
  return written
}

/** RFC 8460 §4.4: the same for all attempts; no blanks, no angle brackets. */
export function reportId(day: UtcDay, domain: DomainName, submitter: DomainName): string {
  return `${day.replaceAll('-', '')}.${domain}@${submitter}`
}

/** RFC 8460 §5.1: `submitter!policy-domain!begin!end!id.json.gz`, times in seconds. */
export function reportFileName(day: UtcDay, domain: DomainName, submitter: DomainName): string {
  const begin = startOf(day) / 1000
  return `${submitter}!${domain}!${begin}!${lastSecond(day)}!${day.replaceAll('-', '')}.json.gz`
}

export function hasFailures({ policies }: DayCounts): boolean {
  return policies.some(({ failed }) => failed > 0)
}

/** Successful and failed sessions of all policies. */
export function totalsOf({ policies }: DayCounts): {
  readonly successful: number
  readonly failed: number
} {
  return {
    successful: policies.reduce((sum, each) => sum + each.successful, 0),
    failed: policies.reduce((sum, each) => sum + each.failed, 0),
  }
}

function write(
  { day, domain }: DayCounts,
  { organization, contact, submitter }: Reporter,
  policies: readonly PolicyCounts[],
): WrittenReport {
  const report: Report = {
    'organization-name': organization,
    'date-range': {
      'start-datetime': `${day}T00:00:00Z`,
      // As in the example of RFC 8460 §4.4: receivers compare it.
      'end-datetime': `${day}T23:59:59Z`,
    },
    'contact-info': contact,
    'report-id': reportId(day, domain, submitter),
    policies: policies.map(reported).toSorted(byText),
  }
  return { report, json: JSON.stringify(report) }
}

function reported({ policy, successful, failed, details }: PolicyCounts): ReportedPolicy {
  const records = policy.kind === 'tlsa' ? policy.records : []
  return {
    policy: {
      'policy-type': policy.kind,
      ...(records.length > 0 && { 'policy-string': records }),
      'policy-domain': policy.domain,
    },
    summary: {
      'total-successful-session-count': successful,
      'total-failure-session-count': failed,
    },
    ...(details.length > 0 && {
      'failure-details': details.map(reportedDetail).toSorted(byText),
    }),
  }
}

function reportedDetail(detail: CountedDetail): ReportedDetail {
  const { sendingMtaIp, receivingMxHostname, receivingMxHelo, receivingIp } = detail
  const { additionalInformation, reasonCode } = detail
  return {
    'result-type': detail.resultType,
    ...(sendingMtaIp && { 'sending-mta-ip': sendingMtaIp }),
    ...(receivingMxHostname && { 'receiving-mx-hostname': receivingMxHostname }),
    ...(receivingMxHelo && { 'receiving-mx-helo': receivingMxHelo }),
    ...(receivingIp && { 'receiving-ip': receivingIp }),
    'failed-session-count': detail.sessions,
    ...(additionalInformation && { 'additional-information': additionalInformation }),
    ...(reasonCode && { 'failure-reason-code': reasonCode }),
  }
}

/** The details with the most sessions as they are; the rest without hosts and addresses. */
function withFewerDetails(counts: PolicyCounts, most: number): PolicyCounts {
  const sorted = counts.details.toSorted((a, b) => b.sessions - a.sessions || byText(a, b))
  const rest = new Map<string, CountedDetail>()
  for (const { resultType, reasonCode, sessions } of sorted.slice(most)) {
    const key = `${resultType} ${reasonCode ?? ''}`
    const bare: FailureDetail = { ...NOWHERE, resultType, reasonCode }
    rest.set(key, { ...bare, sessions: (rest.get(key)?.sessions ?? 0) + sessions })
  }
  return { ...counts, details: [...sorted.slice(0, most), ...rest.values()] }
}

/** The policies with the most sessions as they are; the rest of one domain as one, without its records. */
function withFewerSets(policies: readonly PolicyCounts[], most: number): readonly PolicyCounts[] {
  const sessions = ({ successful, failed }: PolicyCounts): number => successful + failed
  const sorted = policies.toSorted((a, b) => sessions(b) - sessions(a) || byText(a, b))
  const rest = new Map<string, PolicyCounts>()
  for (const { policy, successful, failed, details } of sorted.slice(most)) {
    const key = `${policy.kind} ${policy.domain}`
    const earlier = rest.get(key)
    rest.set(key, {
      policy: policy.kind === 'tlsa' ? { ...policy, records: [] } : policy,
      successful: (earlier?.successful ?? 0) + successful,
      failed: (earlier?.failed ?? 0) + failed,
      details: [...(earlier?.details ?? []), ...details],
    })
  }
  return [...sorted.slice(0, most), ...rest.values()]
}

function byText(a: unknown, b: unknown): number {
  const [first, second] = [JSON.stringify(a), JSON.stringify(b)]
  return first < second ? -1 : first > second ? 1 : 0
}

function lastSecond(day: UtcDay): number {
  return endOf(day) / 1000 - 1
}

const NOWHERE = {
  sendingMtaIp: undefined,
  receivingMxHostname: undefined,
  receivingMxHelo: undefined,
  receivingIp: undefined,
  additionalInformation: undefined,
} as const

/** Tried in turn until the report is small enough: details per policy, policies with their records. */
const REDUCTIONS = [
  { details: 100, policies: 1_000 },
  { details: 10, policies: 1_000 },
  { details: 0, policies: 1_000 },
  { details: 0, policies: 20 },
  { details: 0, policies: 0 },
] as const
