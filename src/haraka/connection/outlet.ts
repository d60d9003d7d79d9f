/**
 * Checks all octets that are written to a stream before they are sent.
 *
 * Everything written to a stream of Node, by `write`, `end`, `pipe` or through a wrapper,
 * arrives at its `_write` or `_writev`. There the octets themselves are checked, whatever
 * their encoding, in the order in which they would be sent. What TLS sends on the connection
 * below does not pass here: Node's TLS writes to the handle directly.
 *
 * Limits: code in this process that writes to the handle with Node's internals is not seen.
 */
import type { Writable } from 'node:stream'

/**
 * @param mayGo whether these octets may be sent; never called with none. If not, the writer
 *   still sees them as written: the connection is given up anyway
 * @returns ends the checks
 */
export function judgeWrites(stream: Writable, mayGo: (octets: Buffer) => boolean): () => void {
  const write = stream._write.bind(stream)
  const writev = stream._writev?.bind(stream)

  const judge = (octets: Buffer, callback: Callback): void => {
    // Node itself writes an empty chunk to learn when everything else is written.
    if (octets.length === 0 || mayGo(octets))
      Reflect.apply(write, undefined, [octets, 'buffer', callback])
    else callback()
  }

  stream._write = (chunk: unknown, encoding, callback) => {
    judge(octetsOf(chunk, encoding), callback)
  }
  if (writev) {
    stream._writev = (chunks, callback) => {
      const all = chunks.map(({ chunk, encoding }: Chunk) => octetsOf(chunk, encoding))
      judge(Buffer.concat(all), callback)
    }
  }
  return () => {
    stream._write = write
    if (writev) stream._writev = writev
  }
}

type Callback = (error?: Error | null) => void
type Chunk = { readonly chunk: unknown; readonly encoding: BufferEncoding }

/** A copy, so that the octets sent are those checked; other types are never allowed. */
function octetsOf(chunk: unknown, encoding: BufferEncoding): Buffer {
  if (typeof chunk === 'string') return Buffer.from(chunk, encoding)
  if (chunk instanceof Uint8Array) return Buffer.from(chunk)
  return Buffer.of(0)
}
