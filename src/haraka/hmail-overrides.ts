/**
 * One hmail whose delivery methods this plugin has replaced.
 *
 * Haraka uses the same object for each retry; each send_email begins a new attempt here.
 * Haraka's calls to the hmail arrive here and go to the delivery of the current attempt,
 * enforced or untouched, or to its settlement.
 *
 * Promises: whatever other hooks answer, throw or overrule, a message without a decision is
 * not delivered; no exception in here reaches Haraka, where it would end the process.
 */
import { errorText } from '../text.js'
import { Attempt } from './attempt/attempt.js'
import type { Environment } from './attempt/attempt.js'
import type { Decision } from './attempt/decision.js'
import { HarakaSteps } from './attempt/haraka-steps.js'
import { Settlement } from './attempt/settlement.js'
import type { Audit } from './audit/audit.js'
import { abandon } from './connection/delivery-session.js'
import type { Delivery, Original } from './delivery.js'
import { EnforcedDelivery } from './enforced-delivery.js'
import { member } from './host.js'
import type { Hmail } from './host.js'
import { logFault } from './log/mail-log.js'
import { putOwnMethods } from './own-methods.js'
import type { RoutingMethods } from './own-methods.js'
import { catchRejection } from './rejections.js'
import { settlingMethods } from './settling-methods.js'
import { untouchedDelivery } from './untouched-delivery.js'

/** How far the current attempt has come. */
export type Stage =
  /** The attempt could not be prepared: the message is held. */
  | { readonly kind: 'unprepared'; readonly fault: string }
  /** `isAsked`: our get_mx hook has been called. */
  | { readonly kind: 'undecided'; readonly attempt: Attempt; readonly isAsked: boolean }
  /** Our hook has decided; Haraka has not called get_mx_respond yet. */
  | { readonly kind: 'decided'; readonly attempt: Attempt; readonly decision: Decision }
  /** The answer to get_mx is known: the delivery handles Haraka's calls now. */
  | { readonly kind: 'delivering'; readonly attempt: Attempt; readonly delivery: Delivery }

export class OverriddenHmail {
  private readonly env: Environment
  private readonly hmail: Hmail
  private readonly auditorOf: (attempt: Attempt) => Audit
  private readonly original: Original & Pick<Hmail, 'get_mx_respond'>
  private readonly steps: HarakaSteps
  /** Methods that could not be replaced; if there are any, the message is held. */
  private readonly stubborn: readonly string[]
  private settlement: Settlement
  private current: Stage
  private audit: Audit | undefined

  /** Replaces the methods and begins the first attempt. */
  constructor(env: Environment, hmail: Hmail, auditorOf: (attempt: Attempt) => Audit) {
    this.env = env
    this.hmail = hmail
    this.auditorOf = auditorOf
    this.original = {
      get_mx_respond: hmail.get_mx_respond.bind(hmail),
      found_mx: hmail.found_mx.bind(hmail),
      try_deliver: hmail.try_deliver.bind(hmail),
      try_deliver_host_on_socket: hmail.try_deliver_host_on_socket.bind(hmail),
      get_force_tls: hmail.get_force_tls.bind(hmail),
    }
    this.steps = new HarakaSteps(env.plugin, hmail)
    this.settlement = this.newSettlement()
    this.stubborn = putOwnMethods(
      env.plugin,
      hmail,
      this.routingMethods(),
      settlingMethods(this.steps, {
        settlement: () => {
          this.renew()
          return this.settlement
        },
        onEnd: () => this.audit?.over(),
        onDelivered: () => {
          if (this.current.kind === 'delivering') this.current.delivery.onDelivered()
        },
        onSendEmail: (args) => {
          this.sendEmailRespond(args)
        },
      }),
    )
    this.current = this.firstStage()
  }

  get stage(): Stage {
    return this.current
  }

  /**
   * Begins the next attempt if Haraka has begun it without us, because another plugin
   * answered send_email first. The methods stay on the hmail, so any of them may be the
   * first to notice.
   */
  renew(): void {
    if (this.settlement.isPast) this.begin()
  }

  /** The attempt has begun, and nothing else has happened. */
  get isFresh(): boolean {
    const { kind } = this.current
    return this.settlement.isOpen && (kind === 'unprepared' || kind === 'undecided')
  }

  /** Begins the next attempt. */
  begin(): void {
    this.settlement.retire()
    this.settlement = this.newSettlement()
    this.audit = undefined
    this.current = this.firstStage()
  }

  /** Our get_mx hook has been called; what it does depends on the stage returned. */
  ask(): Stage {
    if (this.current.kind === 'undecided') this.current = { ...this.current, isAsked: true }
    return this.current
  }

  /** Audit: Haraka looks the domain up by itself. */
  lookUpForAudit(): void {
    this.audit?.lookUp()
  }

  /** What our hook decided, unless the attempt has continued without it. */
  decided(attempt: Attempt, decision: Decision): void {
    const { current } = this
    if (current.kind !== 'undecided' || current.attempt !== attempt) return
    this.current = { kind: 'decided', attempt, decision }
  }

  private newSettlement(): Settlement {
    const { env, hmail, steps } = this
    return new Settlement({ plugin: env.plugin, hmail, steps, delay: env.codes.delay })
  }

  private firstStage(): Stage {
    try {
      if (this.stubborn.length > 0) {
        throw new Error(`${this.stubborn.join(', ')} cannot be overridden`)
      }
      const attempt = new Attempt(this.env, this.hmail, this.settlement)
      if (attempt.policy === 'audit') this.audit = this.auditorOf(attempt)
      return { kind: 'undecided', attempt, isAsked: false }
    } catch (error) {
      return { kind: 'unprepared', fault: errorText(error) }
    }
  }

