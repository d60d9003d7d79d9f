/** HTTP as octets: requests that no library would send, and readers that do not read. */
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { until } from '../../lab/child.js'

/** What comes back until the server closes the connection. */
export function exchange(port: number, octets: string | Buffer): Promise<string> {
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = []
    const socket = connect(port, '127.0.0.1', () => socket.write(octets))
    socket.setTimeout(30_000, () => socket.destroy(new Error('no answer')))
    socket.on('data', (part: Buffer) => parts.push(part))
    socket.on('error', reject)
    socket.on('close', () => {
      resolve(Buffer.concat(parts).toString('latin1'))
    })
  })
}

/** Sends all requests at once on one connection, and reads nothing of what comes. */
export async function neverRead(port: number, path: string, count: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1')
  socket.pause()
  socket.on('error', () => undefined)
  socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`.repeat(count))
  await until('the requests to be sent', () => socket.writableLength === 0)
  return socket
}

/** Status codes of all answers, in order. */
export function statusesOf(answers: string): readonly number[] {
  return Array.from(answers.matchAll(/^HTTP\/1\.1 (\d{3})/gm), ([, code]) => Number(code))
}
