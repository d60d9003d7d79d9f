/**
 * The status in a worker: asked of the process that started it.
 *
 * A view travels as a whole; it has at most MAX_ROWS destinations.
 */
import cluster from 'node:cluster'
import type { DestinationDetail } from '../../status/destination-detail.js'
import type { StatusModel } from '../../status/status-model.js'
import type { StatusQuery } from '../../status/status-model.js'
import { DEFAULT_QUERY, isQuery } from '../../status/status-query.js'
import type { StatusSource } from '../../status/status-source.js'
import { errorText } from '../../text.js'
import { member } from '../host.js'
import { Questions } from '../questions.js'
import { sendToPrimary, sendToWorker } from '../worker-messages.js'

/** In a worker. */
export function askPrimary(version: string): StatusSource {
  const questions = new Questions()
  process.on('message', (message: unknown) => {
    if (member(message, 'type') === ANSWERED) questions.answer(member(message, 'id'), message)
  })

  async function ask(question: object): Promise<unknown> {
    const answer = await questions.ask((id) => {
      sendToPrimary({ type: ASKED, id, version, ...question })
    }, PATIENCE_MS)
    if (answer === undefined) {
      throw new Error('the process that started the workers did not answer in time')
    }
    const fault = member(answer, 'fault')
    if (typeof fault === 'string') throw new Error(fault)
    return member(answer, 'value')
  }

  return {
    async currentStatus(query) {
      const value = await ask({ query })
      if (isModel(value)) return value
      throw new Error('the process that started the workers sent no status')
    },
    async destination(domain) {
      const value = await ask({ destination: domain })
      return isDetail(value) ? value : undefined
    },
  }
}

/** In the primary process. */
export function answerWorkers(source: () => StatusSource, version: string): void {
  async function answer(message: unknown): Promise<object> {
    try {
      if (member(message, 'version') !== version) {
        throw new Error(`the plugin was updated: restart Haraka (running ${version})`)
      }
      const destination = member(message, 'destination')
      const value =
        typeof destination === 'string'
          ? await source().destination(destination)
          : await source().currentStatus(toQuery(member(message, 'query')))
      return { value }
    } catch (error) {
      return { fault: errorText(error) }
    }
  }
  cluster.on('message', (worker, message: unknown) => {
    if (member(message, 'type') !== ASKED) return
    answer(message).then(
      (answered) => {
        sendToWorker(worker, { type: ANSWERED, id: member(message, 'id'), ...answered })
      },
      () => {
        // The worker that asked gives up after PATIENCE_MS.
      },
    )
  })
}

function toQuery(value: unknown): StatusQuery {
  return isQuery(value) ? value : DEFAULT_QUERY
}

/** Both processes have the same version, so the shape is not checked in depth. */
function isModel(value: unknown): value is StatusModel {
  return Array.isArray(member(value, 'destinations'))
}

function isDetail(value: unknown): value is DestinationDetail {
  return typeof member(member(value, 'status'), 'destination') === 'string'
}

const ASKED = 'dane:status-asked'
const ANSWERED = 'dane:status-answered'

/** Longer than the primary process waits for the workers. */
const PATIENCE_MS = 5_000
