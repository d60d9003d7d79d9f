/**
 * Keeps a connection closed to the message until its host is verified.
 *
 * The gate controls one socket that Haraka is about to use for a host that must use TLS
 * (gated-socket.ts), in both directions: what the server sends before the handshake
 * (starttls-dialog.ts), and what Haraka or another plugin writes (command.ts). It prepares
 * the handshake and has the server's certificates judged before Haraka sends the next EHLO.
 * A failure becomes an error on the socket: Haraka closes the connection and tries the next
 * MX, or defers if none is left.
 *
 * Promises: before the verdict only EHLO, HELO, STARTTLS and QUIT, each in its turn, and
 * the handshake are sent; a verdict or a refusal comes within `timeoutMs`; no exception of
 * the gate or the judge reaches Haraka; Haraka never mistakes a failure here for a host
 * without TLS (its `no_tls` list), nor bounces the message for an unauthenticated 5xx.
 */
import { performance } from 'node:perf_hooks'
import type { ConnectionOptions } from 'node:tls'
import type { Reason, Why } from '../../reason.js'
import { introducedName, octetsText, openingCommand } from '../../session/command.js'
import { handshakeOptions } from '../../session/handshake.js'
import { createStarttlsDialog } from '../../session/starttls-dialog.js'
import type { StarttlsDialog } from '../../session/starttls-dialog.js'
import { errorText } from '../../text.js'
import type { Refused } from '../../verdict.js'
import {
  CLOSED_HERE,
  impossibleText,
  outOfTurn,
  QUIT_EARLY,
  STARTED_EARLY,
  timedOut,
  UNKNOWN_SOCKET,
  WRITTEN_BEFORE,
} from './gate-parts.js'
import type { GateParts, HandshakeResult } from './gate-parts.js'
import { afterCommand, kindOf } from './gate-state.js'
import type { GateState } from './gate-state.js'
import { GatedSocket } from './gated-socket.js'
import type { Socket, UpgradeCallback } from '../host.js'
import { judgePeer } from './peer-judge.js'
import type { Judgement } from './peer-judge.js'

export class Gate {
  private state: GateState = 'greeting'
  private readonly socket: Socket
  private readonly held: GatedSocket
  private readonly parts: GateParts
  private readonly dialog: StarttlsDialog
  private readonly timer: NodeJS.Timeout
  private firstVerdict: Refused | undefined
  /** Events for Haraka that arrived before the verdict. */
  private readonly kept = new Set<string>()

  constructor(socket: Socket, parts: GateParts) {
    this.socket = socket
    this.parts = parts
    this.dialog = createStarttlsDialog(parts.onGreeting)
    this.held = new GatedSocket(socket, {
      isOpen: () => this.state === 'passed',
      hears: (event, args) => this.hears(event, args),
      mayGoOut: (octets) => this.mayGoOut(octets),
      onWithheld: (octets) => {
        this.withhold(octets)
      },
      onUpgrade: (options, callback) => {
        this.upgrade(options, callback)
      },
      onClosing: () => {
        this.lose(CLOSED_HERE)
      },
      onException: (error) => {
        this.fail(error)
      },
    })
    this.timer = setTimeout(() => {
      this.expire()
    }, parts.timeoutMs).unref()
  }

  /** Haraka has its listeners now, so a refusal reaches it. */
  begin(): void {
    if (!this.held.isKnown) this.refuse(UNKNOWN_SOCKET)
    if (this.held.isTouched) this.refuse(WRITTEN_BEFORE)
  }

  abandon(): void {
    this.enter('refused')
    this.held.destroy()
  }

  private hears(event: string, args: readonly unknown[]): boolean {
    const [first] = args
    switch (event) {
      case 'error':
        // Haraka puts hosts whose errors have this mark on its list of hosts without TLS.
        if (typeof first === 'object' && first !== null) Reflect.deleteProperty(first, 'source')
        this.lose(errorText(first))
        return true
      case 'data':
        return this.hearsData(Buffer.isBuffer(first) ? first : Buffer.from(String(first)))
      case 'line':
        // Data that was refused must not become a reply.
        return this.state !== 'refused'
      case 'secureConnect':
      case 'secure':
        // Haraka sends the next EHLO at `secure`.
        this.kept.add(event)
        return false
      case 'end':
        this.refuse(this.whyLost('connection closed'))
        return true
      case 'close':
        this.lose('connection closed')
        return true
      default:
        return true
    }
  }

  private hearsData(octets: Buffer): boolean {
    switch (kindOf(this.state).data) {
      case 'reply':
        break
      case 'ignored':
        return false
      case 'violation':
        // RFC 5321 §2.1: the server only replies; inside TLS the client starts with EHLO.
        this.refuse(outOfTurn(octets))
        return false
    }
    const step = this.dialog.read(octets)
    switch (step.kind) {
      case 'continue':
        return true
      case 'turn':
        this.enter(step.command === 'EHLO' ? 'ehlo-due' : 'starttls-due')
        return true
      case 'handshake':
        this.enter('tls-due')
        return true
      case 'refuse':
        // QUIT is allowed after a complete reply, not after data out of turn.
        this.refuse(step, step.reason !== 'protocol-violation')
        return false
    }
  }

