/**
 * Reports workers that have not taken a new dane.ini.
 *
 * Each process reads dane.ini by itself, and with `user` in smtp.ini the workers read it as
 * another user than the process that started them. A file that they cannot read would
 * leave them with the previous settings, for example without an emergency
 * `policy = none`. So each worker reports what it has taken, and the process that started
 * them compares.
 *
 * Promises: if a worker has not taken what the others have after `PATIENCE_MS`, one line
 * says how many and why; when all have taken it, another line says so.
 */
import cluster from 'node:cluster'
import { printable } from '../text.js'
import { member } from './host.js'
import type { ProcessLog } from './log/process-log.js'
import { livingWorkers, schedule, sendToPrimary } from './worker-messages.js'

/** What one process has made of dane.ini. */
export type TakenSettings = {
  /** Of the settings in force. */
  readonly fingerprint: string
  /** Why the file as it is now could not be taken. */
  readonly fault: string | undefined
}

/** Returns what each process calls at its start and after each reload. */
export function connectWorkerSettings(log: ProcessLog): (taken: TakenSettings) => void {
  if (cluster.isWorker) {
    return (taken) => {
      sendToPrimary({ type: TAKEN, ...taken })
    }
  }
  const comparison = new SettingsComparison({
    log,
    schedule,
    workers: () =>
      livingWorkers().map(({ id, process: { pid } }) => ({
        id,
        text: `worker ${id} (pid ${pid})`,
      })),
  })
  cluster.on('message', (worker, message: unknown) => {
    if (member(message, 'type') !== TAKEN) return
    const fault = member(message, 'fault')
    comparison.noteWorker(worker.id, {
      fingerprint: String(member(message, 'fingerprint')),
      fault: typeof fault === 'string' ? printable(fault, 200) : undefined,
    })
  })
  return (taken) => {
    comparison.noteOwn(taken)
  }
}

type ComparisonParts = {
  readonly log: Pick<ProcessLog, 'lognotice' | 'logerror'>
  readonly schedule: (milliseconds: number, action: () => void) => () => void
  /** Workers that are alive; numbers are never reused. */
  readonly workers: () => readonly { readonly id: number; readonly text: string }[]
}

export class SettingsComparison {
  private state:
    | { readonly kind: 'agreed' | 'differing' }
    /** Some process has read a new file; the others have some time to do the same. */
    | { readonly kind: 'waiting'; readonly cancel: () => void } = { kind: 'agreed' }
  private own: TakenSettings | undefined
  private readonly reported = new Map<number, TakenSettings>()
  private readonly parts: ComparisonParts

  constructor(parts: ComparisonParts) {
    this.parts = parts
  }

  noteOwn(taken: TakenSettings): void {
    this.own = taken
    this.compare()
  }

  noteWorker(worker: number, taken: TakenSettings): void {
    this.reported.set(worker, taken)
    this.compare()
  }

  private compare(): void {
    const { state } = this
    if (this.behind().length > 0) {
      if (state.kind === 'waiting') return
      const cancel = this.parts.schedule(PATIENCE_MS, () => {
        this.report()
      })
      this.state = { kind: 'waiting', cancel }
      return
    }
    if (state.kind === 'agreed') return
    if (state.kind === 'waiting') state.cancel()
    this.agree()
  }

  /** Time is over. A worker that is behind may have ended in the meantime. */
  private report(): void {
    const behind = this.behind()
    if (behind.length === 0) {
      this.agree()
      return
    }
    this.state = { kind: 'differing' }
    this.parts.log.logerror(
      `${behind.length} of ${this.parts.workers().length} workers have not taken the new dane.ini ` +
        `and keep their previous settings: ${someOf(behind)}`,
    )
  }

  private agree(): void {
    this.state = { kind: 'agreed' }
    const count = this.parts.workers().length
    this.parts.log.lognotice(`all ${count} workers have taken the new dane.ini`)
  }

  /** Living workers whose settings are not those of the file, each with the reason. */
  private behind(): readonly string[] {
    const { own, reported } = this
    return this.parts.workers().flatMap(({ id, text }) => {
      const taken = reported.get(id)
      // It is starting and has not read the file yet.
      if (taken === undefined || own === undefined) return []
      if (taken.fault !== undefined) return [`${text}: ${taken.fault}`]
      const isSame = own.fault !== undefined || taken.fingerprint === own.fingerprint
      return isSame
        ? []
        : [`${text}: its settings differ (not reloaded, or it cannot read redis.ini)`]
    })
  }
}

function someOf(texts: readonly string[]): string {
  const more = texts.length > SHOWN ? [`and ${texts.length - SHOWN} more`] : []
  return [...texts.slice(0, SHOWN), ...more].join('; ')
}

const TAKEN = 'dane:settings-taken'
/** Haraka's watcher reports a change after some seconds, in each process by itself. */
const PATIENCE_MS = 10_000
const SHOWN = 3
