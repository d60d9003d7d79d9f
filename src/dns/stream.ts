/**
 * Shares one TCP or TLS connection to a server among many queries.
 *
 * RFC 7766: a two-octet length before each message, any number of queries in flight,
 * replies in any order; each goes to the query that it answers. RFC 7858 is the same
 * inside TLS. A connection is opened on demand, closed some seconds after its last use,
 * and abandoned when nothing is received on it for long: a single query without a reply
 * does not affect the others.
 *
 * Promises: a value whatever happens, by the deadline; a query whose connection the
 * server closed is sent again on a new one (RFC 7766 §6.2.4), but only once if that
 * connection answered nothing in between; at most one incomplete message is buffered.
 *
 * Effects: sockets and timers, none of which keeps the process alive when no query is
 * in flight.
 */
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { performance } from 'node:perf_hooks'
import { checkServerIdentity, connect as connectTls } from 'node:tls'
import type { PeerCertificate } from 'node:tls'
import { errorText } from '../text.js'
import type { ResolverAddress, ServerAddress } from '../server-address.js'
import type { Exchange, Transport } from './transport.js'

export type Stream = {
  readonly exchange: Transport
  /** Closes the connection once no query is in flight; a new query opens another. */
  readonly close: () => void
}

/** A connection being opened; it is usable after `readyEvent`. */
type Opening = { readonly socket: Socket; readonly readyEvent: 'connect' | 'secureConnect' }

export function tcpTo({ address, port }: ServerAddress): Stream {
  return createStream(() => ({
    socket: connect({ host: address, port, noDelay: true }),
    readyEvent: 'connect',
  }))
}

/** @param ca certificates in PEM to trust instead of Node's own list */
export function tlsTo({ address, port, tlsName }: ResolverAddress, ca: string | undefined): Stream {
  return createStream(() => ({
    // RFC 8310 §8.1: the name is authenticated.
    socket: connectTls({
      host: address,
      port,
      servername: tlsName ?? '',
      minVersion: 'TLSv1.2',
      rejectUnauthorized: true,
      checkServerIdentity: checkAlternativeNames,
      ...(ca !== undefined && { ca }),
    }),
    readyEvent: 'secureConnect',
  }))
}

/** Node's check without the subject's common name, which must not be used (RFC 9525 §2). */
function checkAlternativeNames(name: string, certificate: PeerCertificate): Error | undefined {
  const subject = { ...certificate.subject, CN: '' }
  return checkServerIdentity(name, { ...certificate, subject })
}

/** A query in flight. */
type Pending = {
  readonly query: Buffer
  readonly isReply: (bytes: Buffer) => boolean
  readonly settle: (exchange: Exchange) => void
  /** How often it may still be sent on another connection after one that answered nothing. */
  retries: number
  /** Replies received on its connection when it was sent. */
  answersBefore: number
}

function createStream(open: () => Opening): Stream {
  let current: Connection | undefined

  function send(pending: Pending): void {
    if (current?.isOpen !== true) {
      current = new Connection(open(), (left, mayMove, detail) => {
        for (const each of left) {
          if (mayMove && each.retries >= 0) send(each)
          else each.settle({ kind: 'network', detail })
        }
      })
    }
    current.send(pending)
  }

  return {
    exchange: (query, isReply, timeoutMs) =>
      new Promise((resolve) => {
        const pending: Pending = {
          query,
          isReply,
          settle: (exchange) => {
            clearTimeout(timer)
            resolve(exchange)
          },
          retries: 1,
          answersBefore: 0,
        }
        const timer = setTimeout(() => {
          current?.giveUp(pending)
          resolve({ kind: 'timeout', strays: 0 })
        }, timeoutMs)
        send(pending)
      }),
    close: () => {
      current?.closeWhenIdle()
    },
  }
}

/** @param mayMove whether queries with a retry left are sent again on another connection */
type OnEnd = (left: readonly Pending[], mayMove: boolean, detail: string) => void

/** Why a connection ended. */
type Cause =
  | { readonly kind: 'idle' }
  /** Nothing was received for a while: the queries in flight keep their retry, since none was refused. */
  | { readonly kind: 'silent' }
  /** By the server. */
  | { readonly kind: 'closed' }
  | { readonly kind: 'failed'; readonly detail: string }

