/**
 * Checks Haraka's outbound settings.
 *
 * TLS that is disabled, retries that end before anybody could fix anything, hosts that
 * are exempt from TLS. Pure: given the files' texts.
 */
import { tlsDisabledText } from '../../haraka-hazards.js'
import { ok, problem, warning } from './finding.js'
import type { Finding } from './finding.js'
import { isTruth, readHarakaIni } from './haraka-ini.js'

export type OutboundFiles = {
  readonly outboundIni: string
  readonly tlsIni: string
  /** The older file, used if outbound.ini does not set them. */
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
      ? ok('outbound.ini', 'TLS is enabled')
      : problem('outbound.ini', tlsDisabledText(enableTls), 'remove the line'),
    ...(isOff
      ? [
          warning(
            'outbound.ini',
            'disabled=true: Haraka delivers nothing',
            'remove the line, unless mail is meant to stay in the queue',
          ),
        ]
      : []),
    retryFinding(intervals, outbound.value('', 'maxTempFailures')),
    ...(noTls.length > 0
      ? [
          warning(
            'tls.ini',
            `no_tls_hosts[] of [outbound] has ${noTls.length} hosts; if one of them has DANE, ` +
              'mail to it is sent over TLS regardless, or waits',
            'set policy = none for their domains in dane.ini, if they cannot do TLS',
          ),
        ]
      : []),
  ]
}

/** RFC 5321 §4.5.4.1 wants four to five days; less than one leaves no time to fix anything. */
function retryFinding(intervals: string, maxTempFailures: string | undefined): Finding {
  const more = 'set temp_fail_intervals, such as 1m,5m*2,30m,1h*3,4h*26'
  const seconds = intervals === '' ? defaultSpan(maxTempFailures) : spanOf(intervals)
  if (seconds === undefined) {
    return problem(
      'outbound.ini',
      `temp_fail_intervals=${intervals} is invalid: Haraka uses its default`,
      more,
    )
  }
  const source = intervals === '' ? `Haraka's default` : `temp_fail_intervals=${intervals}`
  const text = `mail that DANE defers is retried for ${spanText(seconds)} (${source})`
  if (seconds === 0) {
    return problem('outbound.ini', `${source}: mail that DANE defers bounces at once`, more)
  }
  return seconds < DAY
    ? warning('outbound.ini', `${text}, then it bounces`, more)
    : ok('outbound.ini', text)
}

/** Seconds from the first attempt to the bounce; undefined if Haraka cannot parse it. */
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
