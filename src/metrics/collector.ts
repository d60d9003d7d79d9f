/**
 * How are the counts of all workers brought together?
 *
 * The process that started the workers asks each for its counts and adds them up. Who
 * does not answer in time counts as it last did; who has ended is remembered by its last
 * counts for good. So no total goes down, whatever becomes of a worker; what one counted
 * between its last answer and a sudden end is lost.
 *
 * One round at a time: who asks meanwhile gets the result of the round that is underway.
 * Pure, given ways to send, to add up and to wait.
 */
import { METRICS } from './catalog.js'

/** A registry in JSON, as prom-client gives it. */
export type Snapshot = readonly object[]

export type CollectorParts = {
  /** Workers that live now, by numbers that are never used twice. */
  readonly workers: () => readonly number[]
  /** May throw where a worker ends at this moment. */
  readonly ask: (worker: number, round: number) => void
  /** What this process counted itself. */
  readonly own: () => Promise<Snapshot>
  readonly sum: (snapshots: readonly Snapshot[]) => Promise<Snapshot>
  /** Returns how to call it off. */
  readonly schedule: (milliseconds: number, action: () => void) => () => void
}

export type Collector = {
  readonly collect: () => Promise<Snapshot>
  /** A worker's counts; without a round they come unasked, because it ends. */
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

  /** Ends when all have answered, or when it has taken too long. */
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
          missing.delete(worker) // it is about to be among the departed
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
      // Whose counts are among those of the departed already must not be counted twice.
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

/** What a process has counted stays true when it is gone; what it was like does not. */
function isLasting(metric: object): boolean {
  return Reflect.get(metric, 'type') !== 'gauge'
}

function stateOf(state: string, value: number): object {
  const { help, type } = METRICS.dane_processes
  const values = [{ labels: { state }, value }]
  return { name: 'dane_processes', help, type, values, aggregator: 'sum' }
}

/** A worker that is busy for longer counts as it last did. */
const PATIENCE_MS = 2_000
