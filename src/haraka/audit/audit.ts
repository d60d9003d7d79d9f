/**
 * Reports what DANE would have done with a message under `policy = audit`.
 *
 * Lookups and verification run while Haraka delivers as if the plugin were not installed:
 * it does not wait for lookups, no hook is answered, and nothing is changed on a
 * connection. When Haraka is done with the message, one `forecast` says what each enforced
 * policy would have done.
 *
 * Promises: mail flows as without the plugin, whatever fails in here. Bounded:
 * certificates are judged one by one, within what an attempt may cost (budget.ts); while
 * `MAX_IN_FLIGHT` messages wait for their lookups, further messages are not judged, which
 * is reported.
 */
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Refusal } from '../../mail-event.js'
import type { HostPolicy } from '../../plan.js'
import { errorText } from '../../text.js'
import type { Attempt, Environment } from '../attempt/attempt.js'
import type { Decision } from '../attempt/decision.js'
import { observeSession } from '../connection/observe-session.js'
import type { Evidence } from '../connection/observe-session.js'
import { endOpen, watchSessionEnd } from '../connection/session-end.js'
import type { SessionEnd } from '../connection/session-end.js'
import type { Mx, Socket } from '../host.js'
import { logFault } from '../log/mail-log.js'
import { resultOf } from './address-result.js'
import type { AddressResult } from './address-result.js'
import { decisionsByName, decisionsByRoute } from './both-decisions.js'
import type { BothDecisions } from './both-decisions.js'
import { candidateFor, forecast } from './forecast.js'
import type { Tried } from './forecast.js'

/** Observes one attempt. Nothing in here throws. */
export type Audit = {
  /** Haraka is about to look the domain up. */
  readonly lookUp: () => void
  /** Another plugin chose the hosts. */
  readonly routed: (mxs: () => readonly Mx[]) => void
  /** Haraka tries this entry of its list next; undefined: none is left. */
  readonly trying: (mx: Mx | undefined) => void
  /** Haraka has connected to it. Must be called before Haraka sets its own listeners. */
  readonly connected: (socket: Socket) => void
  /** The message is delivered, deferred or returned. */
  readonly over: () => void
}

export function createAuditor(env: Environment): (attempt: Attempt) => Audit {
  const lookups = { inFlight: 0 }
  return (attempt) => new AuditedAttempt(env, attempt, lookups)
}

type State =
  /** No lookup has been started. */
  | { readonly kind: 'waiting' }
  /** `decisions` is undefined where they cannot be known; then a line has said so. */
  | { readonly kind: 'deciding'; readonly decisions: Promise<BothDecisions | undefined> }
  | { readonly kind: 'over' }

class AuditedAttempt implements Audit {
  private state: State = { kind: 'waiting' }
  /** What Haraka has tried so far, in this order. */
  private readonly tried: {
    readonly mx: Mx
    evidence: (() => Evidence) | undefined
    session: SessionEnd | undefined
  }[] = []
  private isExhausted = false
  private readonly env: Environment
  private readonly attempt: Attempt
  /** Shared by all messages. */
  private readonly lookups: { inFlight: number }

  constructor(env: Environment, attempt: Attempt, lookups: { inFlight: number }) {
    this.env = env
    this.attempt = attempt
    this.lookups = lookups
  }

  lookUp(): void {
    this.begin(() => decisionsByName(this.attempt))
  }

  routed(mxs: () => readonly Mx[]): void {
    this.begin(() => decisionsByRoute(this.attempt, mxs()))
  }

  trying(mx: Mx | undefined): void {
    if (mx) this.tried.push({ mx: { ...mx }, evidence: undefined, session: undefined })
    else this.isExhausted = true
  }

  connected(socket: Socket): void {
    const last = this.tried.at(-1)
    if (last === undefined) return
    try {
      const host = last.mx.from_dns ?? last.mx.exchange ?? ''
      const session = watchSessionEnd(this.env, this.attempt, socket, host)
      last.session = session
      last.evidence = observeSession(
        socket,
        session && { onGreeting: session.greeted, onEvidence: session.noteTime },
      )
    } catch (error) {
      this.fault(error)
    }
  }

