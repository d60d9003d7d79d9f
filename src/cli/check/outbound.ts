/**
 * Does Haraka's outbound stand in the way of DANE?
 *
 * TLS that is switched off, retries that end before anybody could mend anything, hosts
 * that get no TLS. Pure: the files' texts come in, findings go out.
 */
import { ok, problem, warning } from './finding.js'
import type { Finding } from './finding.js'
import { isTruth, readHarakaIni } from './haraka-ini.js'

export type OutboundFiles = {
  readonly outboundIni: string
  readonly tlsIni: string
  /** The older file that holds what outbound.ini does not. */
  readonly tempFailIntervals: string
}

export function outboundFindings(files: OutboundFiles): readonly Finding[] {
  const outbound = readHarakaIni(files.outboundIni)
  const tls = readHarakaIni(files.tlsIni)
  const enableTls = outbound.value('', 'enable_tls')
  const isOff = isTruth(outbound.value('', 'disabled') ?? 'no')
  const intervals = outbound.value('', 'temp_fail_intervals') ?? files.tempFailIntervals.trim()
  const noTls = tls.list('outbound', 'no_tls_hosts')
  return [
    enableTls === undefined || isTruth(enableTls)
      ? ok('outbound.ini', 'TLS is not switched off')
      : problem(
          'outbound.ini',
          `enable_tls=${enableTls}: mail to hosts with DANE waits and then bounces`,
          'take the line out',
        ),
    ...(isOff
      ? [
          warning(
            'outbound.ini',
            'disabled=true: Haraka delivers nothing',
            'take the line out, unless mail is meant to stay in the queue',
          ),
        ]
      : []),
    retryFinding(intervals, outbound.value('', 'maxTempFailures')),
    ...(noTls.length > 0
      ? [
          warning(
            'tls.ini',
            `no_tls_hosts[] of [outbound] has ${noTls.length} hosts; where one of them has DANE, ` +
              'mail to it goes over TLS all the same, or waits',
            'set policy = none for their domains in dane.ini, if they cannot do TLS',
          ),
        ]
      : []),
  ]
}

/** RFC 5321 §4.5.4.1 wants four to five days; less than one leaves nobody time to mend anything. */
function retryFinding(intervals: string, maxTempFailures: string | undefined): Finding {
  const more = 'set temp_fail_intervals, such as 1m,5m*2,30m,1h*3,4h*26'
  const seconds = intervals === '' ? defaultSpan(maxTempFailures) : spanOf(intervals)
  if (seconds === undefined) {
    return problem(
      'outbound.ini',
      `temp_fail_intervals=${intervals} is not understood: Haraka takes its default`,
      more,
    )
  }
  const source = intervals === '' ? `Haraka's default` : `temp_fail_intervals=${intervals}`
  const text = `mail that DANE holds back is tried for ${spanText(seconds)} (${source})`
  if (seconds === 0) {
    return problem('outbound.ini', `${source}: mail that DANE holds back bounces at once`, more)
  }
  return seconds < DAY
    ? warning('outbound.ini', `${text}, then it bounces`, more)
    : ok('outbound.ini', text)
}

/** Seconds from the first attempt to the bounce; undefined where Haraka does not understand it. */
export function spanOf(intervals: string): number | undefined {
  const text = intervals.replace(/\s+/g, '').toLowerCase()
  if (text === 'none') return 0
  let sum = 0
  for (const part of text.split(',')) {
    const [, digits, unit, times = '1'] = /^(\d{1,7})([smhd])(?:\*(\d{1,5}))?$/.exec(part) ?? []
    const seconds = Number(digits) * (UNITS[unit ?? ''] ?? NaN)
    if (!(seconds >= 5)) return undefined
    sum += seconds * Number(times)
  }
  return sum
}

/** 2^6 seconds, 2^7, and so on. */
function defaultSpan(maxTempFailures: string | undefined): number {
  const most = Math.min(Number(maxTempFailures ?? 13) || 13, 30)
  return 2 ** (most + 5) - 64
}

function spanText(seconds: number): string {
  if (seconds >= 2 * DAY) return `${Math.round(seconds / DAY)} days`
  if (seconds >= 2 * HOUR) return `${Math.round(seconds / HOUR)} hours`
  return `${Math.round(seconds / 60)} minutes`
}

const HOUR = 3_600
const DAY = 86_400
const UNITS: Readonly<Record<string, number>> = { s: 1, m: 60, h: HOUR, d: DAY }
