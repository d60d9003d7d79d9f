/**
 * What does the gate of this host ask for, and who hears what it found?
 *
 * Puts together the gate on one connection (gate.ts), the judge of certificates and the
 * attempt that wants to deliver: what is demanded, the second look at DNS before a host
 * is refused, the log lines, the reason that is kept.
 */
import { performance } from 'node:perf_hooks'
import type { PeerChain, Refused, Verdict } from '../verdict.js'
import { verify, verifyLeaf, verifyNothing } from '../verify/verify.js'
import type { Attempt, Environment } from './attempt.js'
import type { Gate } from './delivery.js'
import { openGate } from './gate.js'
import type { PassedAs } from './gate.js'
import type { Socket } from './host.js'

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
  const host = plan.exchange
  const domain = route.security === 'secure' ? route.nextHop : undefined
  timeHandshake(socket, (milliseconds) => {
    attempt.report({ kind: 'handshake', milliseconds })
  })
  return openGate(socket, {
    tlsaBase: policy.tlsaBase,
    withContext: env.withContext,
    judgeLeaf: (leaf) => (policy.kind === 'authenticate' ? verifyLeaf(policy, leaf) : undefined),
    judge: (chain) => judge(env, gate, chain),
    judgeAgain: (chain, first) => judgeAgain(env, attempt, gate, chain, first),
    onRefused: (reason, detail) => {
      attempt.refuse({ reason, host, detail: `${peer}: ${detail}` })
    },
    onPassed: (verdict, session): PassedAs => {
      attempt.report({ kind: 'passed', policy: attempt.policy, host, domain, verdict, session })
      if (verdict.kind === 'authenticated') return 'verified'
      unauthenticated()
      return 'as-haraka-sees-it'
    },
  })
}

/** The verdict that the gate would come to in the end. */
export async function judgeTwice(
  env: Environment,
  attempt: Attempt,
  gate: Gate,
  chain: PeerChain | undefined,
): Promise<Verdict> {
  const first = judge(env, gate, chain)
  if (first.kind !== 'refused' || chain === undefined) return first
  return judgeAgain(env, attempt, gate, chain, first)
}

function judge(env: Environment, { policy }: Gate, chain: PeerChain | undefined): Verdict {
  return chain ? verify(policy, chain, env.now()) : verifyNothing()
}

/** By what DNS says past everything remembered. */
async function judgeAgain(
  env: Environment,
  attempt: Attempt,
  gate: Gate,
  chain: PeerChain,
  first: Refused,
): Promise<Verdict> {
  const fresh = await attempt.lookAgain(gate)
  // What else DNS may say by now holds from the next attempt on.
  if (fresh.kind !== 'authenticate') return first
  const verdict = verify(fresh, chain, env.now())
  if (verdict.kind !== 'refused') attempt.report({ kind: 'rollover', host: gate.plan.exchange })
  return verdict
}

/** From the wish to the end of a handshake that comes to one. */
function timeHandshake(socket: Socket, onDone: (milliseconds: number) => void): void {
  const upgrade = socket.upgrade.bind(socket)
  socket.upgrade = (options, callback) => {
    const begunAt = performance.now()
    upgrade(options, (...result) => {
      onDone(performance.now() - begunAt)
      callback?.(...result)
    })
  }
}
