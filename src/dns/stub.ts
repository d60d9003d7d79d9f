/**
 * What does one recursive resolver answer?
 *
 * A stub in RFC 4033's sense: it asks a validating resolver and believes its AD bit
 * where the way there is trusted (trust.ts). UDP first, again after a while, TCP
 * where the reply was cut off (RFC 7766 §5), and never the cut-off part. All of one
 * lookup, with the aliases that a reply leaves open, fits in `timeoutMs`.
 *
 * Given transports, clock and chance; makes no other effect.
 */
import type {
  Failed,
  FailureCause,
  Lookup,
  LookupObserver,
  RecordType,
  Resolver,
} from '../lookup.js'
import type { DomainName } from '../name.js'
import { MAX_ALIASES, readAnswer } from './answer.js'
import type { Incomplete } from './answer.js'
import { readHead } from './frame.js'
import { answersQuestion, composeQuery, parseMessage } from './message.js'
import type { Message } from './message.js'
import type { Exchange, Transport } from './transport.js'
import { isTrustedChannel } from './trust.js'
import { serverText } from '../server-address.js'
import type { ServerAddress } from '../server-address.js'

export type StubParts = {
  readonly server: ServerAddress
  /** For one lookup, all attempts together. */
  readonly timeoutMs: number
  readonly udp: Transport
  readonly tcp: Transport
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** 0 to 65535, unpredictable (RFC 5452 §9.2). */
  readonly randomId: () => number
  readonly observe: LookupObserver
}

export function createStub(parts: StubParts): Resolver {
  const isTrusted = isTrustedChannel(parts.server)
  const server = serverText(parts.server)

  async function lookup(name: DomainName, type: RecordType): Promise<Lookup> {
    parts.observe({ kind: 'query', name, type, server })
    const answer = await resolve(name, type)
    parts.observe({ kind: 'response', name, type, server, lookup: answer })
    return answer
  }

  async function resolve(name: DomainName, type: RecordType): Promise<Lookup> {
    const deadline = parts.now() + parts.timeoutMs
    const chain: Incomplete[] = []
    for (let asked = name; ;) {
      const message = await ask(asked, type, deadline)
      if ('kind' in message) return message
      const answer = readAnswer(message, asked, type, isTrusted, parts.now())
      if (answer.kind === 'failed') return answer
      if (answer.kind !== 'incomplete') return joined(chain, answer)
      // RFC 7672 §2.1.3: go on at the target, up to a limit.
      chain.push(answer)
      asked = answer.canonicalName
      const seen = chain.flatMap((part) => part.aliases)
      if (seen.length > MAX_ALIASES || seen.includes(asked)) {
        return failed('alias-loop', `aliases of ${name}`)
      }
    }
  }

  /** One question, asked until there is a whole reply or no time left. */
  async function ask(
    name: DomainName,
    type: RecordType,
    deadline: number,
  ): Promise<Message | Failed> {
    let last: Failed = failed('timeout', `no reply from ${server}`)
    for (const share of ATTEMPTS) {
      const left = deadline - parts.now()
      const timeoutMs = Math.min(left, share * parts.timeoutMs)
      if (timeoutMs <= 0) break
      // A new id for each attempt, as the transport takes a new port (RFC 5452 §9.2).
      const question = { id: parts.randomId(), name, type }
      const query = composeQuery(question)
      const isReply = (bytes: Buffer): boolean => answersQuestion(bytes, question)
      const exchange = await parts.udp(parts.server, query, isReply, timeoutMs)
      // RFC 2181 §9: what TC cut off is not read, and not used for lack of better.
      if (exchange.kind === 'reply' && readHead(exchange.bytes)?.truncated) {
        const left = Math.max(1, deadline - parts.now())
        const overTcp = read(await parts.tcp(parts.server, query, isReply, left))
        if ('kind' in overTcp || !overTcp.truncated) return overTcp
        return failed('malformed', `truncated reply over TCP from ${server}`)
      }
      const overUdp = read(exchange)
      if (!('kind' in overUdp)) return overUdp
      last = overUdp
      // A server that is not there, or answers with garbage, will do so again.
      if (overUdp.cause !== 'timeout') break
    }
    return last
  }

  function read(exchange: Exchange): Message | Failed {
    switch (exchange.kind) {
      case 'reply':
        return (
          parseMessage(exchange.bytes) ?? failed('malformed', `unreadable reply from ${server}`)
        )
      case 'timeout':
        return failed('timeout', `no reply from ${server}`)
      case 'network':
        return failed('network', `${server}: ${exchange.detail}`)
    }
  }

  return { lookup }
}

/**
 * Shares of the timeout for the datagrams of one question. The first is short for
 * a lost datagram, the last long for a resolver that is still at work.
 */
const ATTEMPTS = [0.2, 0.3, 0.5] as const

/** The answer at the end of a chain that came in several messages. */
function joined(chain: readonly Incomplete[], answer: Exclude<Lookup, Failed>): Lookup {
  // RFC 7672 §2.1.3: one insecure alias makes everything after it insecure.
  const isInsecure = chain.some((part) => part.security === 'insecure')
  return {
    ...answer,
    security: isInsecure ? 'insecure' : answer.security,
    aliases: [...chain.flatMap((part) => part.aliases), ...answer.aliases],
    expiresAt: Math.min(answer.expiresAt, ...chain.map((part) => part.expiresAt)),
  }
}

function failed(cause: FailureCause, detail: string): Failed {
  return { kind: 'failed', cause, detail, extendedErrors: [] }
}
