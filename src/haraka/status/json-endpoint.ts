/**
 * Answers with the status as JSON: `PATH.json`, and `PATH.json?d=DOMAIN`
 * for one destination.
 *
 * Promises: nothing in here throws or delays mail; a failure is an answer with status 503.
 */
import { detailJson, statusJson } from '../../status/status-json.js'
import type { Json } from '../../status/status-json.js'
import { parseQuery } from '../../status/status-query.js'
import type { StatusSource } from '../../status/status-source.js'
import { errorText } from '../../text.js'
import { member } from '../host.js'
import type { HttpResponse } from '../host.js'

/** @param request Node's IncomingMessage */
export async function answerJson(
  request: unknown,
  response: Answer,
  source: StatusSource,
): Promise<void> {
  try {
    const url = new URL(String(member(request, 'url')), 'http://localhost')
    const domain = url.searchParams.get('d')
    if (domain === null) {
      send(response, 200, statusJson(await source.currentStatus(parseQuery(url.searchParams))))
      return
    }
    const detail = await source.destination(domain.slice(0, MAX_INPUT))
    if (detail) send(response, 200, detailJson(detail))
    else send(response, 404, { error: 'nothing is known of this destination, and nothing waits' })
  } catch (error) {
    send(response, 503, { error: `the status is not available: ${errorText(error)}` })
  }
}

type Answer = Pick<HttpResponse, 'writeHead' | 'end'>

function send(response: Answer, status: number, value: Json): void {
  response.writeHead(status, {
    'Content-Type': 'application/json; charset=utf-8',
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
  })
  response.end(`${JSON.stringify(value)}\n`)
}

const MAX_INPUT = 1024
