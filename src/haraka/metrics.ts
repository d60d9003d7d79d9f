/**
 * Who counts, if anybody, and who gets to see it?
 *
 * Where dane.ini switches metrics on, this loads what counts, hands it every event, and
 * answers for it on Haraka's HTTP server; where it does not, nothing of it is loaded.
 *
 * Promises: nothing in here throws or makes mail wait; what goes wrong is said once.
 */
import type { MetricsEvent } from '../metrics/metrics-event.js'
import type { Counts } from '../metrics/counts.js'
import type { MetricsSettings } from '../settings.js'
import { errorText } from '../text.js'
import type { HttpHost, HttpResponse, Plugin } from './host.js'
import { connectWorkers } from './workers.js'
import type { Workers } from './workers.js'

export type Metrics = {
  readonly hear: (event: MetricsEvent) => void
  /** To be called while Haraka sets up its HTTP server. */
  readonly addRoute: (server: HttpHost) => void
  /** This process ends. */
  readonly stop: () => void
}

export function startMetrics(plugin: Plugin, settings: MetricsSettings | undefined): Metrics {
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
      plugin.logerror(`metrics are not counted, mail goes on: ${errorText(error)}`)
    },
  )

  function guarded(event: MetricsEvent): void {
    try {
      hear(event)
    } catch (error) {
      if (!isFaulty) plugin.logerror(`metrics miss events, mail goes on: ${errorText(error)}`)
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
          // Who asked is gone.
        })
      })
      plugin.loginfo(`metrics are at ${path} of Haraka's HTTP server`)
    },
    stop() {
      service.then(
        ({ workers }) => {
          workers.sayLast()
        },
        () => {
          // said already
        },
      )
    },
  }
}

type Service = {
  readonly counts: Counts
  readonly workers: Workers
  readonly toText: (total: Awaited<ReturnType<Workers['total']>>) => Promise<string>
  readonly contentType: string
}

/** prom-client takes 12 MB and 50 ms, which is asked only of those who want it. */
async function load(destinations: number): Promise<Service> {
  const { createCounts } = await import('../metrics/counts.js')
  const { sum, toText, CONTENT_TYPE } = await import('../metrics/snapshot.js')
  const counts = createCounts(destinations, () => Date.now())
  const workers = connectWorkers({ own: counts.snapshot, sum })
  return { counts, workers, toText, contentType: CONTENT_TYPE }
}

const OFF: Metrics = {
  hear: () => undefined,
  addRoute: () => undefined,
  stop: () => undefined,
}

/** Events before the counting is loaded; Haraka listens later than that. */
const MAX_EARLY = 1_000
