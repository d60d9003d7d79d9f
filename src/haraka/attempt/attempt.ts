/**
 * One attempt to deliver a message, from the send_email hook until it is settled.
 *
 * It uses the policy, settings and resolver of the moment when it began, decides, and
 * collects the reasons why hosts were refused, so that log and DSN get the most specific
 * one.
 *
 * Promises: reporting never throws, and comes after the message is settled.
 */
import { performance } from 'node:perf_hooks'
import type { ConnectionOptions } from 'node:tls'
import { types } from 'node:util'
import { Allowance } from '../../enforce/judge.js'
import { inTime, judgedAs, planDomain, planLater } from '../../enforce/plan.js'
import type { MailEvent, Refusal, RoutedHost } from '../../mail-event.js'
import type { DomainName } from '../../name.js'
import type { Discovery, Plan } from '../../plan.js'
import type { EnforcedPolicy, Policy } from '../../policy.js'
import { mostSpecific } from '../../reason.js'
import { errorText, printable } from '../../text.js'
import {
  decideByDiscovery,
  decideWithoutName,
  destinationOf,
  planOptions,
  policyOf,
} from './decision.js'
import type { Decision, DeliveryParts, Destination } from './decision.js'
import { describe, isPermanent, senderText } from './dsn.js'
import type { Hmail, Mx, Plugin } from '../host.js'
import { logFault } from '../log/mail-log.js'
import { isMarked } from './mx-mark.js'
import { readHops } from './next-hop.js'
import { alike, decideByRoute, isEnforced, routeOf, strictestOf } from './routes.js'
import type { Settlement } from './settlement.js'

export type Environment = {
  readonly plugin: Plugin
  /** Current settings and resolver; they change when dane.ini is reloaded. */
  readonly parts: () => Omit<DeliveryParts, 'isTlsEnabled'>
  /** Haraka's own class for entries of its MX list. */
  readonly toMx: (fields: unknown) => Mx
  /** Haraka's constants. */
  readonly codes: {
    readonly ok: number
    readonly deny: number
    readonly denysoft: number
    readonly delay: number
  }
  /** Adds a shared secure context to the options of a handshake, if one may be used. */
  readonly withContext: (options: ConnectionOptions, host?: string) => ConnectionOptions
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** Receives mail events, for the log and the metrics. */
  readonly report: (hmail: Hmail, event: MailEvent) => void
}

/** How another plugin's answer to get_mx is used. */
export type TakenRoute =
  /** Haraka uses these entries; undefined: the other plugin's answer as it is. */
  | { readonly kind: 'untouched'; readonly entries: readonly Mx[] | undefined }
  | { readonly kind: 'enforced'; readonly decide: () => Promise<Decision> }

export class Attempt {
  readonly hmail: Hmail
  readonly settlement: Settlement
  readonly destination: Destination
  readonly parts: DeliveryParts
  /** What verifying certificates may still cost at this attempt, whatever its hosts present. */
  readonly allowance = new Allowance()
  /** The policy in force: the recipients', or the stricter one of a route. */
  private inForce: Policy
  /** Another plugin chose the next hop. */
  private isRouted = false
  private readonly refusals: Refusal[] = []
  /** The plan with hosts that have not had their turn. */
  private unfinished: Plan | undefined
  private readonly env: Environment

  constructor(env: Environment, hmail: Hmail, settlement: Settlement) {
    this.env = env
    this.hmail = hmail
    this.settlement = settlement
    this.parts = { isTlsEnabled: hmail.cfg?.enable_tls !== false, ...env.parts() }
    this.destination = destinationOf(hmail)
    this.inForce = policyOf(this.parts.settings, this.destination)
  }

  get policy(): Policy {
    return this.inForce
  }

  /**
   * The domain whose TLS report counts this attempt (RFC 8460); undefined: none. A host that
   * another plugin chose is not the recipients', and without a policy nothing is looked up.
   */
  get reportedDomain(): DomainName | undefined {
    const { destination, parts } = this
    const isCounted = parts.settings.tlsrpt !== undefined && this.inForce !== 'none'
    return isCounted && !this.isRouted && destination.kind === 'domain'
      ? destination.name
      : undefined
  }

  /**
   * Whether Haraka delivers as without this plugin, unless another plugin chooses the next
   * hop. RFC 7672 §2.2: DANE does not apply to an address literal, unless it is mandatory.
   */
  get isUntouched(): boolean {
    if (!isEnforced(this.inForce)) return true
    return this.inForce === 'opportunistic' && this.destination.kind === 'literal'
  }

  /** Decides by the recipients' domain. */
  async decide(): Promise<Decision> {
    const { destination } = this
    if (destination.kind !== 'domain') return decideWithoutName(destination)
    return this.timed(async () => {
      const enforced = judgedAs(this.inForce)
      const { resolver, deadlineMs } = this.parts
      const discovery = await inTime(resolver, deadlineMs, (timed) =>
        planDomain(timed, destination.name, planOptions(this.parts, enforced)),
      )
      return this.follow(enforced, discovery)
    })
  }

  /** Whether the domain has hosts that were neither looked up nor tried. */
  get hasLaterHosts(): boolean {
    return this.unfinished?.laterHosts !== undefined
  }

  /** Decides by the hosts that have their turn now that none of the first took the message. */
  async decideLater(): Promise<Decision> {
    const enforced = judgedAs(this.inForce)
    const { resolver, deadlineMs } = this.parts
    const { unfinished } = this
    if (unfinished === undefined) throw new Error('there are no later hosts')
    const plan = await inTime(resolver, deadlineMs, (timed) =>
      planLater(timed, unfinished, planOptions(this.parts, enforced)),
    )
    return this.follow(enforced, plan)
  }

