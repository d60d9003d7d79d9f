/**
 * What may a server say before TLS?
 *
 * Where DANE demands TLS, only one conversation leads there: a 2xx greeting, a 2xx
 * reply to EHLO that offers STARTTLS, 220 to STARTTLS and not an octet more (RFC
 * 3207 §4). Nobody has authenticated any of it, so nothing else may have an effect:
 * a 5xx must not bounce the message, an injected line must not become the first
 * reply inside TLS. The reader is fed the raw bytes, before Haraka sees them.
 *
 * Bounded: `MAX_LINE` and `MAX_TOTAL`. Pure.
 */
import type { SessionReason } from '../reason.js'
import { printable } from '../text.js'

export type PreambleStep =
  /** More has to come. */
  | { readonly kind: 'continue' }
  /** A whole reply, and a good one: it is the client's turn to say this. */
  | { readonly kind: 'turn'; readonly command: 'EHLO' | 'STARTTLS' }
  /** 220 to STARTTLS: the next octet is the server's part of the handshake. */
  | { readonly kind: 'handshake' }
  | { readonly kind: 'refuse'; readonly reason: SessionReason; readonly detail: string }

export type Preamble = {
  /** Bytes as they came from the network. Once refused, keeps refusing. */
  read(bytes: Buffer): PreambleStep
}

/** Octets of a reply line. RFC 5321 §4.5.3.1.5 has 512; some servers offer more in EHLO. */
export const MAX_LINE = 2048
/** Octets before TLS altogether. */
export const MAX_TOTAL = 65_536

type Stage = 'greeting' | 'ehlo' | 'starttls' | 'over'

export function createPreamble(): Preamble {
  let stage: Stage = 'greeting'
  let pending = ''
  let total = 0
  let lines: string[] = []

  function read(bytes: Buffer): PreambleStep {
    if (stage === 'over') return violation('data after the end of the SMTP dialog')
    total += bytes.length
    pending += bytes.toString('latin1')
    for (let end = pending.indexOf('\n'); end !== -1; end = pending.indexOf('\n')) {
      const line = pending.slice(0, end).replace(/\r$/, '')
      pending = pending.slice(end + 1)
      const [, code, separator] = /^([2-5]\d\d)([ -])/.exec(line) ?? []
      if (line.length > MAX_LINE || code === undefined) return violation(line)
      lines.push(line)
      if (separator === '-') continue
      // The server speaks in turn: what follows a whole reply was put there by somebody else.
      if (pending !== '') return violation(`data after the reply ${line}`)
      const step = judge(code, lines)
      lines = []
      return step
    }
    return pending.length > MAX_LINE || total > MAX_TOTAL
      ? violation('too much data')
      : { kind: 'continue' }
  }

  function judge(code: string, reply: readonly string[]): PreambleStep {
    const isPositive = code.startsWith('2') && reply.every((line) => line.startsWith(code))
    const text = reply[reply.length - 1] ?? ''
    switch (stage) {
      case 'greeting':
        if (!isPositive) return refuse('greeting-refused', text)
        stage = 'ehlo'
        return { kind: 'turn', command: 'EHLO' }
      case 'ehlo':
        if (!isPositive) return refuse('ehlo-refused', text)
        if (!reply.some((line) => line.slice(4).toUpperCase() === 'STARTTLS')) {
          return refuse('starttls-not-offered', 'EHLO did not offer STARTTLS')
        }
        stage = 'starttls'
        return { kind: 'turn', command: 'STARTTLS' }
      case 'starttls':
        if (code !== '220' || !isPositive) return refuse('starttls-refused', text)
        stage = 'over'
        return { kind: 'handshake' }
      case 'over':
        return violation(text)
    }
  }

  function violation(line: string): PreambleStep {
    return refuse('protocol-violation', line)
  }

  function refuse(reason: SessionReason, text: string): PreambleStep {
    stage = 'over'
    return { kind: 'refuse', reason, detail: printable(text) }
  }

  return { read }
}
