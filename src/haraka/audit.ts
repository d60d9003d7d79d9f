/**
 * What would DANE have done with this message?
 *
 * Under `policy = audit` everything is looked up and judged while Haraka delivers as
 * if the plugin were not there: no wait for lookups, no word to any hook, no octet on a
 * connection. When Haraka is done with the message, one `forecast` says what each of
 * the policies that are enforced would have made of it.
 *
 * Promises: mail flows as without the plugin, whatever goes wrong in here. Bounded:
 * beyond `MAX_UNDERWAY` messages that wait for lookups at the same time the others go
 * unjudged, and that is told.
 */
import { redecide } from '../discover/discover.js'
import type { Refusal } from '../mail-event.js'
import type { EnforcedPolicy } from '../policy.js'
import { errorText } from '../text.js'
import type { Attempt, Environment } from './attempt.js'
import { decideByDiscovery, decideWithoutName, discoverInTime } from './delivery.js'
import type { Candidate, Decision } from './delivery.js'
import { candidateFor, forecast } from './forecast.js'
import type { Standing, Tried } from './forecast.js'
import type { Hmail, Mx, Socket } from './host.js'
import { logFault } from './log.js'
import { decideByRoute } from './routes.js'
import { judgeTwice } from './gatekeeper.js'
import { watchSession } from './session-watch.js'
import type { Evidence } from './session-watch.js'

/** Watches one attempt. Nothing in here throws. */
export type Audit = {
  /** Haraka is about to look the domain up. */
  readonly lookUp: () => void
  /** Another plugin chose the hosts. */
  readonly routed: (mxs: () => readonly Mx[]) => void
  /** Haraka turns to this entry of its list; undefined: none is left. */
  readonly trying: (mx: Mx | undefined) => void
  /** It has a connection there. To be called before Haraka's own listeners are set. */
  readonly connected: (socket: Socket) => void
  /** The message is delivered, waits or is returned. */
  readonly over: () => void
}

/** What each policy would decide; undefined: it leaves the message alone. */
type Decisions = Readonly<Record<EnforcedPolicy, Decision | undefined>>

