/**
 * Sends one question to one server until there is a complete reply.
 *
 * UDP first, with retries, then TCP if the reply was truncated (RFC 7766 §5), whose
 * truncated part is never used; TLS alone where the channel is TLS. Id and port are new
 * for each attempt (RFC 5452 §9.2); letter case stays the same, so that a forwarder can
 * recognize a retry. The result is a well-formed message, or why there is none; its
 * contents are not interpreted.
 *
 * Transports, clock and randomness are passed in; no other effects.
 */
import type { Failed, FailureCause } from '../lookup.js'
import type { DomainName } from '../name.js'
import { readHead } from './frame.js'
import { parseMessage } from './message.js'
import type { Message } from './message.js'
import {
  answersOctets,
  answersQuestion,
  composeOctetQuery,
  composeQuery,
  mixCase,
  mixOctetCase,
} from './query.js'
import type { Question } from './query.js'
import type { AskSigned, Unanswered } from '../signed-message.js'
import { readSignedReply } from './signed-reply.js'
import type { Exchange, Transport } from './transport.js'

export type Asking = {
  readonly name: DomainName | '.'
  readonly type: Question['type']
  /** Include bogus answers: for diagnosis only. */
  readonly isUnchecked?: boolean
}

/** @param deadline milliseconds since the epoch */
export type Ask = (asking: Asking, deadline: number) => Promise<Message | Failed>

export type AskParts = {
  /** The server's name in messages. */
  readonly server: string
  /** Undefined: only the stream may be used. */
  readonly udp: Transport | undefined
  readonly stream: Transport
  /** Whether names are sent in mixed case: where replies could be forged from outside. */
  readonly isCaseMixed: boolean
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** Returns that many unpredictable octets. */
  readonly entropy: (octets: number) => Buffer
}

/**
 * A question in the spelling that all attempts use: how to ask it with an id, and how to
 * recognize and read its reply.
 */
export type Prepared<T> = {
  readonly compose: (id: number, isPadded: boolean) => Buffer
  readonly isReply: (bytes: Buffer, id: number) => boolean
  /** Undefined: malformed. */
  readonly read: (bytes: Buffer) => T | undefined
}

/** Asks until there is a complete reply, or the deadline. */
export type Exchanger = <T extends { readonly kind: 'message' | 'reply' }>(
  prepared: Prepared<T>,
  deadline: number,
) => Promise<T | Unanswered>

export function createExchanger(parts: Omit<AskParts, 'isCaseMixed'>): Exchanger {
  const { server, udp, stream, now, entropy } = parts

  function attempt<T>(
    prepared: Prepared<T>,
    transport: Transport,
    timeoutMs: number,
  ): Promise<Exchange> {
    const id = entropy(2).readUInt16BE(0)
    const query = prepared.compose(id, udp === undefined)
    return transport(query, (bytes) => prepared.isReply(bytes, id), timeoutMs)
  }

  async function overStream<T>(prepared: Prepared<T>, deadline: number): Promise<T | Failed> {
    const left = deadline - now()
    // The connection is shared: a query without a waiter would only load it.
    if (left <= 0) return failed('timeout', `no time left to ask ${server}`)
    const exchange = await attempt(prepared, stream, left)
    if (exchange.kind === 'reply' && readHead(exchange.bytes)?.truncated) {
      return failed('malformed', `truncated reply over TCP from ${server}`)
    }
    return read(prepared, exchange)
  }

  function read<T>(prepared: Prepared<T>, exchange: Exchange): T | Failed {
    switch (exchange.kind) {
      case 'reply':
        return (
          prepared.read(exchange.bytes) ?? failed('malformed', `unreadable reply from ${server}`)
        )
      case 'timeout': {
        const { strays } = exchange
        const heard = strays > 0 ? `, but ${strays} to other questions` : ''
        return failed('timeout', `no reply from ${server}${heard}`)
      }
      case 'network':
        return failed('network', `${server}: ${exchange.detail}`)
    }
  }

  return async (prepared, deadline) => {
    if (udp === undefined) return overStream(prepared, deadline)
    const total = deadline - now()
    let last: Failed = failed('timeout', `no reply from ${server}`)
    for (const share of ATTEMPTS) {
      const timeoutMs = Math.min(deadline - now(), share * total)
      if (timeoutMs <= 0) break
      const exchange = await attempt(prepared, udp, timeoutMs)
      // RFC 2181 §9: a truncated reply is not parsed, and never used as a fallback.
      if (exchange.kind === 'reply' && readHead(exchange.bytes)?.truncated) {
        const whole = await overStream(prepared, deadline)
        return whole.kind === 'failed' ? { ...whole, isTruncated: true } : whole
      }
      const message = read(prepared, exchange)
      if (message.kind !== 'failed') return message
      last = message
      // A retry would not help against a closed port or a malformed reply.
      if (message.cause !== 'timeout') break
    }
    return last
  }
}

export function createAsk(parts: AskParts): Ask {
  const exchange = createExchanger(parts)
  return ({ name, type, isUnchecked = false }, deadline) => {
    const isAsItIs = name === '.' || !parts.isCaseMixed
    const spelling = isAsItIs ? name : mixCase(name, parts.entropy(SPELLING_OCTETS))
    const question = { spelling, type, isUnchecked }
    return exchange(
      {
        compose: (id, isPadded) => composeQuery({ id, isPadded, ...question }),
        isReply: (bytes, id) => answersQuestion(bytes, { id, ...question }),
        read: parseMessage,
      },
      deadline,
    )
  }
}

/** Asks with DO and CD, for validation here. */
export function createAskSigned(parts: AskParts): AskSigned {
  const exchange = createExchanger(parts)
  return ({ name, type }, deadline) => {
    const bits = parts.isCaseMixed ? parts.entropy(SPELLING_OCTETS) : Buffer.alloc(SPELLING_OCTETS)
    const question = { name: mixOctetCase(name, bits), type }
    return exchange(
      {
        compose: (id, isPadded) => composeOctetQuery({ id, isPadded, ...question }),
        isReply: (bytes, id) => answersOctets(bytes, { id, ...question }),
        read: (bytes) => readSignedReply(bytes, parts.now()),
      },
      deadline,
    )
  }
}

/** A failure without a reply that explains it. */
export function failed(cause: FailureCause, detail: string): Failed {
  return { kind: 'failed', cause, detail, extendedErrors: [] }
}

/**
 * Shares of the remaining time for each datagram. The first is short, in case a datagram
 * is lost; the last is long, for a resolver that is still working.
 */
const ATTEMPTS = [0.2, 0.3, 0.5] as const

/** A bit for each of 255 characters. */
const SPELLING_OCTETS = 32
