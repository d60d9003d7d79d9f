/**
 * Sums the counts of all workers.
 *
 * The primary process asks each worker for its counts and adds them up. For a worker that
 * does not answer in time the previous counts are used; those of a worker that has exited
 * are kept for good. So no total decreases, whatever happens to a worker; what it counted
 * between its last answer and a sudden exit is lost.
 *
 * One round at a time: a request during a round gets the result of that round.
 * Pure; ways to send, sum and wait are passed in.
 */
import { METRICS } from './catalog.js'

/** A registry as JSON, in prom-client's format. */
export type Snapshot = readonly object[]

export type CollectorParts = {
  /** Running workers, by ids that are never reused. */
  readonly workers: () => readonly number[]
  /** May throw if the worker is exiting. */
  readonly ask: (worker: number, round: number) => void
  /** The counts of this process. */
  readonly own: () => Promise<Snapshot>
  readonly sum: (snapshots: readonly Snapshot[]) => Promise<Snapshot>
  /** Returns a function that cancels it. */
  readonly schedule: (milliseconds: number, action: () => void) => () => void
}

export type Collector = {
  readonly collect: () => Promise<Snapshot>
  /** A worker's counts; without a round if the worker sends them because it is exiting. */
  readonly take: (worker: number, round: number | undefined, snapshot: Snapshot) => void
}

export function createCollector(parts: CollectorParts): Collector {
  const last = new Map<number, Snapshot>()
  let departed: Snapshot = []
  let round = 0
  let missing = new Set<number>()
  let complete = (): void => undefined
  let underway: Promise<Snapshot> | undefined

  async function collect(): Promise<Snapshot> {
    await hearAll()
    const silent = missing.size
    const living = new Set(parts.workers())
    for (const [worker, snapshot] of last) {
      if (living.has(worker)) continue
      last.delete(worker)
      departed = await parts.sum([departed, snapshot.filter(isLasting)])
    }
    const own = await parts.own()
    const states = [stateOf('answered', living.size + 1 - silent), stateOf('silent', silent)]
    return parts.sum([departed, ...last.values(), own, states])
  }

  /** Settles when all workers have answered, or after `PATIENCE_MS`. */
  function hearAll(): Promise<void> {
    round++
    missing = new Set(parts.workers())
    return new Promise((resolve) => {
      const cancel = parts.schedule(PATIENCE_MS, resolve)
      complete = () => {
        cancel()
        resolve()
      }
      for (const worker of [...missing]) {
        try {
          parts.ask(worker, round)
        } catch {
          missing.delete(worker) // it is exiting
        }
      }
      if (missing.size === 0) complete()
    })
  }

  return {
    collect() {
      underway ??= collect().finally(() => {
        underway = undefined
      })
      return underway
    },
    take(worker, ofRound, snapshot) {
      // The counts of an exited worker must not be added twice.
      if (!last.has(worker) && !parts.workers().includes(worker)) return
      last.set(worker, snapshot)
      if (ofRound !== round) return
      missing.delete(worker)
      if (missing.size === 0) complete()
    },
  }
}

export function isSnapshot(value: unknown): value is Snapshot {
  return Array.isArray(value) && value.every((each) => typeof each === 'object' && each !== null)
}

/** Counts remain valid after a process has exited; gauges do not. */
function isLasting(metric: object): boolean {
  return Reflect.get(metric, 'type') !== 'gauge'
}

function stateOf(state: string, value: number): object {
  const { help, type } = METRICS.dane_processes
  const values = [{ labels: { state }, value }]
  return { name: 'dane_processes', help, type, values, aggregator: 'sum' }
}

/** If a worker does not answer in this time, its previous counts are used. */
const PATIENCE_MS = 2_000