  over(): void {
    const { state } = this
    this.state = { kind: 'over' }
    if (state.kind !== 'deciding') return
    this.conclude(state.decisions).catch((error: unknown) => {
      this.fault(error)
    })
  }

  /** Starts the lookups in the background, unless too many are in flight. */
  private begin(decide: () => Promise<BothDecisions>): void {
    if (this.state.kind !== 'waiting') return
    this.state = { kind: 'deciding', decisions: this.inBackground(decide) }
  }

  /** Never rejects. */
  private async inBackground(
    decide: () => Promise<BothDecisions>,
  ): Promise<BothDecisions | undefined> {
    const { lookups } = this
    if (lookups.inFlight >= MAX_IN_FLIGHT) {
      this.unjudged(`the lookups of ${MAX_IN_FLIGHT} other messages are in flight`)
      return undefined
    }
    lookups.inFlight++
    try {
      return await decide()
    } catch (error) {
      this.fault(error)
      return undefined
    } finally {
      lookups.inFlight--
    }
  }

  private unjudged(detail: string): void {
    this.attempt.report({
      kind: 'unjudged',
      destination: this.attempt.destination.text,
      detail,
    })
  }

  private async conclude(decisions: Promise<BothDecisions | undefined>): Promise<void> {
    const known = await decisions
    if (known === undefined) return
    const relaxed = await this.judged(known.opportunistic, true)
    const strict = await this.judged(known.mandatory, false)
    this.attempt.report({
      kind: 'forecast',
      destination: this.attempt.destination.text,
      opportunistic: forecast(known.opportunistic, relaxed, this.isExhausted),
      mandatory: forecast(known.mandatory, strict, this.isExhausted),
      refusals: [...refusalsOf(known.opportunistic), ...relaxed.flatMap(refusedAt)],
    })
  }

  /**
   * One verdict in each turn of the event loop: there may be many, and each takes time. */
  private async judged(
    decision: Decision | undefined,
    isCounted: boolean,
  ): Promise<readonly Tried[]> {
    const all: Tried[] = []
    for (const { mx, evidence, session } of this.tried) {
      await nextTurn()
      const candidate = decision && candidateFor(decision, mx)
      let policy: HostPolicy | undefined = candidate?.demand?.policy
      const shown = evidence?.()
      const result = await resultOf(this.env, this.attempt, candidate, shown, (current) => {
        policy = current
      })
      if (isCounted && session) endJudged(session, policy, shown, result)
      all.push({ candidate, result })
    }
    return all
  }

  private fault(error: unknown): void {
    const text = `audit: unexpected error, mail is not affected: ${errorText(error)}`
    logFault(this.env.plugin, this.attempt.hmail, 'logerror', text)
  }
}

function refusalsOf(decision: Decision | undefined): readonly Refusal[] {
  return decision?.kind === 'deliver' || decision?.kind === 'defer' ? decision.refusals : []
}

function refusedAt({ result }: Tried): readonly Refusal[] {
  return result.kind === 'refused' ? [result.refusal] : []
}

/** For TLS reports: what the host showed is counted, whatever became of the message. */
function endJudged(
  session: SessionEnd,
  policy: HostPolicy | undefined,
  evidence: Evidence | undefined,
  result: AddressResult,
): void {
  switch (result.kind) {
    case 'verified':
      session.ended(policy, undefined)
      return
    case 'encrypted':
      session.ended(policy, 'tlsa-unusable')
      return
    case 'refused':
      session.ended(policy, result.refusal.reason)
      return
    case 'open':
      if (evidence) endOpen(session, evidence)
      return
    case 'unknown':
    case 'no-connection':
      return
  }
}

/** Messages whose lookups are in flight at the same time; each holds little but itself. */
const MAX_IN_FLIGHT = 1_000
