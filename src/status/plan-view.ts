/**
 * The last plan of a destination as text, with what each host showed.
 *
 * `viewPlan` is done in the process that made the plan, when somebody looks; `mergePlans`
 * where the status is put together. Pure.
 */
import { phraseOf } from '../reason.js'
import type { Exemption, RoutedHost } from '../mail-event.js'
import type { HostPlan } from '../plan.js'
import { printable } from '../text.js'
import { tlsaText } from '../tlsa.js'
import type { TlsaRecord } from '../tlsa.js'
import type { HostAttempt, HostRequirement, HostStatus, PlanStatus } from './destination-detail.js'
import { refusalText } from './facts.js'
import type { Attempted, PlanFacts, Planned } from './facts.js'
import { later } from './merged-facts.js'
import { MAX_ADDRESSES, MAX_HOSTS, MAX_RECORDS } from './status-model.js'

/** What one process knows. Plain data, which can be sent to another process. */
export type PlanView = {
  /** Without what hosts showed. */
  readonly plan: PlanStatus | undefined
  readonly attempts: readonly { readonly host: string; readonly attempt: HostAttempt }[]
}

export function viewPlan({ planned, attempts }: PlanFacts): PlanView {
  return {
    plan: planned && viewPlanned(planned),
    attempts: [...attempts].map(([host, attempted]) => ({
      host: printable(host),
      attempt: viewAttempt(attempted),
    })),
  }
}

/** The latest plan, and of each host the latest attempt, whichever process made it. */
export function mergePlans(views: readonly PlanView[]): PlanStatus | undefined {
  const plan = views.reduce<PlanStatus | undefined>(
    (last, next) => later(last, next.plan),
    undefined,
  )
  if (plan === undefined) return undefined
  const attempts = views.flatMap((view) => view.attempts)
  const hosts = plan.hosts.map((host) => {
    const own = attempts.filter((each) => each.host === host.host)
    const lastAttempt = own.reduce<HostAttempt | undefined>(
      (last, { attempt }) => later(last, attempt),
      undefined,
    )
    return { ...host, lastAttempt }
  })
  return { ...plan, hosts }
}

function viewPlanned(planned: Planned): PlanStatus {
  const { at, policy } = planned
  if (planned.kind === 'routed') return viewRoute(planned)
  const { route, hosts, omittedHosts = 0 } = planned.plan
  const shown = hosts.toSorted((a, b) => a.preference - b.preference).slice(0, MAX_HOSTS)
  return {
    at,
    policy,
    route: route.kind,
    security: route.security,
    hosts: shown.map(viewHost),
    omittedHosts: omittedHosts + hosts.length - shown.length,
  }
}

function viewRoute({ at, policy, hosts }: Extract<Planned, { kind: 'routed' }>): PlanStatus {
  const isInsecure = hosts.some(
    ({ says }) => says.kind === 'planned' && says.security === 'insecure',
  )
  return {
    at,
    policy,
    route: 'relay',
    security: isInsecure ? 'insecure' : 'secure',
    hosts: hosts.slice(0, MAX_HOSTS).map(viewRouted),
    omittedHosts: Math.max(0, hosts.length - MAX_HOSTS),
  }
}

function viewRouted({ host, port, policy, says }: RoutedHost): HostStatus {
  if (says.kind === 'planned') return { ...viewHost(says.plan), port, policy }
  return {
    host: printable(host),
    preference: 0,
    port,
    policy,
    requires: viewSaid(says),
    addresses: [],
    omittedAddresses: 0,
    lastAttempt: undefined,
  }
}

function viewSaid(says: Exclude<RoutedHost['says'], { kind: 'planned' }>): HostRequirement {
  if (says.kind === 'left-out') {
    const { reason, detail } = says.refusal
    const phrase = phraseOf(reason)
    return { kind: 'unreachable', reason, phrase, detail: printable(detail, 400) }
  }
  const { why } = says
  if (why !== 'address') return { kind: 'exempt', phrase: EXEMPTIONS[why] }
  const reason = 'address-literal'
  return { kind: 'opportunistic', reason, phrase: phraseOf(reason) }
}

function viewHost(plan: HostPlan): HostStatus {
  const { exchange, preference, addresses, laterAddresses = [] } = plan
  const all = [...addresses, ...laterAddresses]
  return {
    host: printable(exchange),
    preference,
    port: undefined,
    policy: undefined,
    requires: viewRequirement(plan),
    addresses: all.slice(0, MAX_ADDRESSES).map((address) => printable(address)),
    omittedAddresses: Math.max(0, all.length - MAX_ADDRESSES),
    lastAttempt: undefined,
  }
}

function viewRequirement({ policy, tlsa }: HostPlan): HostRequirement {
  switch (policy.kind) {
    case 'authenticate': {
      const { kind, tlsaBase } = policy
      const records = recordTexts(policy.records.map(({ published }) => published))
      const expiresAt = tlsa?.kind === 'secure' ? tlsa.expiresAt : undefined
      return { kind, tlsaBase, ...records, expiresAt }
    }
    case 'encrypt': {
      const { kind, tlsaBase, unusable } = policy
      return { kind, tlsaBase, ...recordTexts(unusable.map(({ record }) => record)) }
    }
    case 'opportunistic': {
      const { kind, reason } = policy
      return { kind, reason, phrase: phraseOf(reason) }
    }
    case 'unreachable': {
      const { kind, reason, detail } = policy
      return { kind, reason, phrase: phraseOf(reason), detail: printable(detail, 400) }
    }
  }
}

function recordTexts(records: readonly TlsaRecord[]): {
  readonly records: readonly string[]
  readonly omittedRecords: number
} {
  const shown = records.slice(0, MAX_RECORDS)
  return { records: shown.map(tlsaText), omittedRecords: records.length - shown.length }
}

function viewAttempt(attempted: Attempted): HostAttempt {
  const { at } = attempted
  if (attempted.kind === 'unreached') {
    const { kind, detail } = attempted
    return { kind, at, phrase: phraseOf('connection-failed'), detail: printable(detail, 400) }
  }
  if (attempted.kind === 'refused') {
    const { reason } = attempted.refusal
    const { phrase, detail } = refusalText(attempted.refusal)
    return { kind: 'refused', at, reason, phrase, detail }
  }
  const { verdict, session } = attempted
  const isVerified = verdict.kind === 'authenticated'
  return {
    kind: isVerified ? 'verified' : 'encrypted',
    at,
    protocol: printable(session.protocol),
    cipher: printable(session.cipher),
    record: isVerified ? tlsaText(verdict.record.published) : undefined,
    name: isVerified ? verdict.name : undefined,
  }
}

const EXEMPTIONS: Readonly<Record<Exclude<Exemption, 'address'>, string>> = {
  lmtp: 'LMTP, which is not SMTP',
  socket: 'a Unix socket, which is no network',
  policy: 'its policy enforces nothing',
  skip: 'dane.ini has routes = skip',
}
