/**
 * Answers of the status pages, with the headers that all of them have.
 *
 * The page loads nothing from elsewhere and runs no script but its own; no other site can
 * read or frame it, nothing of it is stored. Long answers are compressed in Node's thread
 * pool, not in the event loop. A client has limited time to read.
 */
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import type { HttpResponse } from '../host.js'

type Headers = Readonly<Record<string, string>>

export class Reply {
  private readonly response: HttpResponse
  private readonly takesGzip: boolean
  /**
   * Settles when the answer has left this process, or cannot any more. A client that does
   * not read it in time is disconnected: until then it takes memory.
   */
  readonly closed: Promise<void>

  constructor(response: HttpResponse, takesGzip: boolean) {
    this.response = response
    this.takesGzip = takesGzip
    response.removeHeader('X-Powered-By')
    this.closed = new Promise((resolve) => {
      const timer = setTimeout(() => {
        response.destroy()
      }, READING_MS).unref()
      response.once('close', () => {
        clearTimeout(timer)
        resolve()
      })
    })
  }

  /** @param packed the body in gzip, if that is known already */
  async send(status: number, body: string, more: Headers, packed?: Buffer): Promise<void> {
    const headers = { ...HEADERS, ...more, Vary: 'Accept-Encoding' }
    // For HEAD, Node leaves the body out.
    if (!this.takesGzip || body.length < LEAST_TO_COMPRESS) {
      this.response.writeHead(status, headers)
      this.response.end(body)
      return
    }
    const compressed = packed ?? (await compress(body))
    this.response.writeHead(status, { ...headers, 'Content-Encoding': 'gzip' })
    this.response.end(compressed)
  }

  async text(status: number, text: string, more: Headers = {}): Promise<void> {
    await this.send(status, text, { 'Content-Type': 'text/plain; charset=utf-8', ...more })
  }

  /** The JSON's own headers win. */
  forJson(): Pick<HttpResponse, 'writeHead' | 'end'> {
    const { response } = this
    return {
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

/** For the largest view, over a slow line. */
export const READING_MS = 30_000

/** About one packet. */
const LEAST_TO_COMPRESS = 1_400
