/**
 * Merges the snapshots of several processes into one page.
 *
 * A `Snapshot` is a prom-client registry as JSON: plain data that can be sent between
 * processes. prom-client's own rules do the summing.
 */
import { AggregatorRegistry, Registry } from 'prom-client'
import { isSnapshot } from './collector.js'
import type { Snapshot } from './collector.js'

export const CONTENT_TYPE = Registry.PROMETHEUS_CONTENT_TYPE

export async function sum(snapshots: readonly Snapshot[]): Promise<Snapshot> {
  const total: unknown = await AggregatorRegistry.aggregate([...snapshots]).getMetricsAsJSON()
  if (isSnapshot(total)) return total
  throw new Error('prom-client did not return a list of metrics')
}

/** Prometheus's text format. */
export function toText(snapshot: Snapshot): Promise<string> {
  return AggregatorRegistry.aggregate([snapshot]).metrics()
}
