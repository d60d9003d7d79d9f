/**
 * Collects the counts of Haraka's workers for a request that reaches one of them.
 *
 * Haraka forks its workers with node:cluster, and a request for metrics reaches any one
 * of them. That worker asks the process that started them all, which collects the counts
 * of every process (metrics/collector.ts). Without workers, a process has only its own.
 *
 * Every wait has a limit.
 */
import cluster from 'node:cluster'
import { createCollector, isSnapshot } from '../../metrics/collector.js'
import type { CollectorParts, Snapshot } from '../../metrics/collector.js'
import { member } from '../host.js'
import { livingWorkers, schedule, sendToPrimary, sendToWorker } from '../worker-messages.js'

export type Workers = {
  /** The counts of all processes. Rejects if they do not arrive in time. */
  readonly total: () => Promise<Snapshot>
  /** This process ends: its counts go to the process that started it. */
  readonly sayLast: () => void
}

export function connectWorkers(parts: Pick<CollectorParts, 'own' | 'sum'>): Workers {
  return cluster.isWorker ? connectWorker(parts.own) : connectPrimary(parts)
}

function connectPrimary(parts: Pick<CollectorParts, 'own' | 'sum'>): Workers {
  const collector = createCollector({
    ...parts,
    schedule,
    workers: () => livingWorkers().map(({ id }) => id),
    ask: (id, round) => {
      const worker = livingWorkers().find((each) => each.id === id)
      if (worker) sendToWorker(worker, { type: WANTED, round })
    },
  })
  cluster.on('message', (worker, message: unknown) => {
    const type = member(message, 'type')
    if (type === COUNTED) {
      const round = member(message, 'round')
      const snapshot = member(message, 'snapshot')
      if (!isSnapshot(snapshot)) return
      collector.take(worker.id, typeof round === 'number' ? round : undefined, snapshot)
    }
    if (type === ASKED) {
      const id = member(message, 'id')
      collector
        .collect()
        .then((total) => {
          sendToWorker(worker, { type: ANSWERED, id, total })
        })
        .catch(() => {
          // The worker that asked gives up after PATIENCE_MS.
        })
    }
  })
  return {
    total: collector.collect,
    sayLast() {
      // Its counts are here already.
    },
  }
}

function connectWorker(own: () => Promise<Snapshot>): Workers {
  const waiting = new Map<number, (total: Snapshot) => void>()
  let asked = 0
  let running: Promise<Snapshot> | undefined

  const report = (round: unknown): void => {
    own()
      .then((snapshot) => {
        sendToPrimary({ type: COUNTED, round, snapshot })
      })
      .catch(() => {
        // The collector counts this process as silent.
      })
  }

  process.on('message', (message: unknown) => {
    const type = member(message, 'type')
    if (type === WANTED) report(member(message, 'round'))
    if (type === ANSWERED) {
      const total = member(message, 'total')
      if (isSnapshot(total)) waiting.get(Number(member(message, 'id')))?.(total)
    }
  })

  function ask(): Promise<Snapshot> {
    const id = ++asked
    return new Promise<Snapshot>((resolve, reject) => {
      const cancel = schedule(PATIENCE_MS, () => {
        reject(new Error('the process that collects from all workers did not answer in time'))
      })
      waiting.set(id, (total) => {
        cancel()
        resolve(total)
      })
      sendToPrimary({ type: ASKED, id })
    }).finally(() => waiting.delete(id))
  }

  return {
    total() {
      running ??= ask().finally(() => {
        running = undefined
      })
      return running
    },
    sayLast() {
      report(undefined)
    },
  }
}

const WANTED = 'dane:counts-wanted'
const COUNTED = 'dane:counts'
const ASKED = 'dane:total-wanted'
const ANSWERED = 'dane:total'

/** More than the collector takes, less than Prometheus waits by default. */
const PATIENCE_MS = 5_000