export function createAuditor(env: Environment): (hmail: Hmail, attempt: Attempt) => Audit {
  let underway = 0

  return (hmail, attempt) => {
    let decisions: Promise<Decisions | undefined> | undefined
    const tried: { readonly mx: Mx; evidence: (() => Evidence) | undefined }[] = []
    let isExhausted = false
    let isOver = false

    const fault = (error: unknown): undefined => {
      const text = `audit: unexpected error, mail flows on: ${errorText(error)}`
      logFault(env.plugin, hmail, 'logerror', text)
    }

    /** Mail goes on whatever happens in `action`. */
    function harmless(action: () => void): void {
      try {
        action()
      } catch (error) {
        fault(error)
      }
    }

    /** Finds out beside the mail, unless too much is being found out already. */
    function begin(work: () => Promise<Decisions>): void {
      if (decisions !== undefined) return
      if (underway >= MAX_UNDERWAY) {
        decisions = Promise.resolve(undefined)
        const detail = `the lookups of ${MAX_UNDERWAY} other messages are underway`
        env.report(hmail, { kind: 'unjudged', destination: attempt.destination.text, detail })
        return
      }
      underway++
      decisions = work()
        .catch(fault)
        .finally(() => underway--)
    }

    async function byName(): Promise<Decisions> {
      const { destination, parts } = attempt
      if (destination.kind !== 'domain') {
        const decision = decideWithoutName(destination)
        const opportunistic = destination.kind === 'literal' ? undefined : decision
        return { opportunistic, mandatory: decision }
      }
      const { insecureMx, port } = parts.settings
      const found = await discoverInTime(parts, destination.name, 'opportunistic')
      const strict =
        found.kind === 'plan' ? redecide(found, { policy: 'mandatory', insecureMx, port }) : found
      if (found.kind === 'plan') env.report(hmail, { kind: 'plan', policy: 'audit', plan: found })
      return {
        opportunistic: decideByDiscovery(parts, found, destination.text),
        mandatory: decideByDiscovery(parts, strict, destination.text),
      }
    }

    async function byRoute(mxs: readonly Mx[]): Promise<Decisions> {
      const { destination, parts } = attempt
      const host = destination.text
      switch (parts.settings.routes) {
        case 'skip':
          return { opportunistic: undefined, mandatory: undefined }
        case 'defer': {
          const decision = attempt.deferredRoute()
          return { opportunistic: decision, mandatory: decision }
        }
        case 'dane':
          return {
            opportunistic: await decideByRoute(parts, 'opportunistic', mxs, host),
            mandatory: await decideByRoute(parts, 'mandatory', mxs, host),
          }
      }
    }

    /** What the address was worth, judged as the gate would have. */
    async function standingOf(
      candidate: Candidate | undefined,
      evidence: Evidence | undefined,
    ): Promise<Standing> {
      if (evidence === undefined || candidate === undefined) return { kind: 'no-connection' }
      const { gate, host } = candidate
      if (gate === undefined) return { kind: 'open' }
      switch (evidence.kind) {
        case 'not-asked':
          return { kind: 'unsure', detail: `${host}: ${evidence.detail}` }
        case 'broken':
          return { kind: 'refused', refusal: { ...evidence, host } }
        case 'shown': {
          const verdict = await judgeTwice(env, attempt, gate, evidence.chain)
          if (verdict.kind === 'authenticated') return { kind: 'verified' }
          if (verdict.kind === 'encrypted') return { kind: 'encrypted' }
          const { tlsaBase } = gate.policy
          if (evidence.serverName !== tlsaBase) {
            const detail = `${host}: DANE would have asked for the certificate of ${tlsaBase}`
            return { kind: 'unsure', detail }
          }
          const { reason, detail } = verdict
          return { kind: 'refused', refusal: { reason, host, detail } }
        }
      }
    }

    async function conclude(): Promise<void> {
      const known = await decisions
      if (known === undefined) return
      const judged = (decision: Decision | undefined): Promise<readonly Tried[]> =>
        Promise.all(
          tried.map(async ({ mx, evidence }) => {
            const candidate = decision && candidateFor(decision, mx)
            return { candidate, standing: await standingOf(candidate, evidence?.()) }
          }),
        )
      const relaxed = await judged(known.opportunistic)
      const strict = await judged(known.mandatory)
      env.report(hmail, {
        kind: 'forecast',
        destination: attempt.destination.text,
        opportunistic: forecast(known.opportunistic, relaxed, isExhausted),
        mandatory: forecast(known.mandatory, strict, isExhausted),
        refusals: [...refusalsOf(known.opportunistic), ...relaxed.flatMap(refusedAt)],
      })
    }

    return {
      lookUp() {
        harmless(() => {
          begin(byName)
        })
      },
      routed(mxs) {
        harmless(() => {
          begin(() => byRoute(mxs()))
        })
      },
      trying(mx) {
        if (mx) tried.push({ mx: { ...mx }, evidence: undefined })
        else isExhausted = true
      },
      connected(socket) {
        harmless(() => {
          const last = tried.at(-1)
          if (last) last.evidence = watchSession(socket)
        })
      },
      over() {
        if (isOver) return
        isOver = true
        conclude().catch(fault)
      },
    }
  }
}

function refusalsOf(decision: Decision | undefined): readonly Refusal[] {
  return decision?.kind === 'deliver' || decision?.kind === 'defer' ? decision.refusals : []
}

function refusedAt({ standing }: Tried): readonly Refusal[] {
  return standing.kind === 'refused' ? [standing.refusal] : []
}

/** Messages whose lookups are underway at the same time; each holds little but itself. */
const MAX_UNDERWAY = 1_000
