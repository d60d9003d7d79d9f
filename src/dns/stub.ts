/**
 * Looks up names at one recursive resolver.
 *
 * A stub in the sense of RFC 4033: it queries a validating resolver and believes its AD
 * bit where the channel is trusted (server-address.ts). An alias whose target is not in
 * the reply is followed by another query (RFC 7672 §2.1.3). An unexplained SERVFAIL is
 * repeated without validation, to separate a bogus zone from a broken server: that reply only
 * names the failure and is never data.
 *
 * A lookup ends by its deadline. The query function and the clock are passed in.
 */
import { MAX_ALIASES } from '../lookup.js'
import type { Fact, Failed, Lookup, LookupObserver, RecordType } from '../lookup.js'
import type { DomainName } from '../name.js'
import { NOERROR, NXDOMAIN } from '../rcode.js'
import { readAnswer } from './answer.js'
import type { Incomplete } from './answer.js'
import { failed } from './ask.js'
import type { Ask } from './ask.js'

export type Stub = {
  /** The server's name in messages. */
  readonly server: string
  /**
   * Never rejects for what the network does: that is a `Failed`.
   *
   * @param deadline milliseconds since the epoch
   */
  readonly lookup: <T extends RecordType>(
    name: DomainName,
    type: T,
    deadline: number,
  ) => Promise<Lookup<T>>
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
  async function resolve<T extends RecordType>(
    name: DomainName,
    type: T,
    deadline: number,
  ): Promise<Lookup<T>> {
    const chain: Incomplete[] = []
    for (let asked = name; ;) {
      const message = await ask({ name: asked, type }, deadline)
      if (message.kind === 'failed') return message
      const answer = readAnswer(message, asked, type, isTrusted, now())
      if (answer.kind === 'failed') return diagnose(answer, asked, type, deadline)
      if (answer.kind !== 'incomplete') return joined(chain, answer)
      // RFC 7672 §2.1.3: continue at the target, up to a limit.
      chain.push(answer)
      asked = answer.canonicalName
      const seen = chain.flatMap((part) => part.aliases)
      if (seen.length > MAX_ALIASES || seen.includes(asked)) {
        return failed('alias-loop', `aliases of ${name}`)
      }
    }
  }

  /** Bogus or broken? Not needed if an extended error explains the failure (RFC 8914). */
  async function diagnose(
    failure: Failed,
    name: DomainName,
    type: RecordType,
    deadline: number,
  ): Promise<Failed> {
    const isExplained = failure.extendedErrors.some(({ code }) => code !== OTHER_ERROR)
    if (failure.cause !== 'servfail' || isExplained) return failure
    const message = await ask({ name, type, isUnchecked: true }, deadline)
    // Validation withheld this reply, so its contents are ignored.
    if (message.kind === 'failed' || (message.rcode !== NOERROR && message.rcode !== NXDOMAIN)) {
      return failure
    }
    const detail = `${failure.detail}, though there is an answer without validation`
    return { ...failure, cause: 'bogus', detail }
  }

  return { server, lookup: observed({ server, now, observe }, resolve) }
}

/** The same, reported to an observer. */
export function observed(
  { server, now, observe }: Pick<StubParts, 'server' | 'now' | 'observe'>,
  look: Stub['lookup'],
): Stub['lookup'] {
  return async (name, type, deadline) => {
    observe({ kind: 'query', name, type, server })
    const askedAt = now()
    const lookup = await look(name, type, deadline)
    observe({ kind: 'response', name, type, server, lookup, milliseconds: now() - askedAt })
    return lookup
  }
}

/** The answer at the end of an alias chain that took several messages. */
function joined<T extends RecordType>(chain: readonly Incomplete[], answer: Fact<T>): Fact<T> {
  // RFC 7672 §2.1.3: one insecure alias makes everything after it insecure.
  const isInsecure = chain.some((part) => part.security === 'insecure')
  // The first alias is in the first message, by a DNAME or not.
  const { dname } = chain[0] ?? answer
  const { dname: _, ...rest } = answer
  return {
    ...rest,
    ...(dname !== undefined && { dname }),
    security: isInsecure ? 'insecure' : answer.security,
    aliases: [...chain.flatMap((part) => part.aliases), ...answer.aliases],
    expiresAt: Math.min(answer.expiresAt, ...chain.map((part) => part.expiresAt)),
    ...(chain.some(({ isStale }) => isStale) && { isStale: true }),
  }
}

/** RFC 8914 §4.1: explains nothing. */
const OTHER_ERROR = 0
