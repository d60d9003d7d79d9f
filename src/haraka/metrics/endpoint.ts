/**
 * Loads the metrics on demand and serves them over Haraka's HTTP server.
 *
 * If dane.ini enables metrics, every event is counted (metrics/counts.ts); otherwise
 * nothing of that is loaded.
 *
 * Promises: nothing in here throws or delays mail; a failure is logged once.
 */
import { realpathSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { MetricsEvent } from '../../metrics/metrics-event.js'
import type { Counts } from '../../metrics/counts.js'
import type { MetricsSettings } from '../../settings/settings.js'
import { errorText } from '../../text.js'
import { member } from '../host.js'
import type { HttpHost, HttpResponse, Plugin } from '../host.js'
import type { ProcessLog } from '../log/process-log.js'
import { connectWorkers } from './workers.js'
import type { Workers } from './workers.js'

export type Metrics = {
  readonly hear: (event: MetricsEvent) => void
  /** Must be called while Haraka sets up its HTTP server. */
  readonly addRoute: (server: HttpHost) => void
  /** This process ends. */
  readonly stop: () => void
}

export function startMetrics(log: ProcessLog, settings: MetricsSettings | undefined): Metrics {
  if (settings === undefined) return OFF
  const { path, destinations } = settings
  const early: MetricsEvent[] = []
  let isFaulty = false
  let hear = (event: MetricsEvent): void => {
    if (early.length < MAX_EARLY) early.push(event)
  }

  const service = load(destinations)
  service.then(
    ({ counts }) => {
      hear = counts.count
      for (const event of early.splice(0)) guarded(event)
    },
    (error: unknown) => {
      hear = () => undefined
      log.logerror(`metrics are not counted, mail is not affected: ${errorText(error)}`)
    },
  )

  function guarded(event: MetricsEvent): void {
    try {
      hear(event)
    } catch (error) {
      if (!isFaulty) log.logerror(`metrics miss events, mail is not affected: ${errorText(error)}`)
      isFaulty = true
    }
  }

  async function answer(response: HttpResponse): Promise<void> {
    try {
      const { workers, toText, contentType } = await service
      const text = await toText(await workers.total())
      response.writeHead(200, { 'Content-Type': contentType, 'Cache-Control': 'no-store' })
      response.end(text)
    } catch (error) {
      response.writeHead(503, { 'Content-Type': 'text/plain; charset=utf-8' })
      response.end(`metrics are not available: ${errorText(error)}\n`)
    }
  }

  return {
    hear: guarded,
    addRoute(server) {
      server.http.app.get(path, (_, response) => {
        answer(response).catch(() => {
          // The client has closed the connection.
        })
      })
      log.loginfo(`metrics are at ${path} of Haraka's HTTP server`)
    },
    stop() {
      service.then(
        ({ workers }) => {
          workers.sayLast()
        },
        () => {
          // logged when loading failed
        },
      )
    },
  }
}

/** Whether http.ini, as Haraka reads it, names an address, and Haraka has what it serves with. */
export function isHttpServed(plugin: Plugin): boolean {
  const listen = member(member(plugin.config.get('http.ini'), 'main'), 'listen')
  return typeof listen === 'string' && listen.trim() !== '' && hasExpress()
}

/** Haraka's program requires it from its own folder; it only logs if there is none. */
function hasExpress(): boolean {
  try {
    createRequire(realpathSync(process.argv[1] ?? '')).resolve('express')
    return true
  } catch {
    return false
  }
}

type Service = {
  readonly counts: Counts
  readonly workers: Workers
  readonly toText: (total: Awaited<ReturnType<Workers['total']>>) => Promise<string>
  readonly contentType: string
}

/** prom-client costs 12 MB and 50 ms, so it is loaded only if metrics are enabled. */
async function load(destinations: number): Promise<Service> {
  const { createCounts } = await import('../../metrics/counts.js')
  const { sum, toText, CONTENT_TYPE } = await import('../../metrics/snapshot.js')
  const counts = createCounts(destinations, () => Date.now())
  const workers = connectWorkers({ own: counts.snapshot, sum })
  return { counts, workers, toText, contentType: CONTENT_TYPE }
}

const OFF: Metrics = {
  hear: () => undefined,
  addRoute: () => undefined,
  stop: () => undefined,
}

/** Events before the counting is loaded; Haraka accepts mail later than that. */
const MAX_EARLY = 1_000
