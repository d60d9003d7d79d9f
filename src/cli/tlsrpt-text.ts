/** What `haraka-dane tlsrpt` prints of counts and reports. Pure. */
import { printable } from '../text.js'
import type { CountedDetail, DayCounts, PolicyCounts } from '../tlsrpt/counts.js'
import { isSettled, readProgress, uriText } from '../tlsrpt/progress.js'
import type { RecordLookup } from '../tlsrpt/record.js'
import type { Outcome } from '../tlsrpt/receivers.js'
import { totalsOf } from '../tlsrpt/report.js'
import { dueAt } from '../tlsrpt/schedule.js'
import type { ReportKey, ReportState } from '../tlsrpt/store.js'

export function countsText(counts: DayCounts): readonly string[] {
  const { successful, failed } = totalsOf(counts)
  return [
    `${counts.domain} on ${counts.day} (UTC): ${successful} sessions successful, ${failed} failed`,
    ...counts.policies.flatMap(policyText),
  ]
}

/** @param isDnssecRequired as dane.ini says */
export function recordText(lookup: RecordLookup, isDnssecRequired: boolean): string {
  switch (lookup.kind) {
    case 'found': {
      const { record, isSecure } = lookup
      const how = isSecure
        ? 'signed'
        : isDnssecRequired
          ? 'not signed, so no report is sent: require_dnssec = yes'
          : 'not signed: whoever forges it reads the report'
      return `record: ${record.rua.map((uri) => printable(uriText(uri), 1_100)).join(', ')} (${how})`
    }
    case 'none':
      return 'record: none that can be used, so no report is sent'
    case 'failed':
      return `record: DNS does not answer: ${printable(lookup.detail)}`
  }
}

/** @param now milliseconds since the epoch */
export function stateText(
  key: ReportKey,
  { kind, notBefore, note }: ReportState,
  now: number,
): string {
  switch (kind) {
    case 'open': {
      const due = dueAt(key)
      if (readProgress(note).attempts > 0) return 'report: being sent'
      return due > now ? `report: due at ${timeText(due)}` : 'report: due now'
    }
    case 'sending':
      return 'report: being sent'
    case 'waiting':
      return `report: not accepted everywhere yet, tried again from ${timeText(notBefore)} on`
    case 'done':
      return readProgress(note).targets.some(isSettled) ? 'report: done' : 'report: none was sent'
  }
}

export function outcomeText({ uri, kind, detail, at }: Outcome): string {
  return `${timeText(at)} ${kind} ${uri}${detail === '' ? '' : `: ${detail}`}`
}

function policyText({ policy, successful, failed, details }: PolicyCounts): readonly string[] {
  const records = policy.kind === 'tlsa' ? policy.records : []
  return [
    `  policy ${policy.kind} ${policy.domain}: ${successful} successful, ${failed} failed`,
    ...records.map((record) => `    TLSA ${printable(record, 1_000)}`),
    ...details.map((detail) => `    ${detailText(detail)}`),
  ]
}

function detailText(detail: CountedDetail): string {
  const { sessions, resultType, receivingMxHostname, receivingIp, sendingMtaIp } = detail
  const { reasonCode, additionalInformation } = detail
  const known = [
    ...(receivingMxHostname ? [`at ${receivingMxHostname}`] : []),
    ...(receivingIp ? [`(${receivingIp})`] : []),
    ...(sendingMtaIp ? [`from ${sendingMtaIp}`] : []),
  ]
  const why = [reasonCode, additionalInformation].filter((each) => each !== undefined)
  const words = [`${sessions} ${resultType}`, ...known].join(' ')
  return printable(why.length > 0 ? `${words}: ${why.join(', ')}` : words, 1_500)
}

function timeText(at: number): string {
  return new Date(at).toISOString().replace(/\.\d+Z$/, 'Z')
}
