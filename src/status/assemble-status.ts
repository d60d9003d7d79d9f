/**
 * Puts the status together from the queue and from what all processes know.
 *
 * Rows are made once for each change, so that several viewers cost hardly more than one.
 * Pure; sources are passed in.
 */
import { parseDomainName } from '../name.js'
import type { DestinationDetail, PolicyStatus } from './destination-detail.js'
import type { MergedFacts } from './merged-facts.js'
import { mergePlans } from './plan-view.js'
import type { PlanView } from './plan-view.js'
import type { QueueView } from './queue-files.js'
import { destinationName } from './queue-name.js'
import { NOTHING_WAITS } from './queue-sums.js'
import type {
  DestinationStatus,
  HeldTotals,
  Instant,
  RelayStatus,
  StatusModel,
  StatusQuery,
} from './status-model.js'
import { select } from './status-query.js'
import type { StatusSource } from './status-source.js'

export type StatusParts = {
  readonly queue: () => Promise<QueueView>
  readonly facts: MergedFacts
  /** Asks all processes for what is new; settles in bounded time. */
  readonly gather: () => Promise<void>
  /** What each process knows of the destination's last plan. */
  readonly plans: (destination: string) => Promise<readonly PlanView[]>
  readonly relay: () => RelayStatus
  /** By the settings in force; another object after each reload. */
  readonly policies: () => { readonly of: (destination: string) => PolicyStatus }
  readonly now: () => Instant
}

type Rows = {
  readonly madeOf: readonly unknown[]
  readonly rows: readonly DestinationStatus[]
  readonly held: HeldTotals
}

export function assembleStatus(parts: StatusParts): StatusSource {
  let made: Rows | undefined

  function rowsOf({ byDestination, status }: QueueView): Rows {
    const { facts } = parts
    const policies = parts.policies()
    const madeOf = [byDestination, status.messages, facts.version, policies]
    if (made && madeOf.every((each, index) => each === made?.madeOf[index])) return made
    const all = new Set([...byDestination.keys(), ...facts.destinations()])
    const rows = [...all].map((destination) =>
      rowOf(destination, parts, byDestination, policies.of(destination)),
    )
    made = { madeOf, rows, held: heldOf(rows) }
    return made
  }

  return {
    async currentStatus(query: StatusQuery): Promise<StatusModel> {
      const [queue] = await Promise.all([parts.queue(), parts.gather()])
      const { rows, held } = rowsOf(queue)
      const { now, relay } = parts
      return { at: now(), relay: relay(), queue: queue.status, held, ...select(rows, query) }
    },
    async destination(domain: string): Promise<DestinationDetail | undefined> {
      const destination = destinationName(domain)
      const [queue, , plans] = await Promise.all([
        parts.queue(),
        parts.gather(),
        parts.plans(destination),
      ])
      const { byDestination } = queue
      if (!byDestination.has(destination) && parts.facts.of(destination) === undefined) {
        return undefined
      }
      const policy = parts.policies().of(destination)
      return {
        at: parts.now(),
        relay: parts.relay(),
        queue: queue.status,
        status: rowOf(destination, parts, byDestination, policy),
        plan: mergePlans(plans),
        policy,
        command: commandFor(destination),
      }
    },
  }
}

function rowOf(
  destination: string,
  { facts }: Pick<StatusParts, 'facts'>,
  byDestination: QueueView['byDestination'],
  { policy }: PolicyStatus,
): DestinationStatus {
  const known = facts.of(destination)
  const isEnforced =
    policy === 'opportunistic' || policy === 'mandatory' || known?.isRouted === true
  return {
    destination,
    waiting: byDestination.get(destination) ?? NOTHING_WAITS,
    dane: isEnforced ? (known?.dane ?? { kind: 'unknown' }) : { kind: 'not-enforced' },
    policy,
    hosts: known?.hosts ?? [],
    lastSuccess: known?.lastSuccess,
    lastRefusal: known?.lastRefusal,
  }
}

function heldOf(rows: readonly DestinationStatus[]): HeldTotals {
  const held = rows.filter(({ dane }) => dane.kind === 'held')
  return {
    destinations: held.length,
    messages: held.reduce((sum, { waiting }) => sum + waiting.messages, 0),
  }
}

/** Empty if there is nothing to try: the destination is no domain name. */
function commandFor(destination: string): readonly string[] {
  const domain = parseDomainName(destination)
  return domain === undefined ? [] : ['haraka-dane', 'verify', domain]
}
