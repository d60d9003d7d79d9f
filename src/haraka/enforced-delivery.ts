/**
 * Delivers a message under an enforced policy: nothing happens that was not decided.
 *
 * Replaces the methods of an hmail through which Haraka routes and delivers it.
 *
 * Promises: the message is delivered to no address that is not a candidate of its
 * current attempt; to a candidate that must use TLS only behind a gate; on one connection
 * at a time. If a method of Haraka has no effect, the message is deferred in time.
 */
import { isIP } from 'node:net'
import { errorText } from '../text.js'
import type { Attempt, Environment } from './attempt/attempt.js'
import type { Candidate, Decision } from './attempt/decision.js'
import { candidateOf, mark } from './attempt/mx-mark.js'
import { abandon, DeliverySession } from './connection/delivery-session.js'
import { guardConnection } from './connection/guard-connection.js'
import { reportOpenSession } from './connection/session-end.js'
import type { Connection } from './connection/guard-connection.js'
import { showPrintable } from './connection/printable-peer.js'
import type { Delivery, Original } from './delivery.js'
import type { Hmail, Mx, Socket } from './host.js'
import { logFault } from './log/mail-log.js'
import { catchRejection } from './rejections.js'

export class EnforcedDelivery implements Delivery {
  /** The connection that Haraka has taken over last. */
  private session: DeliverySession | undefined
  /** Haraka connects to this one, until it has a connection or gives up. */
  private connecting: { readonly candidate: Candidate; readonly since: number } | undefined
  /** Hosts beyond the first are being looked up. */
  private isLookingFurther = false
  private readonly env: Environment
  private readonly attempt: Attempt
  private readonly original: Original

  constructor(env: Environment, attempt: Attempt, original: Original) {
    this.env = env
    this.attempt = attempt
    this.original = original
  }

  carryOut(decision: Decision): void {
    const { attempt, env } = this
    if (decision.kind === 'return') {
      attempt.returnToSender(decision.refusal)
      return
    }
    for (const refusal of decision.refusals) attempt.refuse(refusal)
    if (decision.kind === 'defer') {
      attempt.defer(decision.refusal)
      return
    }
    const list = decision.candidates.map((each) => mark(env.toMx(each.mx), each, attempt))
    // Haraka resolves names that DANE requires nothing of: LMTP hosts, hosts of policy none.
    const isResolved = list.every(({ exchange }) => !exchange || isIP(exchange) !== 0)
    this.expect(isResolved ? MARGIN_MS : RESOLVE_MS, 'go through its list of hosts')
    this.watch(this.original.found_mx(list))
  }

  foundMx(): void {
    // carryOut calls Haraka's own method with the list. Any other list was not decided here.
  }

  tryDeliver(): void {
    const { attempt } = this
    // A late event of a socket must not deliver what is back in the queue already.
    if (!attempt.settlement.isOpen) return
    if (this.session?.isClosed === false || this.isLookingFurther) return
    this.gaveUp()
    const [next] = attempt.hmail.mxlist
    if (next === undefined && attempt.hasLaterHosts) {
      this.isLookingFurther = true
      attempt.settlement.progress()
      this.watch(this.lookFurther())
      return
    }
    const worst = next === undefined ? attempt.worstRefusal : undefined
    if (worst) {
      attempt.defer(worst)
      return
    }
    const candidate = next && candidateOf(next, attempt)
    if (next !== undefined && candidate === undefined) {
      attempt.withoutPlan()
      return
    }
    if (candidate) this.connecting = { candidate, since: this.env.now() }
    this.expect(connectMs(attempt.hmail), 'connect or give up')
    this.watch(this.original.try_deliver())
  }

  forceTls(mx: Mx): boolean {
    const { attempt, env } = this
    const candidate = candidateOf(mx, attempt)
    if (candidate === undefined || candidate.demand !== undefined) return true
    try {
      // docs/Outbound.md promises todo.force_tls; Haraka 3.0.4 and later forget it.
      return Boolean(attempt.hmail.todo.force_tls) || this.isForced(mx)
    } catch (error) {
      const text = `get_force_tls failed, TLS is required: ${errorText(error)}`
      logFault(env.plugin, attempt.hmail, 'logerror', text)
      return true
    }
  }

