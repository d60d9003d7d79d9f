/**
 * Days in UTC: a report covers one of them (RFC 8460 §4.1), whatever the time zone of the
 * system is. Pure.
 */

declare const brand: unique symbol

/** A day in UTC, as `2026-03-01`. Days sort as their texts do. */
export type UtcDay = string & { readonly [brand]: 'UtcDay' }

/** @param at milliseconds since the epoch, in the years 1970 to 9999 */
export function utcDay(at: number): UtcDay {
  const text = new Date(at).toISOString().slice(0, 10)
  if (isUtcDay(text)) return text
  throw new RangeError(`no day of the years 1970 to 9999: ${at}`)
}

/** Undefined for anything that is not a date of the calendar in this form. */
export function parseUtcDay(text: string): UtcDay | undefined {
  return isUtcDay(text) ? text : undefined
}

/** Milliseconds since the epoch at 00:00:00Z of the day. */
export function startOf(day: UtcDay): number {
  return Date.parse(`${day}T00:00:00Z`)
}

/** Milliseconds since the epoch when the day has ended: the next day's start. */
export function endOf(day: UtcDay): number {
  return startOf(day) + DAY_MS
}

function isUtcDay(text: string): text is UtcDay {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(text)) return false
  const at = Date.parse(`${text}T00:00:00Z`)
  // Date.parse accepts the 30th of February and moves it to March.
  return at >= 0 && new Date(at).toISOString().slice(0, 10) === text
}

/** UTC has no days of another length that POSIX time would show. */
export const DAY_MS = 86_400_000
