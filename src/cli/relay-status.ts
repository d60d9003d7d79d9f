/**
 * Asks a running relay for its delivery status, over its own HTTP server.
 *
 * Where to ask is what http.ini says: the first listener, at this machine's own address if
 * it is all of them. Nothing is followed, the answer is bounded in size and time. A
 * certificate is not checked: the relay is on this machine, and what it says is only shown.
 *
 * Effects: network.
 */
import { request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'
import type { RequestOptions } from 'node:https'
import { listenerText } from '../http-listen.js'
import type { HttpListener } from '../http-listen.js'
import { errorText } from '../text.js'

/** What came back, or why nothing did: a text for the operator. */
export type RelayAnswer =
  | { readonly kind: 'answer'; readonly status: number; readonly body: string }
  | { readonly kind: 'failed'; readonly detail: string }

export function askRelay(listener: HttpListener, path: string): Promise<RelayAnswer> {
  const options: RequestOptions = {
    ...placeOf(listener),
    path,
    // A name that is always allowed.
    headers: { Host: 'localhost', Accept: 'application/json' },
    rejectUnauthorized: false,
    timeout: PATIENCE_MS,
    signal: AbortSignal.timeout(PATIENCE_MS),
  }
  return new Promise((resolve) => {
    const fail = (error: Error): void => {
      resolve({ kind: 'failed', detail: causeText(error) })
    }
    // Haraka serves TLS on this port, and only there.
    const isTls = listener.kind === 'address' && listener.port === 443
    const request = (isTls ? requestHttps : requestHttp)(options, (response) => {
      const parts: Buffer[] = []
      let size = 0
      response.on('data', (part: Buffer) => {
        size += part.length
        if (size > MAX_ANSWER) request.destroy(new Error(`more than ${MAX_ANSWER} octets`))
        else parts.push(part)
      })
      response.on('end', () => {
        const body = Buffer.concat(parts).toString('utf8')
        resolve({ kind: 'answer', status: response.statusCode ?? 0, body })
      })
      response.on('error', fail)
    })
    request.on('error', fail)
    request.end()
  })
}

export function urlText(listener: HttpListener, path: string): string {
  return listener.kind === 'socket'
    ? `${path} at ${listener.path}`
    : `${listener.port === 443 ? 'https' : 'http'}://${listenerText(ownAddress(listener))}${path}`
}

function placeOf(listener: HttpListener): RequestOptions {
  if (listener.kind === 'socket') return { socketPath: listener.path }
  const { host, port } = ownAddress(listener)
  return { host, port }
}

/** Listening on all addresses includes this one. */
function ownAddress(
  listener: Extract<HttpListener, { kind: 'address' }>,
): Extract<HttpListener, { kind: 'address' }> {
  if (listener.host === '0.0.0.0') return { ...listener, host: '127.0.0.1' }
  return /^[0:]+$/.test(listener.host) ? { ...listener, host: '::1' } : listener
}

function causeText(error: Error): string {
  if (error.name === 'TimeoutError' || error.name === 'AbortError') {
    return `no answer within ${PATIENCE_MS / 1000} s`
  }
  return errorText(error)
}

const PATIENCE_MS = 10_000
/** A list of 1,000 destinations has less than a megabyte. */
const MAX_ANSWER = 16_000_000
