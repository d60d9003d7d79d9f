/**
 * Starts the counting of sessions for TLS reports, and their store, if dane.ini enables
 * reports when Haraka starts.
 *
 * In each process that delivers mail. The one that forks workers does not, and opens
 * nothing.
 */
import cluster from 'node:cluster'
import { networkInterfaces } from 'node:os'
import { openReportStore } from '../../assemble-reports.js'
import type { RunningStore } from '../../assemble-reports.js'
import type { Resolver } from '../../lookup.js'
import type { Settings } from '../../settings/settings.js'
import { willNamePrivate } from '../../tlsrpt/public-address.js'
import { createFindRecord } from '../../tlsrpt/find-record.js'
import { member } from '../host.js'
import type { Plugin } from '../host.js'
import type { Metrics } from '../metrics/endpoint.js'
import { Counting } from './counting.js'
import type { CountingParts } from './counting.js'

export type StartedCounting = { readonly counting: Counting; readonly store: RunningStore }

/** @param parts those in force; reports are on or off as they were at the start */
export function startCounting(
  plugin: Pick<Plugin, 'config'>,
  log: CountingParts['log'],
  parts: () => { readonly settings: Settings; readonly resolver: Pick<Resolver, 'lookup'> },
  metrics: Pick<Metrics, 'hear'>,
): StartedCounting | undefined {
  const { settings: first } = parts()
  // The process that started the workers says it for all of them.
  if (!cluster.isWorker) warnOfAddress(log, first)
  if (first.tlsrpt === undefined || !hasQueue(plugin)) return undefined
  const folder = process.env['HARAKA'] ?? '.'
  const store = openReportStore(first, folder, first.tlsrpt.retentionMs, () => {
    counting.storeAgain()
  })
  const counting = new Counting({
    log,
    store,
    findRecord: createFindRecord(() => parts().resolver),
    settings: () => parts().settings.tlsrpt,
    now: () => Date.now(),
    onCounted: ({ policy, detail }) => {
      metrics.hear({
        kind: 'counted',
        policy: policy.kind,
        result: detail?.resultType ?? 'success',
      })
    },
  })
  return { counting, store }
}

/** With `nodes` in smtp.ini the workers deliver mail, and the process that forks them does not. */
function hasQueue(plugin: Pick<Plugin, 'config'>): boolean {
  const nodes = member(member(plugin.config.get('smtp.ini'), 'main'), 'nodes')
  return cluster.isWorker || !nodes
}

/** Reports would name an address that means nothing outside. */
function warnOfAddress(
  log: Pick<CountingParts['log'], 'logwarn'>,
  { tlsrpt }: Pick<Settings, 'tlsrpt'>,
): void {
  if (tlsrpt === undefined) return
  const own = Object.values(networkInterfaces()).flatMap((each) => each ?? [])
  const addresses = own.map(({ address }) => address)
  if (!willNamePrivate(tlsrpt.sendingIp, addresses)) return
  log.logwarn(
    'TLS reports will name an address that is not public: set [tlsrpt] sending_ip to the public address that mail is sent from',
  )
}