  private mayGoOut(octets: Buffer): boolean {
    const next = afterCommand(this.state, openingCommand(octets))
    if (next === undefined) {
      this.withhold(octets)
      return false
    }
    try {
      if (next === 'starttls-sent') this.parts.rehearse?.()
    } catch (error) {
      this.refuse({ reason: 'tls-handshake-failed', detail: impossibleText(error) })
      return false
    }
    const name = introducedName(octets)
    if (name !== undefined) this.dialog.introduce(name)
    this.enter(next)
    return true
  }

  private withhold(octets: Buffer): void {
    if (this.state === 'refused') return
    const what = octets.length === 0 ? 'something for another connection' : octetsText(octets)
    const where = this.state === 'passed' ? 'outside TLS' : 'before the host was verified'
    this.giveUp('tls-disabled', `not sent: ${what} ${where}`)
  }

  private upgrade(options: ConnectionOptions, callback: UpgradeCallback | undefined): void {
    if (this.state !== 'tls-due') {
      this.refuse({
        reason: 'protocol-violation',
        detail: STARTED_EARLY,
      })
      return
    }
    const begunAt = performance.now()
    try {
      const needed = handshakeOptions(options, this.parts.tlsaBase)
      // If this throws, the connection still has its listeners.
      const prepared = this.parts.withContext?.(needed) ?? needed
      this.enter('handshake')
      this.held.upgrade(prepared, (...result) => {
        try {
          this.parts.onHandshake?.(performance.now() - begunAt)
          this.conclude(result, callback)
        } catch (error) {
          this.fail(error)
        }
      })
    } catch (error) {
      this.refuse({ reason: 'tls-handshake-failed', detail: impossibleText(error) })
    }
  }

  /** The handshake is done and nothing is sent yet. */
  private conclude(result: HandshakeResult, callback: UpgradeCallback | undefined): void {
    const { cleartext } = this.socket
    if (this.state !== 'handshake' || cleartext === undefined) return
    const judgement = judgePeer(this.parts, cleartext, result[2])
    if (judgement.kind !== 'unsure') {
      this.carryOut(judgement, result, callback)
      return
    }
    // DNS is queried again while Haraka waits for `secure`.
    this.enter('held')
    this.firstVerdict = judgement.verdict
    judgement
      .again()
      .then((second) => {
        if (this.state !== 'held') return
        this.carryOut(second, result, callback)
        for (const event of this.kept) this.held.tell(event, [])
      })
      .catch((error: unknown) => {
        this.fail(error)
      })
  }

  private carryOut(
    judgement: Judgement,
    [authorized, error, certificate, cipher]: HandshakeResult,
    callback: UpgradeCallback | undefined,
  ): void {
    if (judgement.kind !== 'good') {
      this.refuse(judgement.kind === 'bad' ? judgement : judgement.verdict, true)
      this.kept.clear()
      return
    }
    const isVerified = this.parts.onPassed(judgement.verdict, judgement.session) === 'verified'
    this.enter('passed')
    if (isVerified) {
      this.socket.isSecure = () => this.state === 'passed' && this.socket.isEncrypted()
      callback?.(true, undefined, certificate, cipher)
    } else callback?.(authorized, error, certificate, cipher)
  }

  /** RFC 5321 §4.5.3.2: a limit for all steps together, which slow data does not extend. */
  private expire(): void {
    const { firstVerdict, parts, state } = this
    if (firstVerdict) this.refuse(firstVerdict, true)
    else this.refuse(timedOut(parts.timeoutMs, kindOf(state).awaited))
  }

  /** @param mayQuit the dialog is in order and it is our turn: QUIT is sent */
  private refuse({ reason, detail }: Why, mayQuit = false): void {
    if (this.state !== 'passed' && this.state !== 'refused') this.giveUp(reason, detail, mayQuit)
  }

  private fail(error: unknown): void {
    if (this.state === 'refused') this.parts.onFault(error)
    else this.giveUp('internal-error', errorText(error))
  }

  /** In any state: Haraka's own handler releases the socket and tries the next MX. */
  private giveUp(reason: Reason, detail: string, mayQuit = false): void {
    this.report(reason, detail)
    try {
      if (mayQuit) this.held.leave()
      this.held.tell('error', [new Error(`DANE: ${reason}: ${detail}`)])
    } catch (error) {
      this.parts.onFault(error)
    }
    this.held.destroy()
  }

  /** The connection broke by itself: Haraka knows that, but not the reason. */
  private lose(detail: string): void {
    const { state } = this
    if (state === 'passed' || state === 'refused') return
    const why = this.whyLost(state === 'leaving' ? QUIT_EARLY : detail)
    this.report(why.reason, why.detail)
  }

  /** A verdict that waits for its second look is more specific than the loss of the connection. */
  private whyLost(detail: string): Why {
    return this.firstVerdict ?? { reason: kindOf(this.state).loss, detail }
  }

  /** Enters `refused` and reports it. */
  private report(reason: Reason, detail: string): void {
    this.enter('refused')
    try {
      this.parts.onRefused(reason, detail)
    } catch (error) {
      this.parts.onFault(error)
    }
  }

  private enter(state: GateState): void {
    this.state = state
    if (state === 'passed' || state === 'refused') clearTimeout(this.timer)
  }
}
