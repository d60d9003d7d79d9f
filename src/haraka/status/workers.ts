/**
 * Brings the status together from Haraka's workers, in the process that started them.
 *
 * Haraka's HTTP server is in each worker, and a request reaches any of them. That worker
 * asks the primary process (node:cluster), which reads the queue and asks all workers for
 * what is new: row facts that have changed, at most `MOST_ROWS` a message, and the plan of
 * a destination that somebody looks at. Without workers, a process has only its own.
 *
 * Promises: every wait has a limit; nothing in here throws into Haraka. A process with
 * another version of the plugin, forked after an update, counts as silent.
 */
import cluster from 'node:cluster'
import type { Worker } from 'node:cluster'
import type { RowFacts } from '../../status/facts.js'
import type { Health } from '../../status/health.js'
import type { MergedFacts } from '../../status/merged-facts.js'
import { viewPlan } from '../../status/plan-view.js'
import type { PlanView } from '../../status/plan-view.js'
import { member } from '../host.js'
import { Questions } from '../questions.js'
import { livingWorkers, sendToPrimary, sendToWorker } from '../worker-messages.js'
import type { Recorder } from './recorder.js'

/** In a worker: answers the primary process. */
export function answerPrimary(recorder: Recorder, version: string): void {
  const answer = (message: unknown): void => {
    const id = member(message, 'id')
    const type = member(message, 'type')
    if (type === FACTS_WANTED) {
      const rows = recorder.facts.drain(MOST_ROWS)
      const isMore = rows.length === MOST_ROWS
      const { health } = recorder.watch
      sendToPrimary({ type: FACTS, id, version, rows, isMore, health })
    }
    if (type === PLAN_WANTED) {
      const facts = recorder.facts.planOf(String(member(message, 'destination')))
      sendToPrimary({ type: PLAN, id, version, view: facts && viewPlan(facts) })
    }
  }
  process.on('message', (message: unknown) => {
    recorder.guarded(() => {
      answer(message)
    })
  })
}

/** In the primary process, or the only one: collects from all. */
export class Gatherer {
  private readonly questions = new Questions()
  private readonly healths = new Map<number, Health>()
  private readonly recorder: Recorder
  private readonly facts: MergedFacts
  private running: Promise<void> | undefined
  private silent = 0

  constructor(recorder: Recorder, facts: MergedFacts, version: string) {
    this.recorder = recorder
    this.facts = facts
    cluster.on('message', (worker, message: unknown) => {
      const type = member(message, 'type')
      if (type !== FACTS && type !== PLAN) return
      if (member(message, 'version') !== version) return
      recorder.guarded(() => {
        // Also if it is late: the worker does not say it again.
        if (type === FACTS) this.take(worker, message)
        this.questions.answer(member(message, 'id'), message)
      })
    })
  }

  /** Workers that did not answer in time. */
  get silentWorkers(): number {
    return this.silent
  }

  /** What living workers said of resolvers and Redis. */
  get health(): readonly Health[] {
    return [...this.healths.values()]
  }

  /** One round at a time. Never rejects. */
  gather(): Promise<void> {
    this.running ??= this.gatherAll().finally(() => {
      this.running = undefined
    })
    return this.running
  }

  async plans(destination: string): Promise<readonly PlanView[]> {
    const own = this.recorder.facts.planOf(destination)
    const others = await Promise.all(
      livingWorkers().map(async (worker) => {
        const answer = await this.ask(worker, { type: PLAN_WANTED, destination })
        const view = member(answer, 'view')
        return isPlanView(view) ? [view] : []
      }),
    )
    return [...(own ? [viewPlan(own)] : []), ...others.flat()]
  }

  private async gatherAll(): Promise<void> {
    this.facts.take(this.recorder.facts.drain(Infinity))
    const living = livingWorkers()
    for (const id of this.healths.keys()) {
      if (!living.some((worker) => worker.id === id)) this.healths.delete(id)
    }
    const answered = await Promise.all(living.map((worker) => this.gatherFrom(worker)))
    this.silent = answered.filter((has) => !has).length
  }

  private async gatherFrom(worker: Worker): Promise<boolean> {
    for (let round = 0; round < MAX_ROUNDS; round++) {
      const answer = await this.ask(worker, { type: FACTS_WANTED })
      if (answer === undefined) return false
      if (member(answer, 'isMore') !== true) return true
    }
    return true
  }

  private ask(worker: Worker, question: object): Promise<unknown> {
    return this.questions.ask((id) => {
      sendToWorker(worker, { ...question, id })
    }, PATIENCE_MS)
  }

  private take(worker: Worker, message: unknown): void {
    const rows = member(message, 'rows')
    const health = member(message, 'health')
    if (isRows(rows)) this.facts.take(rows)
    if (isHealth(health) && worker.isConnected()) this.healths.set(worker.id, health)
  }
}

/** The processes have the same version, so the shape is not checked in depth. */
function isRows(value: unknown): value is readonly RowFacts[] {
  return (
    Array.isArray(value) && value.every((each) => typeof member(each, 'destination') === 'string')
  )
}

function isHealth(value: unknown): value is Health {
  return Array.isArray(member(value, 'resolvers'))
}

function isPlanView(value: unknown): value is PlanView {
  return Array.isArray(member(value, 'attempts'))
}

const FACTS_WANTED = 'dane:status-facts-wanted'
const FACTS = 'dane:status-facts'
const PLAN_WANTED = 'dane:status-plan-wanted'
const PLAN = 'dane:status-plan'

/** Of one message between processes, about 200 kB. */
const MOST_ROWS = 500
/** More than a worker can have to say at once. */
const MAX_ROUNDS = 20
const PATIENCE_MS = 1_000
