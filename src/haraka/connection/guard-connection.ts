/**
 * Guards one connection of Haraka to a host that must use TLS by DANE.
 *
 * Connects the gate (gate.ts), the verification of certificates (enforce/judge.ts) and the
 * attempt: log lines, metrics, and the reason for the DSN.
 */
import { createJudges, judgeInFull } from '../../enforce/judge.js'
import type { Judges } from '../../enforce/judge.js'
import type { TlsDemand } from '../../enforce/plan.js'
import { handshakeOptions } from '../../session/handshake.js'
import type { AuthenticateHost, HostPolicy } from '../../plan.js'
import type { PeerChain, Verdict } from '../../verdict.js'
import type { Attempt, Environment } from '../attempt/attempt.js'
import type { VerifiedHost } from './delivery-session.js'
import { isOwnFault } from './gate-parts.js'
import { openGate } from './open-gate.js'
import { watchSessionEnd } from './session-end.js'
import type { GateParts } from './gate-parts.js'
import type { Mx, Socket } from '../host.js'
import { harakaOptions, isKnownPossible, notePossible } from './tls-options.js'

/** A connection that Haraka has just opened. */
export type Connection = {
  readonly mx: Mx
  /** Its address. */
  readonly host: string
  readonly port: number
  readonly socket: Socket
}

export type GuardedDelivery = {
  readonly env: Environment
  readonly attempt: Attempt
  readonly demand: TlsDemand
  readonly connection: Connection
  /** Called if the host is verified for the domain of a secure route (RFC 7672 §2.2.1). */
  readonly onVerified: (verified: VerifiedHost) => void
  /** Called if the connection passes without authentication. */
  readonly onUnauthenticated: () => void
  /** Hands the connection to Haraka. */
  readonly deliver: () => void
}

export function guardConnection(guarded: GuardedDelivery): void {
  const { env, attempt, demand, connection, deliver } = guarded
  const { mx, host: address, port, socket } = connection
  const { policy, route } = demand
  const host = demand.host.exchange
  const domain = route.security === 'secure' ? route.nextHop : undefined
  const session = watchSessionEnd(env, attempt, socket, host)
  let applied: HostPolicy = policy
  const parts: GateParts = {
    ...judgesOf(env, attempt, demand, (current) => {
      applied = current
    }),
    tlsaBase: policy.tlsaBase,
    timeoutMs: attempt.parts.settings.sessionTimeoutMs,
    withContext: (options) => env.withContext(options, address),
    rehearse: () => {
      if (isKnownPossible(env.plugin, address)) return
      const options = harakaOptions(env.plugin, mx)
      if (options) env.withContext(handshakeOptions(options, policy.tlsaBase), address)
      notePossible(env.plugin)
    },
    ...(session && { onGreeting: session.greeted }),
    onHandshake: (milliseconds) => {
      attempt.report({ kind: 'handshake', milliseconds })
    },
    onRefused: (reason, detail) => {
      attempt.refuse({ reason, host, detail: `${address} port ${port}: ${detail}` })
      if (!isOwnFault(detail)) session?.ended(applied, reason)
    },
    onPassed: (verdict, tls) => {
      attempt.report({
        kind: 'passed',
        policy: attempt.policy,
        host,
        domain,
        verdict,
        session: tls,
      })
      session?.ended(applied, verdict.kind === 'encrypted' ? 'tlsa-unusable' : undefined)
      if (verdict.kind === 'encrypted') {
        guarded.onUnauthenticated()
        return 'as-haraka-sees-it'
      }
      if (domain !== undefined) guarded.onVerified({ domain, host })
      return 'verified'
    },
    onFault: (error) => {
      attempt.withhold(error)
    },
  }
  openGate(socket, parts, deliver)
}

/**
 * The final verdict that the gate would reach.
 *
 * @param onCurrent called with the current records, where the verdict is by those
 */
export function judgeTwice(
  env: Environment,
  attempt: Attempt,
  demand: TlsDemand,
  chain: PeerChain | undefined,
  onCurrent: (policy: AuthenticateHost) => void = () => undefined,
): Promise<Verdict> {
  return judgeInFull(judgesOf(env, attempt, demand, onCurrent), chain)
}

function judgesOf(
  env: Environment,
  attempt: Attempt,
  demand: TlsDemand,
  onCurrent: (policy: AuthenticateHost) => void,
): Judges {
  const { resolver, deadlineMs } = attempt.parts
  return createJudges(
    {
      resolver,
      deadlineMs,
      allowance: attempt.allowance,
      now: env.now,
      onCurrent,
      onRollover: () => {
        attempt.report({ kind: 'rollover', host: demand.host.exchange })
      },
    },
    demand,
  )
}
