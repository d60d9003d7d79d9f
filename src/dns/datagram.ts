/**
 * How does a query get to a server in a datagram, and a reply back?
 *
 * One datagram, a deadline, and a value whatever happens. To another machine each query
 * has a socket of its own: connected, so that the kernel drops what comes from anywhere
 * else and reports a closed port, and bound to a port that the kernel chose at random. To
 * this machine up to `MAX_WAITING` share one, connected too: nobody but its administrator could send from
 * the resolver's own port here, and a socket costs more than the query. What is no reply
 * to the question is passed over until the deadline, not taken for a failure (RFC 5452
 * §9). Streams are stream.ts's.
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

/** A query that waits on the shared socket. */
type Waiting = {
  readonly isReply: (bytes: Buffer) => boolean
  readonly settle: (exchange: Exchange) => void
  strays: number
}

/** For a server on this machine. */
export function sharedUdpTo({ address, port }: ServerAddress): {
  readonly exchange: Transport
  /** Closes the socket, when those who wait on it have their answers. */
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

  /** The server's port is closed, which is so for all of them. */
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
      // The kernel drops what does not fit into the socket's buffer while this process is busy.
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
            // Told here, and not as an event, where the report on an earlier one is met by this one.
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

/** Replies that the buffer of one socket holds, by Linux's default, with room to spare. */
const MAX_WAITING = 64
