/**
 * How do decisions take hold of an hmail?
 *
 * An armed hmail has own properties in the place of the methods through which
 * Haraka routes and delivers it. No module of Haraka is changed, other messages are
 * untouched. The same object comes back at each retry, so arming it again only
 * begins a new `Attempt`.
 *
 * Promises: an armed hmail delivers to no address that is not a candidate of its
 * current attempt, whatever hooks answered, threw or were overruled; nothing thrown
 * in here reaches Haraka, where it would end the process.
 */
import { types } from 'node:util'
import { errorText } from '../text.js'
import { Attempt } from './attempt.js'
import type { Environment } from './attempt.js'
import { createAuditor } from './audit.js'
import type { Audit } from './audit.js'
import { candidateOf, mark } from './candidate.js'
import type { Decision } from './delivery.js'
import { keepGate } from './gatekeeper.js'
import type { Hmail, Mx, Next, Socket } from './host.js'
import { logFault } from './log.js'
import { senderText } from './outcome.js'

export type Arms = {
  /** To be called when Haraka is about to deliver; begins a new attempt. */
  readonly arm: (hmail: Hmail) => Attempt
  /** The get_mx hook. Answers `next` once, whatever happens. */
  readonly answerGetMx: (next: Next, hmail: Hmail) => void
}

/** The current attempt of an armed hmail, and who watches it under `policy = audit`. */
type Armed = { attempt: Attempt; audit: Audit | undefined }

export function createArms(env: Environment): Arms {
  const known = new WeakMap<Hmail, Armed>()
  const auditorOf = createAuditor(env)

  function arm(hmail: Hmail): Attempt {
    try {
      return begin(hmail)
    } catch (error) {
      if (!known.has(hmail)) barricade(hmail)
      throw error
    }
  }

  function begin(hmail: Hmail): Attempt {
    const attempt = new Attempt(env, hmail)
    const audit = attempt.policy === 'audit' ? auditorOf(hmail, attempt) : undefined
    const armed = known.get(hmail)
    if (armed) {
      armed.attempt = attempt
      armed.audit = audit
      return attempt
    }
    if (Object.hasOwn(hmail, BARRICADE)) Reflect.deleteProperty(hmail, BARRICADE)
    if (attempt.policy !== 'none') {
      const fresh = { attempt, audit }
      known.set(hmail, fresh)
      install(env, hmail, fresh)
    }
    return attempt
  }

  function answerGetMx(next: Next, hmail: Hmail): void {
    const attempt = arm(hmail)
    if (attempt.isPassive) {
      known.get(hmail)?.audit?.lookUp()
      next()
      return
    }
    attempt
      .decide()
      .catch((error: unknown): Decision => {
        const host = attempt.destination.text
        const detail = errorText(error)
        return { kind: 'defer', refusal: { reason: 'internal-error', host, detail }, refusals: [] }
      })
      .then((decision) => {
        attempt.decision = decision
        // Haraka's return codes can be overruled; what counts is `decision`.
        next(codeOf(decision), textOf(decision))
      })
      .catch((error: unknown) => {
        attempt.withhold(error)
      })
  }

  function codeOf({ kind }: Decision): number {
    return { deliver: env.codes.ok, defer: env.codes.denysoft, return: env.codes.deny }[kind]
  }

  return { arm, answerGetMx }
}

/** The last resort for a message that could not even be armed: it is not delivered at this attempt. */
function barricade(hmail: Hmail): void {
  hmail[BARRICADE] = () => {
    hmail.temp_fail('delivery withheld by local policy (internal-error)')
  }
}

/** Everything that Haraka delivers goes through this method. */
const BARRICADE = 'try_deliver'

function textOf(decision: Decision): unknown {
  return decision.kind === 'deliver'
    ? decision.candidates.map(({ mx }) => mx)
    : senderText(decision.refusal)
}

