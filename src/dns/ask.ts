/**
 * How does one question come to one whole reply from one server?
 *
 * UDP first, again after a while, the stream where the reply was cut off (RFC 7766
 * §5), and never the cut-off part; the stream alone where the channel is TLS. Id and
 * port are new for each attempt (RFC 5452 §9.2); letter case is the question's, so that
 * a forwarder that takes the next attempt for the same question can do so. What comes
 * back is a message that could be read, or why there is none; what it says is not
 * looked at.
 *
 * Given transports, clock and chance; makes no other effect.
 */
import type { Failed, FailureCause } from '../lookup.js'
import type { DomainName } from '../name.js'
import { readHead } from './frame.js'
import { parseMessage } from './message.js'
import type { Message } from './message.js'
import { answersQuestion, composeQuery, spell } from './query.js'
import type { Question } from './query.js'
import type { Exchange, Transport } from './transport.js'

export type Asking = {
  readonly name: DomainName | '.'
  readonly type: Question['type']
  /** Ask for what is bogus too: for diagnosis alone. */
  readonly isUnchecked?: boolean
}

/** @param deadline milliseconds since the epoch */
export type Ask = (asking: Asking, deadline: number) => Promise<Message | Failed>

export type AskParts = {
  /** How messages name the server. */
  readonly server: string
  /** Undefined: nothing may go outside the stream. */
  readonly udp: Transport | undefined
  readonly stream: Transport
  /** Whether letters go out in mixed case: where forgeries could come from outside. */
  readonly isCaseMixed: boolean
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** That many octets, unpredictable. */
  readonly entropy: (octets: number) => Buffer
}

/** A question with the letters that all its attempts have. */
type Spelled = Omit<Question, 'id' | 'isPadded'>

export function createAsk(parts: AskParts): Ask {
  const { server, udp, stream, isCaseMixed, now, entropy } = parts

  async function overStream(asking: Spelled, deadline: number): Promise<Message | Failed> {
    const left = deadline - now()
    // Others are on that connection: nothing is put there that nobody will wait for.
    if (left <= 0) return failed('timeout', `no time left to ask ${server}`)
    const { query, isReply } = prepare(asking, udp === undefined)
    const message = read(await stream(query, isReply, left))
    if ('kind' in message || !message.truncated) return message
    return failed('malformed', `truncated reply over TCP from ${server}`)
  }

  function spelled({ name, type, isUnchecked = false }: Asking): Spelled {
    const isAsItIs = name === '.' || !isCaseMixed
    return { spelling: isAsItIs ? name : spell(name, entropy(SPELLING_OCTETS)), type, isUnchecked }
  }

  function prepare(
    asking: Spelled,
    isPadded: boolean,
  ): { query: Buffer; isReply: (bytes: Buffer) => boolean } {
    const question = { id: entropy(2).readUInt16BE(0), isPadded, ...asking }
    return {
      query: composeQuery(question),
      isReply: (bytes) => answersQuestion(bytes, question),
    }
  }

  function read(exchange: Exchange): Message | Failed {
    switch (exchange.kind) {
      case 'reply':
        return (
          parseMessage(exchange.bytes) ?? failed('malformed', `unreadable reply from ${server}`)
        )
      case 'timeout': {
        const { strays } = exchange
        const heard = strays > 0 ? `, but ${strays} that answered something else` : ''
        return failed('timeout', `no reply from ${server}${heard}`)
      }
      case 'network':
        return failed('network', `${server}: ${exchange.detail}`)
    }
  }

  return async (asking, deadline) => {
    const question = spelled(asking)
    if (udp === undefined) return overStream(question, deadline)
    const total = deadline - now()
    let last: Failed = failed('timeout', `no reply from ${server}`)
    for (const share of ATTEMPTS) {
      const timeoutMs = Math.min(deadline - now(), share * total)
      if (timeoutMs <= 0) break
      const { query, isReply } = prepare(question, false)
      const exchange = await udp(query, isReply, timeoutMs)
      // RFC 2181 §9: what TC cut off is not read, and not used for lack of better.
      if (exchange.kind === 'reply' && readHead(exchange.bytes)?.truncated) {
        return overStream(question, deadline)
      }
      const message = read(exchange)
      if (!('kind' in message)) return message
      last = message
      // A server that is not there, or answers with garbage, will do so again.
      if (message.cause !== 'timeout') break
    }
    return last
  }
}

/** A question that has no answer, for a reason that no message gave. */
export function failed(cause: FailureCause, detail: string): Failed {
  return { kind: 'failed', cause, detail, extendedErrors: [] }
}

/**
 * Shares of the time left for the datagrams of one question. The first is short for
 * a lost datagram, the last long for a resolver that is still at work.
 */
const ATTEMPTS = [0.2, 0.3, 0.5] as const

/** A bit for each of 255 characters. */
const SPELLING_OCTETS = 32
