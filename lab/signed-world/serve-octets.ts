/** Answers DNS questions by UDP and TCP with octets from a function. */
import { createSocket } from 'node:dgram'
import { createServer } from 'node:net'
import type { Socket } from 'node:net'
import { readHead } from '../../src/dns/frame.js'
import type { FetchOctets } from './ours.js'
import { uint16 } from './wire.js'
import { freePort } from '../free-port.js'

/**
 * The replies have neither OPT nor additional records. ID and question are those of the
 * query, in its own mix of upper and lower case.
 */
export async function serveOctets(
  reply: FetchOctets,
): Promise<{ readonly port: number; readonly close: () => void }> {
  const answer = async (query: Buffer, limit: number): Promise<Buffer | undefined> => {
    const head = readHead(query)
    if (head === undefined) return undefined
    const { start, type } = head.question
    const name = query.toString('latin1', start, head.end - 4).toLowerCase()
    const octets = await reply({ name, type })
    if (octets === undefined) return undefined
    const whole = withOpt(octets)
    const fitting = whole.length <= limit ? whole : withOpt(truncated(octets))
    const [header, question] = [fitting.subarray(2, 12), query.subarray(12, head.end)]
    return Buffer.concat([query.subarray(0, 2), header, question, fitting.subarray(head.end)])
  }
  const udp = createSocket('udp4')
  udp.on('message', (query, from) => {
    void answer(query, UDP_LIMIT).then((octets) => {
      if (octets !== undefined) udp.send(octets, from.port, from.address)
    })
  })
  const port = await freePort()
  await new Promise<void>((resolve) => udp.bind(port, HOST, resolve))
  const sockets = new Set<Socket>()
  const tcp = createServer((socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    socket.on('error', () => socket.destroy())
    let pending: Buffer = Buffer.alloc(0)
    socket.on('data', (chunk) => {
      pending = Buffer.concat([pending, chunk])
      while (pending.length >= 2 && pending.length >= 2 + pending.readUInt16BE(0)) {
        const length = pending.readUInt16BE(0)
        const query = pending.subarray(2, 2 + length)
        pending = pending.subarray(2 + length)
        void answer(query, 65_535).then((octets) => {
          if (octets !== undefined) socket.write(Buffer.concat([uint16(octets.length), octets]))
        })
      }
    })
  })
  await new Promise<void>((resolve) => tcp.listen(port, HOST, resolve))
  return {
    port,
    close() {
      udp.close()
      tcp.close()
      for (const socket of sockets) socket.destroy()
    },
  }
}

/** With an OPT record that has DO set, in the additional section, which is empty. */
function withOpt(octets: Buffer): Buffer {
  const whole = Buffer.concat([octets, OPT])
  whole.writeUInt16BE(1, 10)
  return whole
}

/** The head and question alone, with TC set: it has to be asked again by TCP. */
function truncated(octets: Buffer): Buffer {
  const head = readHead(octets)
  if (head === undefined) throw new Error('a reply without a question')
  const cut = Buffer.from(octets.subarray(0, head.end))
  cut.writeUInt16BE(cut.readUInt16BE(2) | 0x0200, 2)
  cut.fill(0, 6, 12)
  return cut
}

const OPT = Buffer.from([0, 0, 41, 0x04, 0xd0, 0, 0, 0x80, 0, 0, 0])
const UDP_LIMIT = 1232
const HOST = '127.0.0.1'
