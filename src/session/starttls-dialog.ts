/**
 * What may a server say before TLS?
 *
 * Where DANE demands TLS, only one dialog leads to it: a 2xx greeting, a 2xx reply to EHLO
 * that offers STARTTLS, and 220 to STARTTLS with nothing after it (RFC 3207 §4). None of
 * it is authenticated, so nothing else may have an effect: a 5xx must not bounce the
 * message, and an injected line must not become the first reply inside TLS. The dialog
 * reads the raw octets before Haraka sees them.
 *
 * Bounded by `MAX_LINE` and `MAX_TOTAL`. Pure.
 */
import type { SessionReason } from '../reason.js'
import { printable } from '../text.js'
import { readReplyLine } from './reply-line.js'
import type { ReplyLine } from './reply-line.js'

export type DialogStep =
  /** The reply is not complete. */
  | { readonly kind: 'continue' }
  /** A complete, positive reply: the client's next command is this one. */
  | { readonly kind: 'turn'; readonly command: 'EHLO' | 'STARTTLS' }
  /** 220 to STARTTLS: the server's next octet belongs to the handshake. */
  | { readonly kind: 'handshake' }
  | { readonly kind: 'refuse'; readonly reason: SessionReason; readonly detail: string }

export type StarttlsDialog = {
  /** Octets as received. After a refusal, every call refuses. */
  read(bytes: Buffer): DialogStep
  /** The name that the client gives in EHLO, for the text of a refusal. */
  introduce(name: string): void
}

/** Octets of a reply line. RFC 5321 §4.5.3.1.5 has 512; some servers offer more in EHLO. */
export const MAX_LINE = 2048
/** Characters of a name that are quoted: some of the reply is to be seen as well. */
const MAX_NAME = 100
/** Octets before TLS in total. */
export const MAX_TOTAL = 65_536

type Stage = 'greeting' | 'ehlo' | 'starttls' | 'over'
type Line = Extract<ReplyLine, { readonly kind: 'reply-line' }>

/** @param onGreeting called with the text after the code of a 2xx greeting, as sent */
export function createStarttlsDialog(onGreeting?: (text: string) => void): StarttlsDialog {
  let stage: Stage = 'greeting'
  let pending = ''
  let total = 0
  let reply: Line[] = []
  let introducedAs = ''

  function read(bytes: Buffer): DialogStep {
    if (stage === 'over') return violation('data after the end of the SMTP dialog')
    total += bytes.length
    pending += bytes.toString('latin1')
    for (let end = pending.indexOf('\n'); end !== -1; end = pending.indexOf('\n')) {
      const said = pending.slice(0, end)
      pending = pending.slice(end + 1)
      const line = readReplyLine(said)
      if (said.length > MAX_LINE || line.kind === 'unreadable') return violation(said)
      reply.push(line)
      if (!line.isLast) continue
      // Client and server take turns: anything after a complete reply was injected.
      if (pending !== '') return violation(`data after the reply ${said.trimEnd()}`)
      const step = judge(line.code, reply, said)
      reply = []
      return step
    }
    return pending.length > MAX_LINE || total > MAX_TOTAL
      ? violation('too much data')
      : { kind: 'continue' }
  }

  /** @param last the last line, for messages */
  function judge(code: string, lines: readonly Line[], last: string): DialogStep {
    const isPositive = code.startsWith('2') && lines.every((line) => line.code === code)
    switch (stage) {
      case 'greeting':
        if (!isPositive) return refuse('greeting-refused', last)
        onGreeting?.(lines[0]?.text ?? '')
        stage = 'ehlo'
        return { kind: 'turn', command: 'EHLO' }
      case 'ehlo':
        if (!isPositive) return refuse('ehlo-refused', `${introducedAs}${last}`)
        if (!lines.some(({ text }) => text.toUpperCase() === 'STARTTLS')) {
          return refuse('starttls-not-offered', 'EHLO did not offer STARTTLS')
        }
        stage = 'starttls'
        return { kind: 'turn', command: 'STARTTLS' }
      case 'starttls':
        if (code !== '220' || !isPositive) return refuse('starttls-refused', last)
        stage = 'over'
        return { kind: 'handshake' }
      case 'over':
        return violation(last)
    }
  }

  function violation(line: string): DialogStep {
    return refuse('protocol-violation', line)
  }

  function refuse(reason: SessionReason, text: string): DialogStep {
    stage = 'over'
    return { kind: 'refuse', reason, detail: printable(text.trimEnd()) }
  }

  return {
    read,
    introduce(name) {
      introducedAs = `to EHLO ${printable(name, MAX_NAME)}: `
    },
  }
}
