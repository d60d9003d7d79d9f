/**
 * What does one recursive resolver answer?
 *
 * A stub in RFC 4033's sense: it asks a validating resolver and believes its AD bit
 * where the way there is trusted (trust.ts). Aliases that a reply leaves open are
 * asked on for (RFC 7672 §2.1.3). A SERVFAIL that gives no reason is asked for once
 * more without validation, to tell a bogus zone from a broken server: what comes back
 * then names the failure and is never data.
 *
 * All of one lookup ends by its deadline. Given a way to ask, and the clock.
 */
import { MAX_ALIASES } from '../lookup.js'
import type { Failed, Lookup, LookupObserver, RecordType } from '../lookup.js'
import type { DomainName } from '../name.js'
import { NOERROR, NXDOMAIN, readAnswer } from './answer.js'
import type { Incomplete } from './answer.js'
import { failed } from './ask.js'
import type { Ask } from './ask.js'

export type Stub = {
  /** How messages name the server. */
  readonly server: string
  /**
   * Never rejects for what the network does: that is a `Failed`.
   *
   * @param deadline milliseconds since the epoch
   */
  readonly lookup: (name: DomainName, type: RecordType, deadline: number) => Promise<Lookup>
}

export type StubParts = {
  readonly server: string
  readonly ask: Ask
  /** Whether its AD bit may be believed. */
  readonly isTrusted: boolean
  /** Milliseconds since the epoch. */
  readonly now: () => number
  readonly observe: LookupObserver
}

export function createStub({ server, ask, isTrusted, now, observe }: StubParts): Stub {
  async function resolve(name: DomainName, type: RecordType, deadline: number): Promise<Lookup> {
    const chain: Incomplete[] = []
    for (let asked = name; ;) {
      const message = await ask({ name: asked, type }, deadline)
      if ('kind' in message) return message
      const answer = readAnswer(message, asked, type, isTrusted, now())
      if (answer.kind === 'failed') return diagnose(answer, asked, type, deadline)
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

  /** Bogus or broken? An extended error has said so already (RFC 8914), if there is one. */
  async function diagnose(
    failure: Failed,
    name: DomainName,
    type: RecordType,
    deadline: number,
  ): Promise<Failed> {
    const isExplained = failure.extendedErrors.some(({ code }) => code !== OTHER_ERROR)
    if (failure.cause !== 'servfail' || isExplained) return failure
    const message = await ask({ name, type, isUnchecked: true }, deadline)
    // The reply was withheld for what validation found: whatever it holds, it is not looked at.
    if ('kind' in message || (message.rcode !== NOERROR && message.rcode !== NXDOMAIN)) {
      return failure
    }
    const detail = `${failure.detail}, though there is an answer without validation`
    return { ...failure, cause: 'bogus', detail }
  }

  return {
    server,
    async lookup(name, type, deadline) {
      observe({ kind: 'query', name, type, server })
      const askedAt = now()
      const lookup = await resolve(name, type, deadline)
      observe({ kind: 'response', name, type, server, lookup, milliseconds: now() - askedAt })
      return lookup
    },
  }
}

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

/** RFC 8914 §4.1: an error that is no more than that. */
const OTHER_ERROR = 0
