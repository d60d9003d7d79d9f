/**
 * A forwarder in front of a resolver that validates, which loses the AD bit (RFC 6840 §5.8)
 * of some answers on demand, and then counts as a resolver that does not validate.
 */
import { createSocket } from 'node:dgram'
import { TYPE } from './dns-message.js'

/** `validating`; `lying`: AD is lost except for probe queries; `not-validating`: AD is always lost. */
export type Mood = 'validating' | 'lying' | 'not-validating'

export async function startForwarder(to: number): Promise<{
  readonly port: number
  readonly become: (mood: Mood) => void
  readonly stop: () => void
}> {
  let mood: Mood = 'validating'
  const socket = createSocket('udp4')
  const upstreams = new Set<ReturnType<typeof createSocket>>()
  socket.on('message', (query, from) => {
    const upstream = createSocket('udp4')
    upstreams.add(upstream)
    const end = (): void => {
      if (upstreams.delete(upstream)) upstream.close()
    }
    upstream.on('message', (reply) => {
      if (mood === 'not-validating' || (mood === 'lying' && typeOf(query) !== TYPE.SOA)) {
        reply.writeUInt8(reply.readUInt8(3) & ~0x20, 3)
      }
      socket.send(reply, from.port, from.address)
      end()
    })
    upstream.on('error', end)
    upstream.send(query, to, '127.0.0.1')
  })
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve))
  return {
    port: socket.address().port,
    become(next) {
      mood = next
    },
    stop() {
      socket.close()
      for (const upstream of upstreams) upstream.close()
      upstreams.clear()
    },
  }
}

/** The query type, after the query name. */
function typeOf(query: Buffer): number {
  let at = 12
  while ((query[at] ?? 0) !== 0) at += (query[at] ?? 0) + 1
  return query.readUInt16BE(at + 1)
}
