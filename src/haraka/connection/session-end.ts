/**
 * Reports once how TLS on a connection has ended, for TLS reports (RFC 8460 §4.3).
 *
 * Only while dane.ini enables reports, and only for connections to mail hosts of the
 * recipients' own domain. Reads the addresses while the connection is open.
 */
import type { HostPolicy } from '../../plan.js'
import type { EndedSession } from '../../mail-event.js'
import type { Reason } from '../../reason.js'
import type { Attempt, Environment } from '../attempt/attempt.js'
import { member } from '../host.js'
import type { Socket } from '../host.js'
import { observeSession } from './observe-session.js'
import type { Evidence } from './observe-session.js'

export type SessionEnd = {
  /** The host's greeting, after its code. */
  readonly greeted: (text: string) => void
  /** TLS has ended now, and `ended` follows later. */
  readonly noteTime: () => void
  /**
   * @param policy what DANE required of the host; undefined: nothing
   * @param failure undefined: TLS was established as required
   */
  readonly ended: (policy: HostPolicy | undefined, failure: Reason | undefined) => void
}

/** Undefined: this connection is not counted. */
export function watchSessionEnd(
  env: Pick<Environment, 'now'>,
  attempt: Attempt,
  socket: Socket,
  host: string,
): SessionEnd | undefined {
  const { reportedDomain: domain } = attempt
  if (domain === undefined) return undefined
  const localAddress = addressOf(socket, 'localAddress')
  const remoteAddress = addressOf(socket, 'remoteAddress')
  let greeting: string | undefined
  let endedAt: number | undefined
  let isOver = false
  return {
    greeted(text) {
      greeting ??= text.split(' ', 1)[0]?.slice(0, MAX_GREETING)
    },
    noteTime() {
      endedAt ??= env.now()
    },
    ended(policy, failure) {
      if (isOver) return
      isOver = true
      const tlsa = tlsaOf(policy)
      const at = endedAt ?? env.now()
      const where = { host, greeting, localAddress, remoteAddress }
      attempt.report({ kind: 'session', session: { domain, endedAt: at, tlsa, failure, ...where } })
    },
  }
}

/** Observes a connection to a host that DANE requires nothing of, and reports how TLS ended. */
export function reportOpenSession(
  env: Pick<Environment, 'now'>,
  attempt: Attempt,
  socket: Socket,
  host: string,
): void {
  const session = watchSessionEnd(env, attempt, socket, host)
  if (session === undefined) return
  observeSession(socket, {
    onGreeting: session.greeted,
    onEvidence: (evidence) => {
      endOpen(session, evidence)
    },
  })
}

/** Where DANE requires nothing, only TLS itself can be missing. */
export function endOpen(session: SessionEnd, evidence: Evidence): void {
  if (evidence.kind === 'shown') session.ended(undefined, undefined)
  // Haraka tolerates replies that the dialog does not.
  if (evidence.kind === 'broken' && evidence.reason !== 'protocol-violation') {
    session.ended(undefined, evidence.reason)
  }
}

/** RFC 8460 §4.4 `policy-string`: the whole RRset. */
export function tlsaOf(policy: HostPolicy | undefined): EndedSession['tlsa'] {
  if (policy?.kind !== 'authenticate' && policy?.kind !== 'encrypt') return undefined
  const usable = policy.kind === 'authenticate' ? policy.records : []
  return {
    base: policy.tlsaBase,
    records: [
      ...usable.map(({ published }) => published),
      ...policy.unusable.map(({ record }) => record),
    ],
  }
}

function addressOf(socket: Socket, key: 'localAddress' | 'remoteAddress'): string | undefined {
  const address = member(socket.targetsocket, key)
  return typeof address === 'string' ? address : undefined
}

/** No domain name is longer. */
const MAX_GREETING = 253
