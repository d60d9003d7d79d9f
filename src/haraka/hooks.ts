/**
 * Answers the hooks send_email and get_mx for every message.
 *
 * At send_email the methods through which Haraka routes, delivers and settles the hmail
 * are replaced on this one object (hmail-overrides.ts); no module of Haraka is changed.
 * At get_mx the attempt decides. Other plugins can overrule Haraka's return codes; what
 * counts is the decision that the overridden hmail keeps.
 */
import { errorText } from '../text.js'
import type { Attempt, Environment } from './attempt/attempt.js'
import type { Decision } from './attempt/decision.js'
import { senderText } from './attempt/dsn.js'
import { createAuditor } from './audit/audit.js'
import type { Hmail, Next } from './host.js'
import { logFault } from './log/mail-log.js'
import { OverriddenHmail } from './hmail-overrides.js'

export type Overrides = {
  /** For the send_email hook: begins a new attempt. Throws if the hmail cannot be overridden. */
  readonly begin: (hmail: Hmail) => unknown
  /** The get_mx hook. Answers `next` once, whatever happens. */
  readonly answerGetMx: (next: Next, hmail: Hmail) => void
}

export function createOverrides(env: Environment): Overrides {
  const overridden = new WeakMap<Hmail, OverriddenHmail>()
  const auditorOf = createAuditor(env)

  function prepare(hmail: Hmail): OverriddenHmail {
    const known = overridden.get(hmail)
    if (known) {
      known.begin()
      return known
    }
    const made = new OverriddenHmail(env, hmail, auditorOf)
    overridden.set(hmail, made)
    return made
  }

  function begin(hmail: Hmail): void {
    const { stage } = prepare(hmail)
    if (stage.kind === 'unprepared') throw new Error(stage.fault)
  }

  function answerGetMx(next: Next, hmail: Hmail): void {
    // If another plugin answered send_email first, our hook did not begin this attempt.
    const message = overridden.get(hmail) ?? prepare(hmail)
    message.renew()
    if (!message.isFresh) {
      // Decided or settled already: Haraka's answer to this question changes nothing.
      next(env.codes.denysoft)
      return
    }
    const stage = message.ask()
    if (stage.kind === 'unprepared') {
      const text = `message not delivered at this attempt, which could not be prepared: ${stage.fault}`
      logFault(env.plugin, hmail, 'logcrit', text)
      next(env.codes.denysoft)
      return
    }
    const { attempt } = stage
    if (attempt.isUntouched) {
      message.lookUpForAudit()
      next()
      return
    }
    decide(attempt)
      .then((decision) => {
        message.decided(attempt, decision)
        next(codeOf(env, decision), textOf(decision))
      })
      .catch((error: unknown) => {
        attempt.withhold(error)
      })
  }

  return { begin, answerGetMx }
}

async function decide(attempt: Attempt): Promise<Decision> {
  try {
    return await attempt.decide()
  } catch (error) {
    const host = attempt.destination.text
    const detail = errorText(error)
    return { kind: 'defer', refusal: { reason: 'internal-error', host, detail }, refusals: [] }
  }
}

function codeOf({ codes }: Environment, { kind }: Decision): number {
  switch (kind) {
    case 'deliver':
      return codes.ok
    case 'defer':
      return codes.denysoft
    case 'return':
      return codes.deny
  }
}

function textOf(decision: Decision): unknown {
  return decision.kind === 'deliver'
    ? decision.candidates.map(({ mx }) => mx)
    : senderText(decision.refusal)
}
