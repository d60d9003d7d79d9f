/**
 * How do the numbers of several processes become one page?
 *
 * A `Snapshot` is what prom-client says of a registry in JSON: plain data that has
 * passed from process to process unchanged. Added up by prom-client's own rules.
 */
import { AggregatorRegistry, Registry } from 'prom-client'
import { isSnapshot } from './collector.js'
import type { Snapshot } from './collector.js'

export const CONTENT_TYPE = Registry.PROMETHEUS_CONTENT_TYPE

export async function sum(snapshots: readonly Snapshot[]): Promise<Snapshot> {
  const total: unknown = await AggregatorRegistry.aggregate([...snapshots]).getMetricsAsJSON()
  if (isSnapshot(total)) return total
  throw new Error('prom-client made no list of the metrics')
}

/** Prometheus's text format. */
export function toText(snapshot: Snapshot): Promise<string> {
  return AggregatorRegistry.aggregate([snapshot]).metrics()
}
