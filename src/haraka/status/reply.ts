/**
 * Answers of the status pages, with the headers that all of them have.
 *
 * The page loads nothing from elsewhere and runs no script but its own; no other site can
 * read or frame it, nothing of it is stored. Long answers are compressed in Node's thread
 * pool, not in the event loop.
 */
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import type { HttpResponse } from '../host.js'

type Headers = Readonly<Record<string, string>>

export class Reply {
  private readonly response: HttpResponse
  private readonly takesGzip: boolean

  constructor(response: HttpResponse, takesGzip: boolean) {
    this.response = response
    this.takesGzip = takesGzip
    response.removeHeader('X-Powered-By')
  }

  async send(status: number, body: string, more: Headers): Promise<void> {
    const headers = { ...HEADERS, ...more, Vary: 'Accept-Encoding' }
    // For HEAD, Node leaves the body out.
    if (!this.takesGzip || body.length < LEAST_TO_COMPRESS) {
      this.response.writeHead(status, headers)
      this.response.end(body)
      return
    }
    const compressed = await compress(body)
    this.response.writeHead(status, { ...headers, 'Content-Encoding': 'gzip' })
    this.response.end(compressed)
  }

  async text(status: number, text: string, more: Headers = {}): Promise<void> {
    await this.send(status, text, { 'Content-Type': 'text/plain; charset=utf-8', ...more })
  }

  /** The JSON's own headers win. */
  forJson(): HttpResponse {
    const { response } = this
    return {
      removeHeader: (name) => response.removeHeader(name),
      writeHead: (status, headers) => response.writeHead(status, { ...HEADERS, ...headers }),
      end: (body) => response.end(body),
    }
  }
}

const compress = promisify(gzip)

const HEADERS: Headers = {
  'Cache-Control': 'no-store',
  'Content-Security-Policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
}

/** About one packet. */
const LEAST_TO_COMPRESS = 1_400
