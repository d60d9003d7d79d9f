/**
 * A scripted resolver that can do what no real one would.
 *
 * A UDP and TCP server on one loopback port that answers each query with whatever
 * bytes its script returns, records the queries, and can stay silent.
 */
import { createSocket } from 'node:dgram'
import type { RemoteInfo } from 'node:dgram'
import { createServer } from 'node:net'
import type { Socket } from 'node:net'
import { readHead } from '../../src/dns/frame.js'
import type { ServerAddress } from '../../src/server-address.js'

export type Asked = {
  readonly transport: 'udp' | 'tcp'
  readonly bytes: Buffer
  readonly id: number
  /** In lower case. */
  readonly name: string
  /** As sent, with its random case, which a reply must repeat. */
  readonly spelling: string
  readonly type: number
  /** The port that the query came from. */
  readonly port: number
}

/** Messages to send back, one after the other; none for silence; 'close' ends a TCP connection. */
export type Script = (asked: Asked, count: number) => readonly Buffer[] | 'close'

export type DnsServer = ServerAddress & {
  readonly asked: readonly Asked[]
  readonly stop: () => Promise<void>
}

export async function startDnsServer(script: Script): Promise<DnsServer> {
  const asked: Asked[] = []
  const take = (
    transport: Asked['transport'],
    bytes: Buffer,
    port: number,
  ): readonly Buffer[] | 'close' => {
    const head = readHead(bytes)
    if (head === undefined) throw new Error('a query that cannot be read')
    const query = {
      transport,
      bytes,
      id: head.id,
      name: nameOf(bytes).toLowerCase(),
      spelling: nameOf(bytes),
      type: head.question.type,
      port,
    }
    asked.push(query)
    return script(query, asked.length)
  }

  const tcp = createServer((socket) =>
    serveTcp(socket, (bytes) => take('tcp', bytes, socket.remotePort ?? 0)),
  )
  await new Promise<void>((resolve) => tcp.listen(0, '127.0.0.1', resolve))
  const bound = tcp.address()
  if (bound === null || typeof bound === 'string') throw new Error('no port')
  const sockets = new Set<Socket>()
  tcp.on('connection', (socket) => sockets.add(socket))

  const udp = createSocket('udp4')
  udp.on('message', (bytes: Buffer, from: RemoteInfo) => {
    const replies = take('udp', bytes, from.port)
    for (const reply of replies === 'close' ? [] : replies) udp.send(reply, from.port, from.address)
  })
  await new Promise<void>((resolve) => udp.bind(bound.port, '127.0.0.1', resolve))
  return {
    address: '127.0.0.1',
    port: bound.port,
    asked,
    async stop() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => udp.close(() => resolve(undefined)))
      await new Promise((resolve) => tcp.close(resolve))
    },
  }
}

function serveTcp(socket: Socket, take: (bytes: Buffer) => readonly Buffer[] | 'close'): void {
  let received = Buffer.alloc(0)
  socket.on('error', () => undefined)
  socket.on('data', (chunk) => {
    received = Buffer.concat([received, chunk])
    while (received.length >= 2 && received.length >= 2 + received.readUInt16BE(0)) {
      const end = 2 + received.readUInt16BE(0)
      const replies = take(received.subarray(2, end))
      received = received.subarray(end)
      if (replies === 'close') socket.destroy()
      else for (const reply of replies) socket.write(framed(reply))
    }
  })
}

/** RFC 1035 §4.2.2. */
export function framed(message: Buffer): Buffer {
  const length = Buffer.alloc(2)
  length.writeUInt16BE(message.length)
  return Buffer.concat([length, message])
}

function nameOf(query: Buffer): string {
  const labels: string[] = []
  for (let at = 12; query[at];) {
    const length = query[at] ?? 0
    labels.push(query.toString('latin1', at + 1, at + 1 + length))
    at += 1 + length
  }
  return labels.join('.')
}
