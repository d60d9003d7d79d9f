/**
 * Does this resolver serve answers that have expired (RFC 8767)?
 *
 * Asks for several names and then, when the one with the shortest life has expired, for
 * that name again. The second answer is stale if an extended error says so (RFC 8914
 * §4.4, §4.20). Finds nothing where every answer lives for longer than the check may
 * wait, or where the resolver does not say that an answer is stale: a hint for a person.
 *
 * The way to ask, clock and timer are passed in. Never rejects for what the network does.
 */
import type { RecordType } from '../lookup.js'
import type { DomainName } from '../name.js'
import { readAnswer } from './answer.js'
import type { Ask } from './ask.js'

export type StaleParts = {
  readonly ask: Ask
  /** Milliseconds since the epoch. */
  readonly now: () => number
  readonly pause: (milliseconds: number) => Promise<unknown>
}

/**
 * The question whose answer was stale; undefined if none was seen.
 *
 * @param timeoutMs for one question
 */
export type FindStale = (
  names: readonly DomainName[],
  timeoutMs: number,
) => Promise<{ readonly name: DomainName; readonly type: RecordType } | undefined>

export function createStaleFinder({ ask, now, pause }: StaleParts): FindStale {
  return async (names, timeoutMs) => {
    const look = async (name: DomainName, type: RecordType) => {
      const message = await ask({ name, type }, now() + timeoutMs)
      if (message.kind === 'failed') return []
      const at = now()
      const answer = readAnswer(message, name, type, true, at)
      const leftMs = answer.kind === 'failed' ? Infinity : answer.expiresAt - at
      return [{ name, type, isStale: message.isStale, leftMs }]
    }
    const questions = names
      .slice(0, MAX_NAMES)
      .flatMap((name) => TYPES.map((type) => look(name, type)))
    const answers = (await Promise.all(questions)).flat()
    const stale = answers.find(({ isStale }) => isStale)
    if (stale) return stale
    const [shortest] = answers.toSorted((a, b) => a.leftMs - b.leftMs)
    if (shortest === undefined || shortest.leftMs > MAX_WAIT_MS) return undefined
    // A TTL counts whole seconds.
    await pause(shortest.leftMs + 1_500)
    const again = await look(shortest.name, shortest.type)
    return again.find(({ isStale }) => isStale)
  }
}

/** What a delivery asks for first. */
const TYPES = ['MX', 'A'] as const satisfies readonly RecordType[]
/** Few enough not to load anybody, many enough that some may have expired. */
const MAX_NAMES = 16
/** Milliseconds that a check waits at most. */
const MAX_WAIT_MS = 5_000
