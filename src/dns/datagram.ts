/**
 * How does a query get to a server in a datagram, and a reply back?
 *
 * One datagram, a deadline, and a value whatever happens. Each query has a socket of
 * its own: connected, so that the kernel drops what comes from anywhere else and
 * reports a closed port, and bound to a port that the kernel chose at random. What is
 * no reply to the question is passed over until the deadline, not taken for a failure
 * (RFC 5452 §9). Streams are stream.ts's.
 *
 * Effects: sockets and timers. All are released before the promise settles.
 */
import { createSocket } from 'node:dgram'
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
