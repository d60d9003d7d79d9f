/**
 * What does the gate of this host ask for, and who hears what it found?
 *
 * Puts together the gate on one connection (gate.ts), the judge of certificates and the
 * attempt that wants to deliver: what is demanded, the second look at DNS before a host
 * is refused, the log lines, the reason that is kept.
 */
import type { Verdict } from '../verdict.js'
import { verify, verifyLeaf, verifyNothing } from '../verify/verify.js'
import type { Attempt, Environment } from './attempt.js'
import type { Gate } from './delivery.js'
import { openGate } from './gate.js'
import type { PassedAs } from './gate.js'
import type { Socket } from './host.js'
import { logRollover, logSuccess } from './log.js'

/**
 * To be called before Haraka's own listeners are set; call the result right after they are.
 *
 * @param peer how log lines name the connection
 * @param unauthenticated called when the connection passes encrypted and no more
 */
export function keepGate(
  env: Environment,
  attempt: Attempt,
  gate: Gate,
  peer: string,
  socket: Socket,
  unauthenticated: () => void,
): () => void {
  const { policy, route, plan } = gate
  const { plugin } = env
  const { hmail } = attempt
  const host = plan.exchange
  const domain = route.security === 'secure' ? route.nextHop : undefined
  return openGate(socket, {
    tlsaBase: policy.tlsaBase,
    withContext: env.withContext,
    judgeLeaf: (leaf) => (policy.kind === 'authenticate' ? verifyLeaf(policy, leaf) : undefined),
    judge: (chain): Verdict => (chain ? verify(policy, chain, env.now()) : verifyNothing()),
    judgeAgain: async (chain, first): Promise<Verdict> => {
      const fresh = await attempt.lookAgain(gate)
      // What else DNS may say by now holds from the next attempt on.
      if (fresh.kind !== 'authenticate') return first
      const verdict = verify(fresh, chain, env.now())
      if (verdict.kind !== 'refused') logRollover(hmail, plugin, host)
      return verdict
    },
    onRefused: (reason, detail) => {
      attempt.refuse({ reason, host, detail: `${peer}: ${detail}` })
    },
    onPassed: (verdict, session): PassedAs => {
      logSuccess(hmail, plugin, host, domain, verdict, session)
      if (verdict.kind === 'authenticated') return 'verified'
      unauthenticated()
      return 'as-haraka-sees-it'
    },
  })
}
