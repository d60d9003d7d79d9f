/**
 * What is known about the places that reports go to, shared by all senders.
 *
 * A place that refuses is left alone for a time that doubles; one place gets a limited
 * number of reports a day, since many domains may name the same stranger. The outcome of
 * each report at each place is kept for `haraka-dane tlsrpt log`.
 *
 * Rejects if the store does.
 */
import { REPORT_OUTCOMES } from '../report-event.js'
import type { ReportOutcome } from '../report-event.js'
import { printable } from '../text.js'
import type { UtcDay } from './day.js'
import { targetId, uriText } from './progress.js'
import type { ReportUri } from './record.js'
import { quietDays } from './schedule.js'
import type { ReportKey, ReportStore } from './store.js'

export type Outcome = {
  readonly uri: string
  readonly kind: ReportOutcome
  /** Printable. */
  readonly detail: string
  /** Milliseconds since the epoch. */
  readonly at: number
}

/** Reports to one address or host in a day. */
export const MAX_PER_PLACE = 1_000

/** Why nothing is to be sent there now; undefined: it may be. */
export async function whySpared(
  store: ReportStore,
  uri: ReportUri,
  at: number,
): Promise<string | undefined> {
  const quiet = await quietOf(store, uri)
  if (quiet !== undefined && quiet.until > at) {
    return `it refused a report, and is left alone until ${new Date(quiet.until).toISOString()}`
  }
  const place = `to ${placeOf(uri)}`
  if ((await store.tally(place, DAY_MS)) > MAX_PER_PLACE) {
    return `it has had ${MAX_PER_PLACE} reports today`
  }
  return undefined
}

/** @returns for how many days it is left alone */
export async function noteRefusal(store: ReportStore, uri: ReportUri, at: number): Promise<number> {
  const quiet = await quietOf(store, uri)
  // Messages that were under way at the same time are one refusal.
  if (quiet !== undefined && quiet.until > at) return quiet.days
  const days = quietDays(quiet?.days ?? 0)
  const value = JSON.stringify({ days, until: at + days * DAY_MS })
  await store.remember(quietName(uri), value, (days + MEMORY_DAYS) * DAY_MS)
  return days
}

export async function noteAcceptance(store: ReportStore, uri: ReportUri): Promise<void> {
  if ((await quietOf(store, uri)) === undefined) return
  await store.remember(quietName(uri), JSON.stringify({ days: 0, until: 0 }), 1_000)
}

export async function noteOutcome(
  store: ReportStore,
  key: ReportKey,
  uri: ReportUri,
  outcome: Omit<Outcome, 'uri'>,
): Promise<void> {
  const { kind, detail, at } = outcome
  const value = JSON.stringify({ uri: uriText(uri), kind, detail: printable(detail, 300), at })
  await store.remember(outcomeName(key, targetId(uri)), value, LOG_DAYS * DAY_MS)
}

/** @param id of a target of the report's progress */
export async function outcomeOf(
  store: ReportStore,
  key: { readonly day: UtcDay; readonly domain: ReportKey['domain'] },
  id: string,
): Promise<Outcome | undefined> {
  const value = read(await store.recall(outcomeName(key, id)))
  const kind = REPORT_OUTCOMES.find((known) => known === value['kind'])
  if (kind === undefined) return undefined
  return {
    uri: printable(String(value['uri']), 1_100),
    kind,
    detail: printable(String(value['detail']), 300),
    at: Number(value['at']),
  }
}

async function quietOf(
  store: ReportStore,
  uri: ReportUri,
): Promise<{ readonly days: number; readonly until: number } | undefined> {
  const value = read(await store.recall(quietName(uri)))
  const [days, until] = [Number(value['days']), Number(value['until'])]
  return days > 0 && until > 0 ? { days, until } : undefined
}

function read(text: string | undefined): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text ?? '')
    return typeof value === 'object' && value !== null ? { ...value } : {}
  } catch {
    return {}
  }
}

/** A host's endpoints are one place; so are the spellings of one mailbox. */
function placeOf(uri: ReportUri): string {
  return uri.kind === 'mailto' ? uri.address.toLowerCase() : new URL(uri.url).host
}

function quietName(uri: ReportUri): string {
  return `quiet ${targetId(uri)}`
}

function outcomeName({ day, domain }: ReportKey, id: string): string {
  return `outcome ${day} ${domain} ${id}`
}

const DAY_MS = 86_400_000
const LOG_DAYS = 7
/** After its quiet time a place that refuses again is left alone for twice as long. */
const MEMORY_DAYS = 14
