/**
 * How do many queries share one connection to a server?
 *
 * RFC 7766: a two-octet length before each message, any number of queries underway,
 * replies in any order; each goes to the query that it answers. RFC 7858 is the same
 * inside TLS. A connection is opened when there is something to ask, kept while it is
 * of use and some seconds longer, and given up when it has been silent for long: one
 * query without a reply says nothing of the others.
 *
 * Promises: a value whatever happens, by the deadline; a query whose connection the
 * server had grown tired of is asked again on a new one (RFC 7766 §6.2.4), once where
 * that connection brought nobody anything meanwhile; at most one unfinished message is
 * kept.
 *
 * Effects: sockets and timers, none of which keeps the process alive when nothing is
 * underway.
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
  /** Ends the connection as soon as nothing is underway; asking again opens another. */
  readonly close: () => void
}

/** Opens a connection; the stream waits for `readyEvent`. */
type Opening = { readonly socket: Socket; readonly readyEvent: 'connect' | 'secureConnect' }

export function tcpTo({ address, port }: ServerAddress): Stream {
  return createStream(() => ({
    socket: connect({ host: address, port, noDelay: true }),
    readyEvent: 'connect',
  }))
}

/** @param ca certificates in PEM to trust in place of Node's own list */
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

/** Node's comparison, but never with the subject's common name, which is no DNS name (RFC 9525 §2). */
function checkAlternativeNames(name: string, certificate: PeerCertificate): Error | undefined {
  const subject = { ...certificate.subject, CN: '' }
  return checkServerIdentity(name, { ...certificate, subject })
}

/** One query underway. */
type Pending = {
  readonly query: Buffer
  readonly isReply: (bytes: Buffer) => boolean
  readonly settle: (exchange: Exchange) => void
  /** How often it may still be put on another connection after one that brought nothing. */
  retries: number
  /** What its connection had answered when it was put there. */
  answersBefore: number
}

function createStream(open: () => Opening): Stream {
  let current: Connection | undefined

  function send(pending: Pending): void {
    if (current?.isOpen !== true) {
      current = new Connection(open(), (left, detail, mayMove) => {
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

/** @param mayMove whether another connection may do better for those that have a retry left */
type OnEnd = (left: readonly Pending[], detail: string, mayMove: boolean) => void

class Connection {
  private readonly socket: Socket
  private readonly pending = new Set<Pending>()
  private readonly onEnd: OnEnd
  private idle: NodeJS.Timeout | undefined
  private chunks: Buffer[] = []
  private size = 0
  private isReady = false
  /** Something has come, whatever it was. */
  private hasAnswered = false
  /** Queries that have got their replies. */
  private answers = 0
  /** Since when something is expected and nothing comes; undefined: nothing was asked since. */
  private silentSince: number | undefined = performance.now()
  private idleMs = IDLE_MS
  /** Whether another query may be put on it. */
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
      this.end(errorText(error), this.hasAnswered)
    })
    socket.on('close', () => {
      this.end('connection closed before the reply', this.hasAnswered)
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
   * The query has waited long enough, perhaps for a zone whose servers are dead. The
   * connection is, only if nothing at all has come on it for a while: then the others
   * go on elsewhere, and it costs them no retry.
   */
  giveUp(pending: Pending): void {
    if (!this.pending.delete(pending)) return
    const silence = performance.now() - (this.silentSince ?? performance.now())
    if (silence >= SILENCE_MS) this.end('no reply on this connection', true, true)
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

  /** The next whole message. Chunks are put together only when there is one. */
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
      this.end('idle', true)
    }, this.idleMs).unref()
  }

  /** @param isFree the queries underway keep their retry: nobody refused them */
  private end(detail: string, mayMove: boolean, isFree = false): void {
    if (!this.isOpen) return
    this.isOpen = false
    clearTimeout(this.idle)
    this.socket.removeAllListeners()
    this.socket.on('error', () => undefined)
    this.socket.destroy()
    const left = [...this.pending]
    this.pending.clear()
    for (const each of left) {
      // A server may close after any number of replies (RFC 7766 §6.2.4): the rest is asked on.
      if (!isFree && each.answersBefore === this.answers) each.retries--
    }
    this.onEnd(left, detail, mayMove)
  }
}

/** RFC 7766 §6.2.3: a client closes idle connections; servers often do after ten seconds. */
const IDLE_MS = 8_000

/** Nothing heard for so long while something was asked: nobody is there. Longer than most lookups take. */
const SILENCE_MS = 1_000
