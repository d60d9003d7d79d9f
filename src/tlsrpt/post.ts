/**
 * Sends a report by HTTPS POST (RFC 8460 §5.4) to a host that a stranger's record names.
 *
 * Promises: it connects only to addresses that `isAllowed` accepts, and only to those that
 * were checked (no second lookup). The certificate is verified; no redirect is followed; no
 * cookies, credentials or proxies. Connection, transfer and answer are bounded in time, the
 * answer in octets, and its text is not used. Before the last octet of the report is
 * written, `beforeLast` is awaited: until then the receiver cannot have the report. Never
 * rejects.
 */
import { request } from 'node:https'
import type { RequestOptions } from 'node:https'
import { isIP } from 'node:net'
import type { LookupFunction } from 'node:net'
import { errorText } from '../text.js'
import type { Endpoint } from './endpoint.js'

export type PostResult =
  | { readonly kind: 'accepted'; readonly detail: string }
  /** Trying again will not help. */
  | { readonly kind: 'refused'; readonly detail: string }
  /** The receiver does not have the report, and may be tried again. */
  | { readonly kind: 'failed'; readonly detail: string }
  /** The receiver may have the report, but has not said so. */
  | { readonly kind: 'unknown'; readonly detail: string }

export type PostParts = {
  /** IP addresses of a host; may reject. */
  readonly addressesOf: (host: Endpoint['host']) => Promise<readonly string[]>
  readonly isAllowed: (address: string) => boolean
  readonly userAgent: string
  /** Additional certificate authorities, in PEM, for tests. */
  readonly ca?: readonly string[]
  readonly connectMs?: number
  readonly totalMs?: number
}

/**
 * @param body the compressed report, at least one octet
 * @param beforeLast false: stop, the right to send was lost
 */
export async function post(
  parts: PostParts,
  endpoint: Endpoint,
  body: Buffer,
  beforeLast: () => Promise<boolean>,
): Promise<PostResult> {
  let all: readonly string[]
  try {
    all = await parts.addressesOf(endpoint.host)
  } catch (error) {
    return { kind: 'failed', detail: `no address: ${errorText(error, 200)}` }
  }
  const addresses = all.filter((address) => isIP(address) !== 0).slice(0, MAX_ADDRESSES)
  if (addresses.length === 0) return { kind: 'failed', detail: 'the host has no address' }
  // One bad address is enough: the name is not what it seems.
  const bad = addresses.find((address) => !parts.isAllowed(address))
  if (bad !== undefined) {
    return { kind: 'refused', detail: `the host has an address that is not public: ${bad}` }
  }
  return new Promise((settle) => {
    new Transfer({ ...parts, endpoint, body, beforeLast, settle }).start(addresses)
  })
}

type TransferParts = PostParts & {
  readonly endpoint: Endpoint
  readonly body: Buffer
  readonly beforeLast: () => Promise<boolean>
  readonly settle: (result: PostResult) => void
}

class Transfer {
  private isComplete = false
  private isOver = false
  private readonly timers: NodeJS.Timeout[] = []
  private readonly parts: TransferParts

  constructor(parts: TransferParts) {
    this.parts = parts
  }

  start(addresses: readonly string[]): void {
    const { connectMs = CONNECT_MS, totalMs = TOTAL_MS } = this.parts
    const outgoing = request(this.options(addresses), (response) => {
      const result = resultOf(response.statusCode ?? 0)
      const isEarly = result.kind === 'accepted' && !this.isComplete
      this.end(isEarly ? { kind: 'failed', detail: 'an answer before the end' } : result)
      // The rest of the answer is read up to a limit, so that the receiver sees a proper end.
      let octets = 0
      response.on('data', (chunk: Buffer) => {
        octets += chunk.length
        if (octets > MAX_ANSWER) outgoing.destroy()
      })
      response.on('end', () => outgoing.destroy())
      response.on('error', () => undefined)
      setTimeout(() => outgoing.destroy(), LINGER_MS).unref()
    })
    const fail = (detail: string): void => {
      this.end({ kind: this.isComplete ? 'unknown' : 'failed', detail })
      outgoing.destroy()
    }
    outgoing.on('error', (error) => {
      fail(errorText(error, 200))
    })
    outgoing.on('close', () => {
      fail('the connection was closed')
    })
    const connecting = setTimeout(() => {
      fail(`no TLS connection within ${connectMs} ms`)
    }, connectMs)
    this.timers.push(
      connecting,
      setTimeout(() => {
        fail(`no answer within ${totalMs} ms`)
      }, totalMs),
    )
    outgoing.on('socket', (socket) => {
      socket.once('secureConnect', () => {
        clearTimeout(connecting)
        this.send(outgoing, fail)
      })
    })
    outgoing.flushHeaders()
  }

  private send(outgoing: ReturnType<typeof request>, fail: (detail: string) => void): void {
    const { body, beforeLast } = this.parts
    outgoing.write(body.subarray(0, -1))
    beforeLast().then(
      (isOurs) => {
        if (this.isOver) return
        if (!isOurs) {
          fail('another process sends this report')
          return
        }
        this.isComplete = true
        outgoing.end(body.subarray(-1))
      },
      (error: unknown) => {
        fail(errorText(error, 200))
      },
    )
  }

  private end(result: PostResult): void {
    if (this.isOver) return
    this.isOver = true
    for (const timer of this.timers) clearTimeout(timer)
    this.parts.settle(result)
  }

  private options(addresses: readonly string[]): RequestOptions {
    const { endpoint, userAgent, ca, body } = this.parts
    const { host, port, path } = endpoint
    return {
      method: 'POST',
      host,
      port,
      path,
      servername: host,
      agent: false,
      lookup: pinned(addresses),
      ...(ca && { ca: [...ca] }),
      maxHeaderSize: MAX_ANSWER,
      headers: {
        // RFC 8460 §5.4.
        'Content-Type': 'application/tlsrpt+gzip',
        'Content-Length': body.length,
        'User-Agent': userAgent,
        Connection: 'close',
      },
    }
  }
}

/** Answers with the addresses that were checked, whatever DNS says by now. */
function pinned(addresses: readonly string[]): LookupFunction {
  const all = addresses.map((address) => ({ address, family: isIP(address) }))
  return (_, options, callback) => {
    const [first] = all
    if (options.all === true) callback(null, all)
    else callback(null, first?.address ?? '', first?.family ?? 0)
  }
}

/** RFC 8460 §5.4: 200 and 201; other 2xx mean the same. */
function resultOf(status: number): PostResult {
  const detail = `HTTP status ${status}`
  if (status >= 200 && status < 300) return { kind: 'accepted', detail }
  const isTemporary = status >= 500 || status === 408 || status === 425 || status === 429
  return { kind: isTemporary ? 'failed' : 'refused', detail }
}

const MAX_ADDRESSES = 8
const CONNECT_MS = 10_000
const TOTAL_MS = 60_000
/** Octets of an answer that are read: of the header section, and of the rest. */
const MAX_ANSWER = 4_096
/** An answer that does not end is not waited for. */
const LINGER_MS = 2_000
