/**
 * Asks a DNS server with DO set, by UDP and again by TCP where the reply is truncated.
 *
 * Written apart from src/dns: the references are asked by this, ours by its own.
 */
import { createSocket } from 'node:dgram'
import { connect } from 'node:net'
import { readFrame } from '../../src/dns/frame.js'
import { nameOctets, typeNumber, uint16 } from './wire.js'

export type Reply =
  | {
      readonly kind: 'reply'
      readonly rcode: number
      /** The AD bit. */
      readonly isAuthentic: boolean
      readonly octets: Buffer
    }
  | { readonly kind: 'none'; readonly why: string }

export type DnsClient = {
  /** The octets of the reply; `name` in wire format. */
  readonly askOctets: (name: Buffer, type: number, timeoutMs: number) => Promise<Buffer | undefined>
  readonly ask: (name: string, type: string, timeoutMs?: number) => Promise<Reply>
  readonly close: () => void
}

export async function openDnsClient(port: number): Promise<DnsClient> {
  const socket = createSocket('udp4')
  const waiting = new Map<number, (octets: Buffer | undefined) => void>()
  let last = 0
  socket.on('message', (octets) => {
    if (octets.length >= 2) waiting.get(octets.readUInt16BE(0))?.(octets)
  })
  // Refused while a server starts; the question times out.
  socket.on('error', () => undefined)
  await new Promise<void>((resolve) => socket.connect(port, HOST, resolve))
  const byUdp = (id: number, query: Buffer, timeoutMs: number): Promise<Buffer | undefined> =>
    new Promise((resolve) => {
      const timer = setTimeout(() => done(undefined), timeoutMs)
      const again = setTimeout(() => socket.send(query, () => undefined), timeoutMs / 2)
      const done = (octets: Buffer | undefined): void => {
        clearTimeout(timer)
        clearTimeout(again)
        waiting.delete(id)
        resolve(octets)
      }
      waiting.set(id, done)
      socket.send(query, () => undefined)
    })
  const askOctets: DnsClient['askOctets'] = async (name, type, timeoutMs) => {
    do last = (last + 1) % 65536
    while (waiting.has(last))
    const query = queryFor(last, name, type)
    const octets = await byUdp(last, query, timeoutMs)
    const isTruncated = ((octets?.[2] ?? 0) & 0x02) !== 0
    return isTruncated ? askByTcp(port, query, timeoutMs) : octets
  }
  return {
    askOctets,
    async ask(name, type, timeoutMs = 20_000) {
      const octets = await askOctets(nameOctets(name), typeNumber(type), timeoutMs)
      return octets === undefined ? { kind: 'none', why: 'no reply' } : readReply(octets)
    },
    close() {
      for (const done of waiting.values()) done(undefined)
      socket.close()
    },
  }
}

function readReply(octets: Buffer): Reply {
  const frame = readFrame(octets)
  if (frame === undefined) return { kind: 'none', why: 'malformed reply' }
  return {
    kind: 'reply',
    rcode: frame.rcode,
    isAuthentic: frame.authenticData,
    octets,
  }
}

/** RD and DO are set, CD is not: no server here validates for us. 1232 octets fit in a datagram. */
export function queryFor(id: number, name: Buffer, type: number): Buffer {
  return Buffer.concat([
    uint16(id),
    uint16(0x0100),
    ...[1, 0, 0, 1].map(uint16),
    name,
    uint16(type),
    uint16(1),
    // OPT: root, type 41, payload, no extended RCODE, DO, no options.
    Buffer.from([0, 0, 41]),
    uint16(1232),
    Buffer.from([0, 0, 0x80, 0, 0, 0]),
  ])
}

/** One question on a connection of its own. */
export function askByTcp(
  port: number,
  query: Buffer,
  timeoutMs: number,
): Promise<Buffer | undefined> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = []
    const socket = connect(port, HOST)
    const done = (octets: Buffer | undefined): void => {
      socket.destroy()
      resolve(octets)
    }
    socket.setTimeout(timeoutMs, () => done(undefined))
    socket.on('error', () => done(undefined))
    socket.on('close', () => done(undefined))
    socket.on('data', (chunk) => {
      chunks.push(chunk)
      const all = Buffer.concat(chunks)
      if (all.length >= 2 && all.length >= 2 + all.readUInt16BE(0)) {
        done(all.subarray(2, 2 + all.readUInt16BE(0)))
      }
    })
    const length = Buffer.alloc(2)
    length.writeUInt16BE(query.length)
    socket.write(Buffer.concat([length, query]))
  })
}

const HOST = '127.0.0.1'
