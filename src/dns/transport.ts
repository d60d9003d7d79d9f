/**
 * How does a query get to a server, and a reply back?
 *
 * One datagram or one TCP connection, a deadline, and a value whatever happens.
 * UDP takes a socket of its own for each query: connected, so that the kernel drops
 * what comes from anywhere else and reports a closed port, and bound to a port that
 * the kernel chose at random. What is no reply to the question is passed over until
 * the deadline, not taken for a failure (RFC 5452 §9).
 *
 * Effects: sockets and timers. All are released before the promise settles.
 */
import { createSocket } from 'node:dgram'
import { connect, isIPv6 } from 'node:net'
import { printable } from '../text.js'
import type { ServerAddress } from '../server-address.js'

/** What one attempt brought. */
export type Exchange =
  | { readonly kind: 'reply'; readonly bytes: Buffer }
  | { readonly kind: 'timeout' }
  | { readonly kind: 'network'; readonly detail: string }

/** Sends a query and waits at most `timeoutMs` for bytes that `isReply` accepts. */
export type Transport = (
  server: ServerAddress,
  query: Buffer,
  isReply: (bytes: Buffer) => boolean,
  timeoutMs: number,
) => Promise<Exchange>

export const exchangeUdp: Transport = (server, query, isReply, timeoutMs) =>
  new Promise((resolve) => {
    const socket = createSocket(isIPv6(server.address) ? 'udp6' : 'udp4')
    const settle = (exchange: Exchange): void => {
      clearTimeout(timer)
      socket.removeAllListeners()
      socket.on('error', ignore) // an ICMP report may still be on its way
      socket.close()
      resolve(exchange)
    }
    const timer = setTimeout(() => {
      settle({ kind: 'timeout' })
    }, timeoutMs)
    socket.on('error', (error) => {
      settle(networkError(error))
    })
    socket.on('message', (bytes) => {
      if (isReply(bytes)) settle({ kind: 'reply', bytes })
    })
    socket.on('connect', () => {
      socket.send(query)
    })
    socket.connect(server.port, server.address)
  })

/** RFC 7766: a two-octet length before each message. */
export const exchangeTcp: Transport = (server, query, isReply, timeoutMs) =>
  new Promise((resolve) => {
    const socket = connect({ host: server.address, port: server.port, noDelay: true })
    let received = Buffer.alloc(0)
    const settle = (exchange: Exchange): void => {
      clearTimeout(timer)
      socket.removeAllListeners()
      socket.on('error', ignore)
      socket.destroy()
      resolve(exchange)
    }
    const timer = setTimeout(() => {
      settle({ kind: 'timeout' })
    }, timeoutMs)
    socket.on('error', (error) => {
      settle(networkError(error))
    })
    socket.on('close', () => {
      settle({ kind: 'network', detail: 'connection closed before the reply' })
    })
    socket.on('connect', () => {
      const length = Buffer.alloc(2)
      length.writeUInt16BE(query.length)
      socket.write(Buffer.concat([length, query]))
    })
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk])
      // At most one message is outstanding, so at most one length and 65,535 octets are kept.
      while (received.length >= 2) {
        const end = 2 + received.readUInt16BE(0)
        if (received.length < end) return
        const bytes = received.subarray(2, end)
        if (isReply(bytes)) {
          settle({ kind: 'reply', bytes })
          return
        }
        received = received.subarray(end)
      }
    })
  })

function networkError(error: Error): Exchange {
  return { kind: 'network', detail: printable(error.message) }
}

function ignore(): void {
  // nothing left to do with it
}
