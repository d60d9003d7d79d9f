/**
 * What has this attempt to deliver a message come to?
 *
 * An `Attempt` lives from Haraka's first question about a message until the message
 * is delivered, deferred or returned. It takes the policy, settings and resolver as
 * they were at its beginning, comes to a decision, and collects why hosts were
 * refused, so that the one reason worth telling reaches log and DSN.
 *
 * Promises: it defers a message at most once, and never after Haraka has settled it
 * in some other way.
 */
import { performance } from 'node:perf_hooks'
import type { ConnectionOptions } from 'node:tls'
import { types } from 'node:util'
import { rediscoverTlsa } from '../discover/discover.js'
import type { MailEvent, Refusal } from '../mail-event.js'
import type { EnforcedPolicy, HostPolicy, Policy } from '../policy.js'
import { worthiest } from '../reason.js'
import { errorText, printable } from '../text.js'
import {
  decideByDiscovery,
  decideWithoutName,
  destinationOf,
  discoverInTime,
  inTime,
  policyOf,
  refreshing,
} from './delivery.js'
import type { Decision, DeliveryParts, Destination, Gate } from './delivery.js'
import type { Hmail, Mx, Plugin } from './host.js'
import { logFault } from './log.js'
import { defer, returnToSender } from './outcome.js'
import { decideByRoute } from './routes.js'

export type Environment = {
  readonly plugin: Plugin
  /** What holds now; it changes when dane.ini is reloaded. */
  readonly parts: () => Omit<DeliveryParts, 'isTlsEnabled'>
  /** Haraka's own class for entries of its MX list. */
  readonly toMx: (fields: unknown) => Mx
  /** Haraka's constants. */
  readonly codes: { readonly ok: number; readonly deny: number; readonly denysoft: number }
  /** Options of a handshake with the secure context that they describe, where it may be shared. */
  readonly withContext: (options: ConnectionOptions) => ConnectionOptions
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** Hears what happens to messages; the log does, and who counts. */
  readonly report: (hmail: Hmail, event: MailEvent) => void
}

export class Attempt {
  readonly policy: Policy
  readonly destination: Destination
  readonly parts: DeliveryParts
  /** The decision of our own hook, until it is carried out. */
  decision: Decision | undefined
  /** Haraka goes on as if this plugin were not there. */
  isPassive: boolean
  /** Haraka has deferred or returned the message. */
  isOver = false
  private readonly refusals: Refusal[] = []
  private readonly env: Environment
  readonly hmail: Hmail

  constructor(env: Environment, hmail: Hmail) {
    this.env = env
    this.hmail = hmail
    this.parts = { isTlsEnabled: hmail.cfg?.enable_tls !== false, ...env.parts() }
    this.destination = destinationOf(hmail)
    this.policy = policyOf(this.parts.settings, this.destination)
    // RFC 7672 §2.2: an address literal is no business of DANE, unless DANE is mandatory.
    this.isPassive =
      this.policy === 'none' ||
      this.policy === 'audit' ||
      (this.policy === 'opportunistic' && this.destination.kind === 'literal')
  }

  /** What to do about the message's own domain. */
  async decide(): Promise<Decision> {
    const { destination } = this
    if (destination.kind !== 'domain') return decideWithoutName(destination)
    return this.timed(async () => {
      const plan = await discoverInTime(this.parts, destination.name, this.enforced())
      if (plan.kind === 'plan') this.report({ kind: 'plan', policy: this.policy, plan })
      return decideByDiscovery(this.parts, plan, destination.text)
    })
  }

  /** What to do about hosts that another plugin chose; 'skip' where that is not our business. */
  async decideRoute(mxs: readonly Mx[]): Promise<Decision | 'skip'> {
    switch (this.parts.settings.routes) {
      case 'skip':
        return 'skip'
      case 'defer':
        return this.deferredRoute()
      case 'dane':
        return this.timed(() =>
          decideByRoute(this.parts, this.enforced(), mxs, this.destination.text),
        )
    }
  }

  deferredRoute(): Decision {
    const host = this.destination.text
    const detail =
      'another plugin chose the next hop, and dane.ini has routes = defer; ' +
      'routes = dane verifies that host by its own TLSA records, routes = skip sends as the other plugin wants'
    return { kind: 'defer', refusal: { reason: 'route-deferred', host, detail }, refusals: [] }
  }

  /** What DANE demands of a host by TLSA records that are asked for past everything remembered. */
  lookAgain({ route, plan, port }: Gate): Promise<HostPolicy> {
    const { resolver, deadlineMs, settings } = this.parts
    const options = { policy: this.enforced(), insecureMx: settings.insecureMx, port }
    return inTime(deadlineMs, (limited) =>
      rediscoverTlsa(limited(refreshing(resolver)), route, plan, options),
    )
  }

  /** Notes one host that gets no mail at this attempt. */
  refuse(refusal: Refusal): void {
    this.refusals.push(refusal)
    this.report({ kind: 'refused', policy: this.policy, refusal })
  }

  /** Whether a reason of ours can be told for a message that ran out of hosts. */
  get worstRefusal(): Refusal | undefined {
    const [first, ...rest] = this.refusals
    return first && worthiest([first, ...rest])
  }

  defer(refusal: Refusal): void {
    if (this.isOver) return
    this.isOver = true
    this.settled('deferred', refusal)
    defer(this.hmail, refusal)
  }

  returnToSender(refusal: Refusal): void {
    if (this.isOver) return
    this.isOver = true
    this.settled('returned', refusal)
    returnToSender(this.hmail, refusal)
  }

  /** Something that should not happen happened: the message waits. Never throws. */
  withhold(error: unknown): void {
    try {
      const detail = errorText(error)
      const stack = types.isNativeError(error) ? printable(error.stack ?? '', 1000) : ''
      const text = `unexpected error${this.isOver ? '' : ', message deferred'}: ${detail} (${stack})`
      logFault(this.env.plugin, this.hmail, 'logerror', text)
      this.defer({ reason: 'internal-error', host: this.destination.text, detail })
    } catch (second) {
      const text = `a message waits for the next start of Haraka: ${errorText(second)}`
      logFault(this.env.plugin, this.hmail, 'logcrit', text)
    }
  }

  report(event: MailEvent): void {
    this.env.report(this.hmail, event)
  }

  private settled(outcome: 'deferred' | 'returned', refusal: Refusal): void {
    const { policy, destination } = this
    const isKnown = this.refusals.includes(refusal)
    const known = { policy, destination: destination.text, refusal, isKnown }
    this.report({ kind: 'settled', outcome, ...known })
  }

  private async timed(work: () => Promise<Decision>): Promise<Decision> {
    const begunAt = performance.now()
    const decision = await work()
    const milliseconds = performance.now() - begunAt
    const policy = this.enforced()
    this.report({ kind: 'decision', policy, decision: decision.kind, milliseconds })
    return decision
  }

  private enforced(): EnforcedPolicy {
    return this.policy === 'mandatory' ? 'mandatory' : 'opportunistic'
  }
}
