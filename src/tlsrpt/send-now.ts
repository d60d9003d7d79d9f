/**
 * The request of `haraka-dane tlsrpt send` to relays that run: a report is due now.
 *
 * Left in the store, where every process that sends looks for it. It ends by itself; a
 * report that is done is not sent again. Rejects if the store does.
 */
import { parseDomainName } from '../name.js'
import { parseUtcDay } from './day.js'
import type { ReportKey, ReportStore } from './store.js'

/** @param now milliseconds since the epoch; makes two requests for one report distinct */
export async function askForNow(store: ReportStore, key: ReportKey, now: number): Promise<void> {
  await store.remember(NAME, JSON.stringify({ ...key, now }), LIFE_MS)
}

/** A report that was asked for, and when; undefined: none. */
export async function askedForNow(
  store: ReportStore,
): Promise<{ readonly key: ReportKey; readonly at: number } | undefined> {
  const text = await store.recall(NAME)
  if (text === undefined) return undefined
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return undefined
  }
  const field = (name: string): unknown =>
    typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined
  const day = parseUtcDay(String(field('day')))
  const domain = parseDomainName(String(field('domain')))
  const at = Number(field('now'))
  if (day === undefined || domain === undefined || !Number.isFinite(at)) return undefined
  return { key: { day, domain }, at }
}

const NAME = 'send now'
/** Relays look every few seconds. */
const LIFE_MS = 60_000