  onSocket(mx: Mx, host: string, port: number, socket: Socket): void {
    const { attempt } = this
    this.connecting = undefined
    attempt.settlement.progress()
    const candidate = candidateOf(mx, attempt)
    const isTaken = this.session?.isClosed === false
    if (candidate === undefined || isTaken || !attempt.settlement.isOpen) {
      abandon(socket)
      if (candidate === undefined) attempt.withoutPlan()
      return
    }
    try {
      this.session = new DeliverySession(socket, (error) => {
        attempt.withhold(error)
      })
      this.deliverOn(this.session, candidate, { mx, host, port, socket })
    } catch (error) {
      abandon(socket)
      throw error
    }
  }

  /** Haraka goes on to the next host without having had a connection to the last one. */
  private gaveUp(): void {
    const { attempt, connecting, env } = this
    if (connecting === undefined) return
    this.connecting = undefined
    const { host, mx } = connecting.candidate
    const seconds = ((env.now() - connecting.since) / 1_000).toFixed(1)
    const place = mx.path ?? `${String(mx.exchange)} port ${String(mx.port)}`
    attempt.report({
      kind: 'unreached',
      host,
      detail: `${place}: no connection after ${seconds} s`,
    })
  }

  /** None of the hosts so far took the message: those of the rest of a long list do. */
  private async lookFurther(): Promise<void> {
    const { attempt } = this
    const decision = await attempt.decideLater()
    this.isLookingFurther = false
    if (decision.kind === 'deliver') {
      if (attempt.settlement.isOpen) this.carryOut(decision)
      return
    }
    for (const refusal of decision.kind === 'defer' ? decision.refusals : [])
      attempt.refuse(refusal)
    // The end of the list, for the reason that is the most specific of all hosts.
    this.tryDeliver()
  }

  onDelivered(): void {
    const verified = this.session?.verified
    if (verified) this.attempt.report({ kind: 'delivered', ...verified })
  }

  private deliverOn(
    session: DeliverySession,
    { demand, host }: Candidate,
    connection: Connection,
  ): void {
    const { attempt, env } = this
    const { mx } = connection
    const { hmail } = attempt
    if (demand === undefined) {
      reportOpenSession(env, attempt, connection.socket, host)
      this.handOver(session, connection)
      return
    }
    guardConnection({
      env,
      attempt,
      demand,
      connection,
      onVerified: (verified) => {
        session.verified = verified
      },
      onUnauthenticated: () => {
        // Haraka's force_tls also requires PKIX, which only the operator's own list may do here.
        hmail.force_tls = this.isForced(mx)
      },
      deliver: () => {
        hmail.force_tls = true
        this.handOver(session, connection)
      },
    })
  }

  private handOver(session: DeliverySession, { mx, host, port, socket }: Connection): void {
    showPrintable(socket)
    this.watch(this.original.try_deliver_host_on_socket(mx, host, port, socket))
    session.expectDialog()
  }

  /** By Haraka's own list of hosts. */
  private isForced(mx: Mx): boolean {
    const result = this.original.get_force_tls(mx)
    this.watch(result)
    return Boolean(result)
  }

  private watch(result: unknown): void {
    catchRejection(result, (error) => {
      this.attempt.withhold(error)
    })
  }

  /** A step of Haraka has to lead to the next. */
  private expect(milliseconds: number, what: string): void {
    const { attempt } = this
    attempt.settlement.expect(milliseconds, () => {
      attempt.withhold(new Error(`Haraka did not ${what} within ${milliseconds / 1000} s`))
    })
  }
}

function connectMs({ cfg }: Hmail): number {
  const seconds = Number(cfg?.connect_timeout)
  return (Number.isFinite(seconds) && seconds > 0 ? seconds : CONNECT_SECONDS) * 1000 + MARGIN_MS
}

/** Default of connect_timeout in outbound.ini. */
const CONNECT_SECONDS = 30
/** Milliseconds added to the time that Haraka itself waits. */
const MARGIN_MS = 10_000
/** Milliseconds until Haraka has resolved the names in its list; Node's resolver gives up long before. */
const RESOLVE_MS = 60_000
