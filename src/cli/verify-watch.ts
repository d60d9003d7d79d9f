/**
 * `haraka-dane verify --watch`: follows one domain, such as through a rollover.
 *
 * Checks it again and again and prints what has changed, each with its time; nothing
 * else but a line now and then to show that it is still there. Neither answers nor
 * certificates of an earlier check are used again; what the resolver has cached is.
 * Ctrl-C prints a summary and ends with the code of the last verdict.
 *
 * Effects: network, standard output, a handler of SIGINT and SIGTERM, timers.
 */
import type { CachedResolver } from '../lookup.js'
import { changesOf, changeText, sightingOf } from './report/watch.js'
import type { Change, Sighting } from './report/watch.js'
import type { Question, Report } from './report/report.js'
import { CODE, painter, COLOR } from './verify-list.js'

export type WatchOptions = {
  /** Milliseconds between checks; undefined: by the TTL of the TLSA records. */
  readonly intervalMs: number | undefined
  readonly isJson: boolean
}

/**
 * @param check makes one check, with lookups and connections of its own
 * @returns the code of the last verdict: 0 verified, 1 not, 3 undetermined or not known yet
 */
export async function watch(
  question: Question,
  check: () => Promise<Report>,
  { intervalMs, isJson }: WatchOptions,
): Promise<number> {
  const startedAt = Date.now()
  const interrupted = interruption()
  const print = isJson ? printJson(question) : printText(question)
  let last: Sighting | undefined
  let [checks, changed, unchanged] = [0, 0, 0]
  try {
    for (;;) {
      const report = await Promise.race([check(), interrupted.promise])
      if (report === undefined) break
      const sighting = sightingOf(report, last)
      const changes = changesOf(last, sighting)
      if (last !== undefined) changed += changes.length
      checks++
      unchanged = changes.length > 0 ? 0 : unchanged + 1
      last = sighting
      for (const change of changes) print.change(change, sighting)
      const waitMs = waitAfter(sighting, intervalMs)
      if (checks === 1) print.begin(waitMs)
      if (unchanged === HEARTBEAT) {
        print.heartbeat(unchanged, sighting)
        unchanged = 0
      }
      if ((await Promise.race([pause(waitMs), interrupted.promise])) === undefined) break
    }
  } finally {
    interrupted.end()
  }
  print.end({ startedAt, checks, changed }, last)
  return last === undefined ? CODE.undetermined : CODE[last.verdict]
}

/** Answers of DNS only: neither this process's memory nor what was asked a moment ago. */
export function uncachedView(resolver: CachedResolver): CachedResolver {
  const refresh: CachedResolver['refresh'] = (name, type) => resolver.refresh(name, type)
  return { lookup: refresh, refresh }
}

/** The next check is due when the resolver has to query the TLSA records again. */
export function waitAfter({ ttlMs }: Sighting, intervalMs: number | undefined): number {
  if (intervalMs !== undefined) return intervalMs
  if (ttlMs === undefined) return DEFAULT_MS
  return Math.min(MOST_MS, Math.max(LEAST_MS, ttlMs + TTL_MARGIN_MS))
}

type Totals = { readonly startedAt: number; readonly checks: number; readonly changed: number }

type Printer = {
  readonly begin: (waitMs: number) => void
  readonly change: (change: Change, sighting: Sighting) => void
  readonly heartbeat: (checks: number, sighting: Sighting) => void
  readonly end: (totals: Totals, last: Sighting | undefined) => void
}

function printText({ domain }: Question): Printer {
  const paint = painter()
  const line = (instant: number, text: string): void => {
    console.log(`${timeText(instant)} ${text}`)
  }
  return {
    begin(waitMs) {
      line(
        Date.now(),
        `watching ${domain}: next check in ${Math.round(waitMs / 1000)} s, then changes only; Ctrl-C ends`,
      )
    },
    change(change, { instant, verdict }) {
      const text = changeText(change)
      line(instant, change.what === 'verdict' ? paint(text, COLOR[verdict]) : text)
    },
    heartbeat(checks, { instant, verdict }) {
      line(instant, `no change in ${checks} checks: ${verdict}`)
    },
    end({ startedAt, checks, changed }, last) {
      const now = Date.now()
      const seconds = Math.round((now - startedAt) / 1000)
      const verdict = last?.verdict ?? 'not known'
      line(
        now,
        `watched ${domain} for ${seconds} s: ${checks} checks, ${changed} changes; last verdict: ${verdict}`,
      )
    },
  }
}

function printJson({ domain }: Question): Printer {
  const line = (event: string, instant: number, more: object): void => {
    console.log(JSON.stringify({ version: 1, event, time: timeText(instant), domain, ...more }))
  }
  return {
    begin: (waitMs) => {
      line('begin', Date.now(), { nextCheckSeconds: Math.round(waitMs / 1000) })
    },
    change: ({ what, where, before, after }, { instant }) => {
      line('change', instant, { what, where, before, after })
    },
    heartbeat: (checks, { instant, verdict }) => {
      line('heartbeat', instant, { checks, verdict })
    },
    end: ({ startedAt, checks, changed }, last) => {
      const now = Date.now()
      const seconds = Math.round((now - startedAt) / 1000)
      line('end', now, { seconds, checks, changes: changed, verdict: last?.verdict ?? null })
    },
  }
}

function timeText(instant: number): string {
  return new Date(instant).toISOString()
}

/** Settles as undefined at the first Ctrl-C; the next one ends the process as usual. */
function interruption(): { readonly promise: Promise<undefined>; readonly end: () => void } {
  let stop: () => void = () => undefined
  const promise = new Promise<undefined>((resolve) => {
    stop = () => {
      resolve(undefined)
    }
  })
  for (const signal of SIGNALS) process.once(signal, stop)
  return {
    promise,
    end: () => {
      for (const signal of SIGNALS) process.removeListener(signal, stop)
    },
  }
}

function pause(milliseconds: number): Promise<true> {
  return new Promise((resolve) => {
    setTimeout(() => {
      resolve(true)
    }, milliseconds)
  })
}

const SIGNALS = ['SIGINT', 'SIGTERM'] as const
/** Checks without a change before the next line. */
const HEARTBEAT = 10
/** Without TLSA records. */
const DEFAULT_MS = 60_000
/** Bounds of the interval that follows from a TTL. */
const LEAST_MS = 10_000
const MOST_MS = 300_000
/** The TTL has whole seconds: just after it. */
const TTL_MARGIN_MS = 1_000
