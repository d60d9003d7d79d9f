/**
 * The metrics of METRICS in a registry of prom-client, typed by name and labels.
 *
 * A wrong name, a metric of another type, or missing or unknown labels do not compile.
 */
import { Counter, Gauge, Histogram } from 'prom-client'
import type { Registry } from 'prom-client'
import { METRICS, SECONDS } from './catalog.js'
import type { MetricDefinition, MetricName } from './catalog.js'

type Catalog = typeof METRICS

type NamesOf<Type extends MetricDefinition['type']> = {
  [N in MetricName]: Catalog[N]['type'] extends Type ? N : never
}[MetricName]

type LabelsOf<N extends MetricName> = Catalog[N]['labels'][number]

/** Name and labels; without labels the name alone. */
type Series<Names extends MetricName> = {
  [N in Names]: [LabelsOf<N>] extends [never]
    ? readonly [name: N, labels?: Readonly<Record<string, never>>]
    : readonly [name: N, labels: Readonly<Record<LabelsOf<N>, string>>]
}[Names]

export type CounterSeries = Series<NamesOf<'counter'>>
export type GaugeSeries = Series<NamesOf<'gauge'>>
export type HistogramSeries = Series<NamesOf<'histogram'>>

export type Meters = {
  readonly add: (...series: CounterSeries) => void
  readonly set: (value: boolean, ...series: GaugeSeries) => void
  readonly time: (milliseconds: number, ...series: HistogramSeries) => void
  /** Ends a counter's series. */
  readonly remove: (...series: CounterSeries) => void
  readonly resetGauges: () => void
}

export function createMeters(registry: Registry): Meters {
  const counters = all('counter', registry, (configuration) => new Counter(configuration))
  const gauges = all('gauge', registry, (configuration) => new Gauge(configuration))
  const histograms = all(
    'histogram',
    registry,
    (configuration) => new Histogram({ ...configuration, buckets: SECONDS }),
  )
  return {
    add: (...[name, labels]) => {
      counters.get(name)?.inc(labels ?? {})
    },
    set: (value, ...[name, labels]) => {
      gauges.get(name)?.set(labels ?? {}, value ? 1 : 0)
    },
    time: (milliseconds, ...[name, labels]) => {
      histograms.get(name)?.observe(labels ?? {}, milliseconds / 1000)
    },
    remove: (...[name, labels]) => {
      counters.get(name)?.remove(labels ?? {})
    },
    resetGauges: () => {
      for (const gauge of gauges.values()) gauge.reset()
    },
  }
}

type Configuration = {
  readonly name: string
  readonly help: string
  readonly labelNames: readonly string[]
  readonly registers: Registry[]
  readonly aggregator: 'sum' | 'min' | 'max'
}

/** Every metric of one type, by its name. */
function all<T>(
  wanted: MetricDefinition['type'],
  registry: Registry,
  make: (configuration: Configuration) => T,
): ReadonlyMap<string, T> {
  const definitions: readonly (readonly [string, MetricDefinition])[] = Object.entries(METRICS)
  return new Map(
    definitions
      .filter(([, { type }]) => type === wanted)
      .map(([name, { help, labels, aggregator }]) => {
        const common = { name, help, labelNames: labels, registers: [registry] }
        return [name, make({ ...common, aggregator: aggregator ?? 'sum' })] as const
      }),
  )
}