  private follow(enforced: EnforcedPolicy, discovery: Discovery): Decision {
    this.unfinished = discovery.kind === 'plan' ? discovery : undefined
    if (this.unfinished) {
      this.report({ kind: 'plan', policy: this.policy, plan: this.unfinished })
    }
    return decideByDiscovery(this.parts, enforced, discovery, this.destination.text)
  }

  /**
   * Decides by the hosts that another plugin chose; they are left alone if no enforced
   * policy applies to any of them. From here on the attempt has the policy of the route.
   *
   * @param given the other plugin's answer
   * @param entries the same answer as Haraka reads it
   */
  takeRoute(given: readonly unknown[], entries: readonly Mx[]): TakenRoute {
    const { settings } = this.parts
    this.isRouted = true
    const hops = readHops(entries, settings.port)
    const route = routeOf(settings, this.inForce, hops)
    if (settings.routes === 'skip') {
      if (isEnforced(this.inForce)) this.routed(alike(route, { kind: 'exempt', why: 'skip' }))
      return { kind: 'untouched', entries: undefined }
    }
    this.inForce = strictestOf(route, this.inForce)
    if (!isEnforced(this.inForce)) {
      const made = hops.flatMap((hop) => ('entry' in hop ? [hop.entry] : []))
      return { kind: 'untouched', entries: made.length === hops.length ? made : undefined }
    }
    return {
      kind: 'enforced',
      decide: async () => {
        if (given.some(isMarked)) {
          const detail = 'another plugin answered get_mx with entries of an earlier attempt'
          return this.deferral('no-plan', detail)
        }
        if (settings.routes === 'defer') {
          const decision = this.deferredRoute()
          this.routed(alike(route, { kind: 'left-out', refusal: decision.refusal }))
          return decision
        }
        return this.timed(async () => {
          const { decision, hosts } = await decideByRoute(this.parts, route, this.destination)
          this.routed(hosts)
          return decision
        })
      },
    }
  }

  deferredRoute(): Extract<Decision, { kind: 'defer' }> {
    const detail =
      'another plugin chose the next hop, and dane.ini has routes = defer; ' +
      'routes = dane verifies that host by its own TLSA records, routes = skip sends as the other plugin wants'
    return this.deferral('route-deferred', detail)
  }

  private routed(hosts: readonly RoutedHost[]): void {
    if (hosts.length > 0) this.report({ kind: 'routed', policy: this.policy, hosts })
  }

  private deferral(
    reason: Refusal['reason'],
    detail: string,
  ): Extract<Decision, { kind: 'defer' }> {
    return {
      kind: 'defer',
      refusal: { reason, host: this.destination.text, detail },
      refusals: [],
    }
  }

  /** Records a host that is not used at this attempt. */
  refuse(refusal: Refusal): void {
    this.refusals.push(refusal)
    this.report({ kind: 'refused', policy: this.policy, refusal })
  }

  /** The most specific reason for a message that ran out of hosts, if DANE refused any. */
  get worstRefusal(): Refusal | undefined {
    return mostSpecific(this.refusals)
  }

  /** Haraka or another plugin was about to deliver without a decision of this plugin. */
  withoutPlan(): void {
    const detail = 'Haraka was about to deliver without a plan of this plugin'
    this.defer({ reason: 'no-plan', host: this.destination.text, detail })
  }

  defer(refusal: Refusal): void {
    this.settle(refusal, (text) => {
      this.settlement.tempFail([text])
    })
  }

  returnToSender(refusal: Refusal): void {
    if (!isPermanent(refusal)) {
      this.defer(refusal)
      return
    }
    this.settle(refusal, (text) => {
      this.settlement.bounce([text])
    })
  }

  /** An unexpected error: the message is deferred. Never throws. */
  withhold(error: unknown): void {
    const detail = errorText(error)
    const stack = types.isNativeError(error) ? printable(error.stack ?? '', 1000) : ''
    const isSettledHere = this.settlement.isOpen
    this.defer({ reason: 'internal-error', host: this.destination.text, detail })
    const end = !isSettledHere
      ? ''
      : this.settlement.isReturning
        ? ', message returned'
        : ', message deferred'
    const text = `unexpected error${end}: ${detail} (${stack})`
    logFault(this.env.plugin, this.hmail, 'logerror', text)
  }

  /** Never throws: a report must not change what happens to the message. */
  report(event: MailEvent): void {
    try {
      this.env.report(this.hmail, event)
    } catch (error) {
      const text = `${event.kind} could not be reported: ${errorText(error)}`
      logFault(this.env.plugin, this.hmail, 'logerror', text)
    }
  }

  private settle(refusal: Refusal, hand: (text: string) => void): void {
    if (!this.settlement.isOpen) return
    try {
      describe(this.hmail, refusal)
    } catch (error) {
      const text = `DSN fields could not be set: ${errorText(error)}`
      logFault(this.env.plugin, this.hmail, 'logerror', text)
    }
    hand(senderText(refusal))
    const outcome = this.settlement.isReturning ? 'returned' : 'deferred'
    const { policy, destination } = this
    const isKnown = this.refusals.includes(refusal)
    const known = { policy, destination: destination.text, refusal, isKnown }
    this.report({ kind: 'settled', outcome, ...known })
  }

  private async timed(work: () => Promise<Decision>): Promise<Decision> {
    const begunAt = performance.now()
    const decision = await work()
    const milliseconds = performance.now() - begunAt
    const policy = judgedAs(this.inForce)
    this.report({ kind: 'decision', policy, decision: decision.kind, milliseconds })
    return decision
  }
}
