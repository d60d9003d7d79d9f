/**
 * When a report is sent, when it is tried again, and when it is given up.
 *
 * Every process computes the same instants for the same report, so nothing about them is
 * stored. Pure.
 */
import { createHash } from 'node:crypto'
import { endOf } from './day.js'
import type { ReportKey } from './store.js'

/**
 * Milliseconds since the epoch. RFC 8460 §4.1: spread over the hours after midnight, up to
 * four of them; not at once, because other processes still write the last counts.
 */
export function dueAt(key: ReportKey): number {
  return endOf(key.day) + SETTLE_MS + Math.floor(lotOf(key) * SPREAD_MS)
}

/** Counts are kept that long; nothing older is sent. */
export function isTooOld({ day }: ReportKey, at: number): boolean {
  return at >= endOf(day) + MAX_AGE_MS
}

/**
 * RFC 8460 §5.5: growing pauses, for 24 hours from the first attempt on.
 *
 * @param attempts made so far, at least 1
 * @returns undefined: given up
 */
export function retryAt(attempts: number, firstAt: number, at: number): number | undefined {
  const pause = Math.min(MAX_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (attempts - 1))
  const next = at + pause
  return next < firstAt + RETRY_MS ? next : undefined
}

/** How long an address that refused reports is left alone: a day at first, then twice as long. */
export function quietDays(earlier: number): number {
  return Math.min(MAX_QUIET_DAYS, Math.max(1, earlier * 2))
}

/** From 0 inclusive to 1 exclusive; differs per day and domain. */
function lotOf({ day, domain }: ReportKey): number {
  const digest = createHash('sha256').update(`${day} ${domain}`).digest()
  return digest.readUInt32BE(0) / 2 ** 32
}

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS

const SETTLE_MS = 5 * MINUTE_MS
const SPREAD_MS = 4 * HOUR_MS - SETTLE_MS
const FIRST_PAUSE_MS = 10 * MINUTE_MS
const MAX_PAUSE_MS = 4 * HOUR_MS
const RETRY_MS = 24 * HOUR_MS
const MAX_AGE_MS = 48 * HOUR_MS
const MAX_QUIET_DAYS = 30