class Connection {
  private readonly socket: Socket
  private readonly pending = new Set<Pending>()
  private readonly onEnd: OnEnd
  private idle: NodeJS.Timeout | undefined
  private chunks: Buffer[] = []
  private size = 0
  private isReady = false
  /** A message has been received, whatever it was. */
  private hasAnswered = false
  /** Queries that were answered. */
  private answers = 0
  /** Since when a reply is expected and nothing was received; undefined: none is expected. */
  private silentSince: number | undefined = performance.now()
  private idleMs = IDLE_MS
  /** Whether another query may be sent on it. */
  isOpen = true

  constructor({ socket, readyEvent }: Opening, onEnd: OnEnd) {
    this.socket = socket
    this.onEnd = onEnd
    socket.on(readyEvent, () => {
      this.isReady = true
      for (const { query } of this.pending) this.write(query)
    })
    socket.on('data', (chunk: Buffer) => {
      this.take(chunk)
    })
    socket.on('error', (error) => {
      this.end({ kind: 'failed', detail: errorText(error) })
    })
    socket.on('close', () => {
      this.end({ kind: 'closed' })
    })
  }

  send(pending: Pending): void {
    clearTimeout(this.idle)
    this.socket.ref()
    this.silentSince ??= performance.now()
    pending.answersBefore = this.answers
    this.pending.add(pending)
    if (this.isReady) this.write(pending.query)
  }

  /**
   * The query has timed out, perhaps because the servers of its zone are down. The
   * connection is abandoned only if nothing at all was received on it for a while: then the
   * other queries are sent on another one, without costing them a retry.
   */
  giveUp(pending: Pending): void {
    if (!this.pending.delete(pending)) return
    const silence = performance.now() - (this.silentSince ?? performance.now())
    if (silence >= SILENCE_MS) this.end({ kind: 'silent' })
    else this.rest()
  }

  closeWhenIdle(): void {
    this.idleMs = 0
    this.rest()
  }

  private write(query: Buffer): void {
    const length = Buffer.alloc(2)
    length.writeUInt16BE(query.length)
    // RFC 7766 §8: length and message in one write.
    this.socket.write(Buffer.concat([length, query]))
  }

  private take(chunk: Buffer): void {
    this.chunks.push(chunk)
    this.size += chunk.length
    for (let bytes = this.next(); bytes; bytes = this.next()) {
      this.hasAnswered = true
      this.silentSince = performance.now()
      for (const each of this.pending) {
        if (!each.isReply(bytes)) continue
        this.pending.delete(each)
        this.answers++
        each.settle({ kind: 'reply', bytes })
        this.rest()
        break
      }
    }
    if (this.pending.size === 0) this.silentSince = undefined
  }

  /** The next complete message. Chunks are joined only when there is one. */
  private next(): Buffer | undefined {
    if (this.size < 2) return undefined
    if ((this.chunks[0]?.length ?? 0) < 2) this.chunks = [Buffer.concat(this.chunks)]
    const end = 2 + (this.chunks[0]?.readUInt16BE(0) ?? 0)
    if (this.size < end) return undefined
    const [first, ...more] = this.chunks
    const all = first && more.length === 0 ? first : Buffer.concat(this.chunks)
    this.chunks = [all.subarray(end)]
    this.size -= end
    return all.subarray(2, end)
  }

  private rest(): void {
    if (this.pending.size > 0 || !this.isOpen) return
    clearTimeout(this.idle)
    this.socket.unref()
    this.idle = setTimeout(() => {
      this.end({ kind: 'idle' })
    }, this.idleMs).unref()
  }

  private end(cause: Cause): void {
    if (!this.isOpen) return
    this.isOpen = false
    clearTimeout(this.idle)
    this.socket.removeAllListeners()
    this.socket.on('error', () => undefined)
    this.socket.destroy()
    const left = [...this.pending]
    this.pending.clear()
    for (const each of left) {
      // A server may close after any number of replies (RFC 7766 §6.2.4): the rest is sent again.
      if (cause.kind !== 'silent' && each.answersBefore === this.answers) each.retries--
    }
    // A server that has never answered on it would not do so on another connection.
    const mayMove = cause.kind === 'idle' || cause.kind === 'silent' || this.hasAnswered
    this.onEnd(left, mayMove, causeText(cause))
  }
}

function causeText(cause: Cause): string {
  switch (cause.kind) {
    case 'idle':
      return 'idle'
    case 'silent':
      return 'no reply on this connection'
    case 'closed':
      return 'connection closed before the reply'
    case 'failed':
      return cause.detail
  }
}

/** RFC 7766 §6.2.3: a client closes idle connections; servers often do after ten seconds. */
const IDLE_MS = 8_000

/** A connection on which nothing is received for this long is dead. Longer than most lookups take. */
const SILENCE_MS = 1_000