  private routingMethods(): RoutingMethods {
    return {
      get_mx_respond: (retval, mx) => {
        this.guarded((attempt) => this.getMxRespond(attempt, retval, mx))
      },
      found_mx: (mxs) => {
        this.deliver((delivery) => {
          delivery.foundMx(mxs)
        })
      },
      try_deliver: () => {
        this.deliver((delivery) => {
          delivery.tryDeliver()
        })
      },
      get_force_tls: (mx) => this.forceTls(mx),
      try_deliver_host_on_socket: (mx, host, port, socket) => {
        this.renew()
        if (this.current.kind !== 'delivering') abandon(socket)
        this.deliver((delivery) => {
          delivery.onSocket(mx, host, port, socket)
        })
      },
    }
  }

  private sendEmailRespond(args: readonly unknown[]): void {
    this.renew()
    // This plugin or another one had Haraka put the message back.
    if (args[0] === this.env.codes.delay) {
      const { settlement } = this
      // Not while it is being delivered, nor when it is in the queue already.
      if (this.isFresh) settlement.respondToSendEmail(args, () => !settlement.isOpen)
      return
    }
    this.guarded((attempt) => {
      if (this.isUnderway(attempt)) return
      attempt.settlement.respondToSendEmail(args, () => this.isUnderway(attempt))
      if (!this.isUnderway(attempt)) throw new Error('Haraka did not ask for the next hop')
    })
  }

  /** Whether Haraka is asking plugins for the next hop, or knows it. */
  private isUnderway({ settlement }: Attempt): boolean {
    const { current } = this
    if (!settlement.isOpen || current.kind === 'decided' || current.kind === 'delivering')
      return true
    if (current.kind === 'undecided' && current.isAsked) return true
    // Haraka loses track of the hook that it waits for when another one answers twice.
    const hooks = member(this.hmail, 'hooks_to_run')
    const isAsking =
      Boolean(member(this.hmail, 'current_hook')) || (Array.isArray(hooks) && hooks.length > 0)
    return member(this.hmail, 'hook') === 'get_mx' && isAsking
  }

  private getMxRespond(attempt: Attempt, retval: number, mx: unknown): unknown {
    const { codes } = this.env
    const { current } = this
    // A hook that answers twice, or after the message was deferred.
    if (!attempt.settlement.isOpen || current.kind === 'delivering') return undefined
    if (current.kind === 'decided') {
      this.enforce(attempt).carryOut(current.decision)
      return undefined
    }
    if (retval === codes.ok) return this.takeRoute(attempt, mx)
    const isRefused = retval === codes.deny || retval === codes.denysoft
    if (attempt.isUntouched) this.leaveAlone(attempt)
    else if (!isRefused) {
      attempt.withoutPlan()
      return undefined
    }
    // Another plugin refuses the message, or a hook took too long: Haraka returns or defers it.
    const result = this.original.get_mx_respond(retval, mx)
    if (isRefused) attempt.withoutPlan()
    return result
  }

  /** Another plugin answered get_mx before our hook was asked, or overruled it. */
  private async takeRoute(attempt: Attempt, mx: unknown): Promise<void> {
    const given = Array.isArray(mx) ? mx : [mx]
    const entries = given.map((each: unknown) => this.env.toMx(each))
    const route = attempt.takeRoute(given, entries)
    if (route.kind === 'untouched') {
      if (attempt.policy === 'audit') this.audit ??= this.auditorOf(attempt)
      this.audit?.routed(() => entries)
      this.leaveAlone(attempt)
      await this.original.get_mx_respond(this.env.codes.ok, route.entries ?? mx)
      return
    }
    this.audit = undefined
    const delivery = this.enforce(attempt)
    delivery.carryOut(await route.decide())
  }

  private enforce(attempt: Attempt): EnforcedDelivery {
    const delivery = new EnforcedDelivery(this.env, attempt, this.original)
    this.current = { kind: 'delivering', attempt, delivery }
    return delivery
  }

  private leaveAlone(attempt: Attempt): void {
    const delivery = untouchedDelivery(attempt, this.original, this.audit)
    this.current = { kind: 'delivering', attempt, delivery }
  }

  private forceTls(mx: Parameters<Delivery['forceTls']>[0]): boolean {
    this.renew()
    const { current } = this
    try {
      return current.kind === 'delivering' ? current.delivery.forceTls(mx) : true
    } catch (error) {
      const text = `get_force_tls failed, TLS is required: ${errorText(error)}`
      logFault(this.env.plugin, this.hmail, 'logerror', text)
      return true
    }
  }

  /** Runs the action of a call from Haraka; any failure ends in deferral. */
  private guarded(action: (attempt: Attempt) => unknown): void {
    this.renew()
    const { current, settlement } = this
    if (current.kind === 'unprepared') {
      settlement.tempFail([HELD])
      return
    }
    const { attempt } = current
    try {
      catchRejection(action(attempt), (error) => {
        attempt.withhold(error)
      })
    } catch (error) {
      attempt.withhold(error)
    }
  }

  private deliver(action: (delivery: Delivery) => void): void {
    this.guarded((attempt) => {
      const { current } = this
      if (current.kind === 'delivering') action(current.delivery)
      else attempt.withoutPlan()
    })
  }
}

const HELD = 'delivery withheld by local policy (internal-error)'
