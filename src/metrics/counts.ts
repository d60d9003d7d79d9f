/**
 * How do events become numbers?
 *
 * The only file that counts, in a registry of prom-client that is this plugin's own:
 * nothing else of the process is in it, and it is in nobody else's. Numbers are taken
 * out as `Snapshot`s, which can be sent to another process and added up there.
 *
 * Loaded only where the operator wants metrics: prom-client takes 12 MB.
 */
import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import type { LookupEvent } from '../lookup.js'
import { statusWord } from '../lookup.js'
import type { Forecast, MailEvent } from '../mail-event.js'
import { METRICS, SECONDS } from './catalog.js'
import type { MetricDefinition, MetricName } from './catalog.js'
import { createDestinations } from './destinations.js'
import type { MetricsEvent } from './metrics-event.js'
import type { Snapshot } from './collector.js'

export type Counts = {
  readonly count: (event: MetricsEvent) => void
  readonly snapshot: () => Promise<Snapshot>
}

type Configuration = {
  readonly name: string
  readonly help: string
  readonly labelNames: readonly string[]
  readonly registers: Registry[]
  readonly aggregator: 'sum' | 'min' | 'max'
}

/**
 * @param limit destinations that are named
 * @param now milliseconds since the epoch
 */
export function createCounts(limit: number, now: () => number): Counts {
  const registry = new Registry()
  const counters = made('counter', (configuration) => new Counter(configuration))
  const gauges = made('gauge', (configuration) => new Gauge(configuration))
  const histograms = made(
    'histogram',
    (configuration) => new Histogram({ ...configuration, buckets: SECONDS }),
  )

  /** Every metric of one type, by its name. */
  function made<T>(
    wanted: MetricDefinition['type'],
    make: (configuration: Configuration) => T,
  ): ReadonlyMap<string, T> {
    const all: readonly (readonly [string, MetricDefinition])[] = Object.entries(METRICS)
    return new Map(
      all
        .filter(([, { type }]) => type === wanted)
        .map(([name, { help, labels, aggregator }]) => {
          const registers = [registry]
          const rule = aggregator ?? 'sum'
          return [
            name,
            make({ name, help, labelNames: labels, registers, aggregator: rule }),
          ] as const
        }),
    )
  }

  const add = (name: MetricName, labels: Record<string, string> = {}): void => {
    counters.get(name)?.inc(labels)
  }
  const set = (name: MetricName, value: boolean, labels: Record<string, string> = {}): void => {
    gauges.get(name)?.set(labels, value ? 1 : 0)
  }
  const time = (
    name: MetricName,
    milliseconds: number,
    labels: Record<string, string> = {},
  ): void => {
    histograms.get(name)?.observe(labels, milliseconds / 1000)
  }

  const deferred = createDestinations(limit, (destination) => {
    counters.get('dane_destination_deferrals_total')?.remove({ destination })
  })
  const failing = createDestinations(limit, (destination) => {
    for (const policy of ['opportunistic', 'mandatory']) {
      counters.get('dane_audit_failing_total')?.remove({ policy, destination })
    }
  })

  function countMail(event: MailEvent): void {
    switch (event.kind) {
      case 'decision': {
        const { policy, decision, milliseconds } = event
        add('dane_decisions_total', { policy, decision })
        time('dane_plan_duration_seconds', milliseconds)
        return
      }
      case 'handshake':
        time('dane_handshake_duration_seconds', event.milliseconds)
        return
      case 'refused': {
        const { policy, refusal } = event
        add('dane_verdicts_total', { policy, verdict: 'refused', reason: refusal.reason })
        return
      }
      case 'passed': {
        const { policy, verdict } = event
        add('dane_verdicts_total', { policy, verdict: verdict.kind, reason: '' })
        return
      }
      case 'rollover':
        add('dane_rollovers_total')
        return
      case 'settled': {
        const { policy, outcome, refusal, destination } = event
        add('dane_messages_held_total', { policy, outcome, reason: refusal.reason })
        if (outcome === 'returned') return
        add('dane_destination_deferrals_total', {
          destination: deferred.labelFor(destination, now()),
        })
        return
      }
      case 'forecast':
        countForecast('opportunistic', event.opportunistic, event.destination)
        countForecast('mandatory', event.mandatory, event.destination)
        return
      case 'unjudged':
        add('dane_audit_unjudged_total')
        return
      case 'plan':
        return
    }
  }

  function countForecast(policy: string, forecast: Forecast, destination: string): void {
    const refusal = 'refusal' in forecast ? forecast.refusal : undefined
    const reason = refusal?.reason ?? ''
    add('dane_audit_forecasts_total', { policy, forecast: forecast.kind, reason })
    if (forecast.kind !== 'deferred' && forecast.kind !== 'returned') return
    add('dane_audit_failing_total', { policy, destination: failing.labelFor(destination, now()) })
  }

  function countLookup(event: LookupEvent): void {
    switch (event.kind) {
      case 'response': {
        const { type, lookup, milliseconds } = event
        add('dane_lookups_total', { type, status: statusWord(lookup).toLowerCase() })
        add('dane_answers_total', { layer: 'dns' })
        time('dane_lookup_duration_seconds', milliseconds, { type })
        return
      }
      case 'hit':
        add('dane_answers_total', { layer: event.layer })
        return
      case 'resolver': {
        const { server, proof } = event
        set('dane_resolver_validating', proof.kind === 'validating', { server })
        return
      }
      case 'resolvers':
        set('dane_resolvers_out', event.isOut)
        return
      case 'redis':
        set('dane_redis_available', event.fault === undefined, { what: event.what })
        return
      case 'query':
      case 'cached':
        return
    }
  }

  /** What is known of servers is of those that were in the settings before. */
  function begin(hasRedis: boolean): void {
    for (const gauge of gauges.values()) gauge.reset()
    for (const what of hasRedis ? ['read', 'write'] : []) {
      set('dane_redis_available', true, { what })
    }
  }

  return {
    count(told) {
      switch (told.of) {
        case 'mail':
          countMail(told.event)
          return
        case 'lookup':
          countLookup(told.event)
          return
        case 'settings':
          begin(told.hasRedis)
      }
    },
    snapshot: () => registry.getMetricsAsJSON(),
  }
}
