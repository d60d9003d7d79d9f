/**
 * Reads a list of domains.
 *
 * One per line; blank lines and comments after `#` are ignored. Reads as it goes, so the
 * list may have any length, or be a pipe that is still being written to. A line that is
 * not a domain is reported with its number, and reading continues; an overlong line is
 * cut off, not buffered.
 */
import { parseDomainName } from '../name.js'
import type { DomainName } from '../name.js'
import { printable } from '../text.js'

export type ListLine =
  | { readonly kind: 'domain'; readonly domain: DomainName }
  /** Lines are counted from 1; the text is printable. */
  | { readonly kind: 'bad'; readonly line: number; readonly text: string }

/** @param chunks UTF-8, cut anywhere */
export async function* readDomainList(chunks: AsyncIterable<Buffer>): AsyncGenerator<ListLine> {
  let line = 0
  for await (const bytes of splitLines(chunks)) {
    line++
    const text = bytes
      .toString('utf8')
      .replace(/^\uFEFF/, '')
      .replace(/#.*$/s, '')
      .trim()
    if (text === '') continue
    const domain = bytes.length > MAX_LINE ? undefined : parseDomainName(text)
    yield domain ? { kind: 'domain', domain } : { kind: 'bad', line, text: printable(text, 80) }
  }
}

/** Lines without their line ends; of an overlong one the first `MAX_LINE + 1` octets. */
async function* splitLines(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let parts: Buffer[] = []
  let length = 0
  const keep = (bytes: Buffer): void => {
    const room = MAX_LINE + 1 - length
    if (room <= 0 || bytes.length === 0) return
    // A copy, so that a small piece does not keep the whole chunk in memory.
    parts.push(Buffer.from(bytes.subarray(0, room)))
    length += Math.min(bytes.length, room)
  }
  const take = (): Buffer => {
    const whole = Buffer.concat(parts)
    parts = []
    length = 0
    return whole
  }
  for await (const chunk of chunks) {
    let start = 0
    for (let end = chunk.indexOf(LF); end !== -1; end = chunk.indexOf(LF, start)) {
      keep(chunk.subarray(start, end))
      yield take()
      start = end + 1
    }
    keep(chunk.subarray(start))
  }
  if (length > 0) yield take()
}

const LF = 10
/** Longer than any domain with a comment. */
const MAX_LINE = 2048
