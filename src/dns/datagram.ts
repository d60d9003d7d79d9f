/**
 * Sends queries over UDP and receives the replies.
 *
 * One datagram, a deadline, and a value whatever happens. To another machine each query
 * has its own socket: connected, so that the kernel drops datagrams from elsewhere and
 * reports a closed port, and bound to a random port chosen by the kernel. To this machine
 * up to `MAX_WAITING` queries share one connected socket: only an administrator could send
 * from the resolver's own port, and a socket costs more than the query. Datagrams that do
 * not answer the question are ignored until the deadline (RFC 5452 §9). TCP and TLS are
 * in stream.ts.
 *
 * Effects: sockets and timers. Those of one query are released before its promise
 * settles; the shared socket keeps no process alive.
 */
import { createSocket } from 'node:dgram'
import type { Socket } from 'node:dgram'
import { isIPv6 } from 'node:net'
import { errorText } from '../text.js'
import type { ServerAddress } from '../server-address.js'
import type { Exchange, Transport } from './transport.js'

export function udpTo({ address, port }: ServerAddress): Transport {
  return (query, isReply, timeoutMs) =>
    new Promise((resolve) => {
      const socket = createSocket(isIPv6(address) ? 'udp6' : 'udp4')
      let strays = 0
      const settle = (exchange: Exchange): void => {
        clearTimeout(timer)
        socket.removeAllListeners()
        socket.on('error', () => undefined) // an ICMP report may still be on its way
        socket.close()
        resolve(exchange)
      }
      const timer = setTimeout(() => {
        settle({ kind: 'timeout', strays })
      }, timeoutMs)
      socket.on('error', (error) => {
        settle({ kind: 'network', detail: errorText(error) })
      })
      socket.on('message', (bytes) => {
        if (isReply(bytes)) settle({ kind: 'reply', bytes })
        else strays++
      })
      socket.on('connect', () => {
        socket.send(query)
      })
      socket.connect(port, address)
    })
}

/** A query waiting on the shared socket. */
type Waiting = {
  readonly isReply: (bytes: Buffer) => boolean
  readonly settle: (exchange: Exchange) => void
  strays: number
}

/** For a server on this machine. */
export function sharedUdpTo({ address, port }: ServerAddress): {
  readonly exchange: Transport
  /** Closes the socket once no query waits on it. */
  readonly close: () => void
} {
  const waiting = new Set<Waiting>()
  const alone = udpTo({ address, port })
  let opened: Socket | undefined
  let connected: Promise<Socket> | undefined
  let isClosed = false

  function connect(): Promise<Socket> {
    return new Promise((resolve) => {
      const socket = createSocket(isIPv6(address) ? 'udp6' : 'udp4')
      socket.unref()
      socket.on('error', fail)
      socket.on('message', (bytes) => {
        for (const each of waiting) {
          if (!each.isReply(bytes)) continue
          each.settle({ kind: 'reply', bytes })
          return
        }
        for (const each of waiting) each.strays++
      })
      socket.on('connect', () => {
        resolve(socket)
      })
      socket.connect(port, address)
      opened = socket
    })
  }

  /** The server's port is closed, which fails all waiting queries. */
  function fail(error: Error): void {
    release()
    for (const each of [...waiting]) each.settle({ kind: 'network', detail: errorText(error) })
  }

  function release(): void {
    connected = undefined
    opened?.removeAllListeners()
    opened?.on('error', () => undefined) // an ICMP report may still be on its way
    opened?.close()
    opened = undefined
  }

  return {
    exchange(query, isReply, timeoutMs) {
      // While this process is busy, the kernel drops replies that exceed the socket's buffer.
      if (waiting.size >= MAX_WAITING) return alone(query, isReply, timeoutMs)
      return new Promise((resolve) => {
        const self: Waiting = {
          isReply,
          strays: 0,
          settle: (exchange) => {
            clearTimeout(timer)
            waiting.delete(self)
            if (isClosed && waiting.size === 0) release()
            resolve(exchange)
          },
        }
        const timer = setTimeout(() => {
          self.settle({ kind: 'timeout', strays: self.strays })
        }, timeoutMs)
        waiting.add(self)
        connected ??= connect()
        connected
          .then((socket) => {
            // An ICMP report on an earlier datagram may surface here rather than as an event.
            if (waiting.has(self))
              socket.send(query, (error) => {
                if (error) fail(error)
              })
          })
          .catch((error: unknown) => {
            self.settle({ kind: 'network', detail: errorText(error) })
          })
      })
    },
    close() {
      isClosed = true
      if (waiting.size === 0) release()
    },
  }
}

/** Replies that fit into the buffer of one socket with Linux's default, with a margin. */
const MAX_WAITING = 64
