/**
 * Sends each question of the validator once at a time, for all lookups that need it.
 *
 * Lookups that run side by side need the same DS and DNSKEY RRsets. Nothing is kept here
 * once a reply has arrived: answers are remembered elsewhere, after validation. Never
 * rejects, so that a question sent ahead, for which no lookup waits any more, cannot end the
 * process.
 */
import type { Failed } from '../lookup.js'
import type { AskSigned, SignedQuestion, SignedReply } from '../signed-message.js'
import { errorText } from '../text.js'
import { questionText } from './scene.js'

export type Questions = AskSigned

/** @param now milliseconds since the epoch */
export function createQuestions(ask: AskSigned, now: () => number): Questions {
  const inFlight = new Map<string, Promise<SignedReply | Failed>>()

  async function askOnce(
    question: SignedQuestion,
    deadline: number,
  ): Promise<SignedReply | Failed> {
    try {
      return await ask(question, deadline)
    } catch (error) {
      return failed('network', `${questionText(question)}: ${errorText(error)}`)
    } finally {
      inFlight.delete(questionKey(question))
    }
  }

  return async (question, deadline) => {
    const key = questionKey(question)
    const before = inFlight.get(key)
    if (before !== undefined) {
      const reply = await before
      // The other lookup had less time left than this one.
      if (reply.kind === 'reply' || reply.cause !== 'timeout') return reply
    }
    if (now() >= deadline) return failed('timeout', `no time left for ${questionText(question)}`)
    const again = inFlight.get(key)
    if (again !== undefined) return again
    const asking = askOnce(question, deadline)
    inFlight.set(key, asking)
    return asking
  }
}

export function questionKey({ name, type }: SignedQuestion): string {
  return `${type} ${name}`
}

function failed(cause: 'network' | 'timeout', detail: string): Failed {
  return { kind: 'failed', cause, detail, extendedErrors: [] }
}
