/**
 * Summarizes which destinations would fail if DANE were enforced.
 *
 * Collects the forecasts of `policy = audit` by destination, from the last message to each,
 * and logs them: a line of totals, then the destinations that would not get their mail,
 * those with the most mail first.
 *
 * Bounded: `limit` destinations, the least recently seen are dropped first, and at most
 * `MAX_LINES` are logged. A process sees only its own mail; the metrics add up all workers.
 */
import { LRUCache } from 'lru-cache'
import type { Forecast, ForecastKind, MailEvent } from '../../mail-event.js'
import type { AuditSettings } from '../../settings/settings.js'
import { printable } from '../../text.js'
import { forecastText, isFine } from '../log/audit-log.js'
import type { Plugin } from '../host.js'

export type AuditSummary = {
  readonly note: (event: MailEvent) => void
  /** Empty if nothing has happened since the last call. */
  readonly lines: () => readonly string[]
}

/** Logs the summary at intervals, when it is stopped, and when the process exits or is terminated. */
export function startAuditSummary(
  plugin: Plugin,
  { destinations, summaryMs }: AuditSettings,
): Pick<AuditSummary, 'note'> & { readonly stop: () => void } {
  const summary = createAuditSummary(destinations)
  const say = (): void => {
    for (const line of summary.lines()) plugin.lognotice(`${line} (process ${process.pid})`)
  }
  // Haraka leaves SIGTERM to Node, which then ends the process without an `exit` event.
  const terminate = (): void => {
    say()
    // What was logged is on its way first. Other listeners decide for themselves.
    setImmediate(() => {
      if (process.listenerCount('SIGTERM') === 0) process.kill(process.pid, 'SIGTERM')
    })
  }
  const timer = setInterval(say, summaryMs).unref()
  process.once('exit', say)
  process.once('SIGTERM', terminate)
  return {
    note: summary.note,
    stop() {
      clearInterval(timer)
      process.removeListener('exit', say)
      process.removeListener('SIGTERM', terminate)
      say()
    },
  }
}

type Entry = {
  messages: number
  opportunistic: Forecast
  mandatory: Forecast
}

export function createAuditSummary(limit: number): AuditSummary {
  const known = new LRUCache<string, Entry>({ max: limit })
  let messages = 0
  let unjudged = 0
  let isNews = false

  return {
    note(event) {
      if (event.kind === 'unjudged') {
        unjudged++
        isNews = true
      }
      if (event.kind !== 'forecast') return
      isNews = true
      messages++
      const { destination, opportunistic, mandatory } = event
      const before = known.get(destination)?.messages ?? 0
      known.set(destination, { messages: before + 1, opportunistic, mandatory })
    },
    lines() {
      if (!isNews) return []
      isNews = false
      const all = [...known.entries()]
      const failing = all.filter(([, entry]) => harm(entry) > 0).toSorted(byHarm)
      const totals = (policy: 'opportunistic' | 'mandatory'): string =>
        `${policy} would leave ${counted(all.map(([, entry]) => entry[policy].kind))}`
      return [
        `audit summary: ${messages} messages, the last ${all.length} destinations; ${totals('opportunistic')}; ` +
          `${totals('mandatory')}; nothing enforced` +
          (unjudged > 0 ? `; ${unjudged} messages unjudged` : ''),
        ...failing.slice(0, MAX_LINES).map(lineOf),
        ...(failing.length > MAX_LINES
          ? [`audit summary: ${failing.length - MAX_LINES} more destinations would not get mail`]
          : []),
      ]
    },
  }
}

function lineOf([destination, { messages, opportunistic, mandatory }]: readonly [
  string,
  Entry,
]): string {
  return (
    `audit summary: ${printable(destination)}: ${messages} messages; ` +
    `opportunistic: ${whereText(opportunistic)}; mandatory: ${whereText(mandatory)}`
  )
}

function whereText(forecast: Forecast): string {
  const host =
    forecast.kind === 'deferred' || forecast.kind === 'returned'
      ? ` at ${printable(forecast.refusal.host)}`
      : ''
  return `${forecastText(forecast)}${host}`
}

/** 2: `opportunistic` would hold mail; 1: only `mandatory` would. */
function harm({ opportunistic, mandatory }: Entry): number {
  if (!isFine(opportunistic)) return 2
  return isFine(mandatory) ? 0 : 1
}

function byHarm(a: readonly [string, Entry], b: readonly [string, Entry]): number {
  return harm(b[1]) - harm(a[1]) || b[1].messages - a[1].messages || (a[0] < b[0] ? -1 : 1)
}

function counted(kinds: readonly ForecastKind[]): string {
  const words: readonly (readonly [ForecastKind, string])[] = [
    ['verified', 'verified'],
    ['encrypted', 'over TLS only'],
    ['no-dane', 'unchanged'],
    ['deferred', 'deferred'],
    ['returned', 'returned'],
    ['unknown', 'unknown'],
  ]
  const parts = words.flatMap(([kind, word]) => {
    const count = kinds.filter((each) => each === kind).length
    return count > 0 ? [`${count} ${word}`] : []
  })
  return parts.length > 0 ? parts.join(', ') : 'none'
}

const MAX_LINES = 100
