/**
 * Passes questions on to a resolver and changes replies on the way back.
 *
 * A question has the same reply for everybody and every time, so that validators that ask
 * in another order, or again, get the same.
 */
import { openDnsClient } from './dns-client.js'
import { putTogether, takeApart } from './message-parts.js'
import type { Parts } from './message-parts.js'
import { serveOctets } from './serve-octets.js'

/** The name in wire format, lower case, as latin1. */
export type Asked = { readonly name: string; readonly type: number }

export type Proxy = {
  readonly port: number
  /** The reply to a question, changed; undefined if the resolver gave none. */
  readonly reply: (asked: Asked) => Promise<Buffer | undefined>
  readonly close: () => void
}

export async function startProxy(
  upstream: number,
  change: (asked: Asked, parts: Parts) => Parts,
): Promise<Proxy> {
  const client = await openDnsClient(upstream)
  const replies = new Map<string, Promise<Buffer | undefined>>()
  const fetch = async (asked: Asked): Promise<Buffer | undefined> => {
    const octets = await client.askOctets(Buffer.from(asked.name, 'latin1'), asked.type, 20_000)
    return octets && putTogether(change(asked, takeApart(octets)))
  }
  const reply: Proxy['reply'] = (asked) => {
    const key = `${asked.type} ${asked.name}`
    const known = replies.get(key) ?? fetch(asked)
    replies.set(key, known)
    return known
  }
  const server = await serveOctets(reply)
  return {
    port: server.port,
    reply,
    close() {
      client.close()
      server.close()
    },
  }
}
