/**
 * How do the counts get from Haraka's workers to whoever asks?
 *
 * Haraka forks its workers with node:cluster, and a request for metrics reaches any one
 * of them. That one asks the process that forked them all, which collects from everybody
 * (metrics/collector.ts). Where Haraka is one process, it collects from itself.
 *
 * Messages between the processes bear a `type` of our own; Haraka's own look at `cmd` and
 * `event`, and pass ours by. Every wait has an end.
 */
import cluster from 'node:cluster'
import type { Worker } from 'node:cluster'
import { createCollector, isSnapshot } from '../metrics/collector.js'
import type { CollectorParts, Snapshot } from '../metrics/collector.js'

export type Workers = {
  /** The counts of all processes. Rejects where nobody can say in time. */
  readonly total: () => Promise<Snapshot>
  /** This process ends: what it counted goes to the one that stays. */
  readonly sayLast: () => void
}

export function connectWorkers(parts: Pick<CollectorParts, 'own' | 'sum'>): Workers {
  return cluster.isWorker ? connectWorker(parts.own) : connectPrimary(parts)
}

function connectPrimary(parts: Pick<CollectorParts, 'own' | 'sum'>): Workers {
  const collector = createCollector({
    ...parts,
    schedule,
    workers: () => living().map(({ id }) => id),
    ask: (worker, round) => {
      const there = living().find(({ id }) => id === worker)
      there?.send({ type: WANTED, round }, ignore)
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
      collector.collect().then(
        (total) => worker.send({ type: ANSWERED, id, total }, ignore),
        // Who asked gives up by itself.
        ignore,
      )
    }
  })
  return { total: collector.collect, sayLast: ignore }
}

function living(): readonly Worker[] {
  return Object.values(cluster.workers ?? {}).flatMap((worker) =>
    worker?.isConnected() ? [worker] : [],
  )
}

function connectWorker(own: () => Promise<Snapshot>): Workers {
  const waiting = new Map<number, (total: Snapshot) => void>()
  let asked = 0
  let underway: Promise<Snapshot> | undefined

  const report = (round: unknown): void => {
    own().then((snapshot) => {
      send({ type: COUNTED, round, snapshot })
    }, ignore)
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
      send({ type: ASKED, id })
    }).finally(() => waiting.delete(id))
  }

  return {
    total() {
      underway ??= ask().finally(() => {
        underway = undefined
      })
      return underway
    },
    sayLast() {
      report(undefined)
    },
  }
}

/** The other side may be gone; then there is nobody to tell. */
function send(message: object): void {
  if (process.connected) process.send?.(message, undefined, undefined, ignore)
}

function schedule(milliseconds: number, action: () => void): () => void {
  const timer = setTimeout(action, milliseconds).unref()
  return () => {
    clearTimeout(timer)
  }
}

function member(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, key) : undefined
}

function ignore(): void {
  // nothing to be done about it
}

const WANTED = 'dane:counts-wanted'
const COUNTED = 'dane:counts'
const ASKED = 'dane:total-wanted'
const ANSWERED = 'dane:total'

/** More than the collector takes, less than Prometheus waits by default. */
const PATIENCE_MS = 5_000