/** Puts the own properties on the hmail. */
function install(env: Environment, hmail: Hmail, armed: Armed): void {
  const original = {
    get_mx_respond: hmail.get_mx_respond.bind(hmail),
    found_mx: hmail.found_mx.bind(hmail),
    try_deliver: hmail.try_deliver.bind(hmail),
    try_deliver_host_on_socket: hmail.try_deliver_host_on_socket.bind(hmail),
    get_force_tls: hmail.get_force_tls.bind(hmail),
    temp_fail: hmail.temp_fail.bind(hmail),
    bounce: hmail.bounce.bind(hmail),
    delivered: hmail.delivered.bind(hmail),
    discard: hmail.discard.bind(hmail),
  }

  /** Runs what Haraka called us for; failures of any kind end in deferral. */
  function guarded(action: (attempt: Attempt) => void): void {
    const { attempt } = armed
    try {
      action(attempt)
    } catch (error) {
      attempt.withhold(error)
    }
  }

  /** Haraka awaits none of its own promises: a rejection would end the process. */
  function watch(result: unknown): void {
    const { attempt } = armed
    if (!types.isPromise(result)) return
    result.catch((error: unknown) => {
      attempt.withhold(error)
    })
  }

  hmail.temp_fail = (...args) => {
    armed.attempt.isOver = true
    armed.audit?.over()
    original.temp_fail(...args)
  }

  hmail.bounce = (...args) => {
    armed.attempt.isOver = true
    armed.audit?.over()
    original.bounce(...args)
  }

  hmail.delivered = (...args) => {
    armed.audit?.over()
    original.delivered(...args)
  }

  hmail.discard = () => {
    armed.audit?.over()
    original.discard()
  }

  hmail.get_mx_respond = (retval, mx) => {
    guarded((attempt) => {
      const { decision } = attempt
      attempt.decision = undefined
      if (attempt.isPassive) {
        if (retval === env.codes.ok) armed.audit?.routed(() => toEntries(mx))
        watch(original.get_mx_respond(retval, mx))
      } else if (decision) carryOut(attempt, decision)
      else if (retval === env.codes.ok) watch(takeRoute(attempt, mx))
      // Another plugin refuses the message, or a hook took too long: Haraka returns or defers it.
      else if (retval === env.codes.deny || retval === env.codes.denysoft) {
        watch(original.get_mx_respond(retval, mx))
      } else withoutPlan(attempt)
    })
  }

  function carryOut(attempt: Attempt, decision: Decision): void {
    if (decision.kind === 'return') {
      attempt.returnToSender(decision.refusal)
      return
    }
    for (const refusal of decision.refusals) attempt.refuse(refusal)
    if (decision.kind === 'defer') {
      attempt.defer(decision.refusal)
      return
    }
    const { candidates } = decision
    watch(original.found_mx(candidates.map((each) => mark(env.toMx(each.mx), each, attempt))))
  }

  function toEntries(mx: unknown): readonly Mx[] {
    return Array.isArray(mx) ? mx.map(env.toMx) : [env.toMx(mx)]
  }

  /** Another plugin answered get_mx before our hook was asked. */
  async function takeRoute(attempt: Attempt, mx: unknown): Promise<void> {
    const decision = await attempt.decideRoute(toEntries(mx))
    if (decision !== 'skip') {
      carryOut(attempt, decision)
      return
    }
    attempt.isPassive = true
    watch(original.get_mx_respond(env.codes.ok, mx))
  }

  hmail.found_mx = (mxs) => {
    guarded((attempt) => {
      const isOurs = mxs.every((mx) => candidateOf(mx, attempt) !== undefined)
      if (attempt.isPassive || isOurs) watch(original.found_mx(mxs))
      else withoutPlan(attempt)
    })
  }

  hmail.try_deliver = () => {
    guarded((attempt) => {
      // A late event of a socket must not deliver what is back in the queue already.
      if (attempt.isOver && !attempt.isPassive) return
      const [next] = hmail.mxlist
      armed.audit?.trying(next)
      const worst = next === undefined ? attempt.worstRefusal : undefined
      if (worst && !attempt.isPassive) attempt.defer(worst)
      else if (attempt.isPassive || next === undefined || candidateOf(next, attempt)) {
        watch(original.try_deliver())
      } else withoutPlan(attempt)
    })
  }

  hmail.get_force_tls = (mx) => {
    const { attempt } = armed
    try {
      if (attempt.isPassive) return original.get_force_tls(mx)
      const candidate = candidateOf(mx, attempt)
      if (candidate === undefined || candidate.gate !== undefined) return true
      // docs/Outbound.md promises todo.force_tls; Haraka 3.0.4 and later forget it.
      return Boolean(hmail.todo.force_tls) || original.get_force_tls(mx)
    } catch (error) {
      const text = `get_force_tls failed, TLS is demanded: ${errorText(error)}`
      logFault(env.plugin, hmail, 'logerror', text)
      return true
    }
  }

  hmail.try_deliver_host_on_socket = (mx, host, port, socket) => {
    guarded((attempt) => {
      if (attempt.isPassive) {
        armed.audit?.connected(socket)
        original.try_deliver_host_on_socket(mx, host, port, socket)
        return
      }
      const candidate = candidateOf(mx, attempt)
      if (candidate === undefined) {
        abandon(socket)
        withoutPlan(attempt)
        return
      }
      try {
        if (candidate.gate === undefined) {
          original.try_deliver_host_on_socket(mx, host, port, socket)
          return
        }
        const settle = keepGate(
          env,
          attempt,
          candidate.gate,
          `${host} port ${port}`,
          socket,
          () => {
            // Haraka's force_tls wants PKIX as well, which only the operator's own list may ask for here.
            hmail.force_tls = original.get_force_tls(mx)
          },
        )
        hmail.force_tls = true
        original.try_deliver_host_on_socket(mx, host, port, socket)
        settle()
      } catch (error) {
        abandon(socket)
        throw error
      }
    })
  }

  /** No decision of ours stands behind what is about to happen, so it does not happen. */
  function withoutPlan(attempt: Attempt): void {
    const detail = 'Haraka was about to deliver without a plan of this plugin'
    attempt.defer({ reason: 'no-plan', host: attempt.destination.text, detail })
  }
}

/** Closes a connection that Haraka has no listeners on yet. */
function abandon(socket: Socket): void {
  socket.removeAllListeners()
  socket.on('error', () => {
    // given up already
  })
  socket.destroy()
}
