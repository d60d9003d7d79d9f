/**
 * One line of an SMTP reply: its code, whether another line follows, and its text.
 *
 * RFC 5321 §4.2 asks clients to accept a code without text. As in Postfix, white space at
 * the end of a line and additional CRs before its LF do not count either.
 *
 * Haraka is stricter: it bounces the message at a code without text, and it does not
 * recognize a keyword followed by a space. `plainReplyLine` writes a line in the form
 * that Haraka reads as `readReplyLine` does.
 *
 * Promises: both give a line the same code, the same text and the same place in its reply,
 * so that no reply ends earlier for one reader than for the other. Time proportional to the
 * length of the line. Pure.
 */

export type ReplyLine =
  | {
      readonly kind: 'reply-line'
      readonly code: string
      /** No other line of the same reply follows. */
      readonly isLast: boolean
      readonly text: string
    }
  | { readonly kind: 'unreadable' }

/** @param line with or without its LF */
export function readReplyLine(line: string): ReplyLine {
  const content = withoutEnd(line)
  const [, code, separator] = /^([2-5]\d\d)(?:([ -])|$)/.exec(content) ?? []
  return code === undefined
    ? { kind: 'unreadable' }
    : { kind: 'reply-line', code, isLast: separator !== '-', text: content.slice(4) }
}

/** The line in the form that Haraka needs. What is not a reply line remains unchanged. */
export function plainReplyLine(line: string): string {
  const read = readReplyLine(line)
  if (read.kind === 'unreadable') return line
  return `${read.code}${read.isLast ? ' ' : '-'}${read.text}\r\n`
}

function withoutEnd(line: string): string {
  let end = line.endsWith('\n') ? line.length - 1 : line.length
  while (line[end - 1] === '\r') end--
  while (line[end - 1] === ' ' || line[end - 1] === '\t') end--
  return line.slice(0, end)
}
