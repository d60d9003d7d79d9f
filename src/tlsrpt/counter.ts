/**
 * Adds sessions up, within bounds whatever names and certificates strangers use.
 *
 * One counter for each combination of day, domain, policy and result. What is beyond a
 * bound is still in the totals: of a policy without its records, or of a detail without
 * names and addresses. Domains beyond the bound are not counted. Pure, apart from what it
 * remembers.
 */
import type { DomainName } from '../name.js'
import type { CountedDetail, DayCounts, FailureDetail, ReportPolicy, Tally } from './counts.js'
import type { PolicyCounts } from './counts.js'
import type { UtcDay } from './day.js'
import { detailText, policyText } from './tally-text.js'

export type Limits = {
  /** Recipient domains a day. */
  readonly domains: number
  /** Policies of a domain. */
  readonly policies: number
  /** Details of a policy. */
  readonly details: number
  /** Characters of a domain's policies and details: a report is at most about twice as long. */
  readonly characters: number
}

export const LIMITS: Limits = {
  domains: 10_000,
  policies: 100,
  details: 500,
  characters: 400_000,
}

/** Sessions of one kind; `sessions` only grows. */
type Cell = { readonly detail: FailureDetail | undefined; sessions: number; isChanged: boolean }

type PolicyCells = {
  readonly policy: ReportPolicy
  /** By `detailText`. */
  readonly cells: Map<string, Cell>
}

class DomainCounter {
  readonly policies = new Map<string, PolicyCells>()
  private characters = 0
  private readonly limits: Limits
  readonly domain: DomainName

  constructor(domain: DomainName, limits: Limits) {
    this.domain = domain
    this.limits = limits
  }

  add(policy: ReportPolicy, detail: FailureDetail | undefined, sessions: number): void {
    const cell = this.cellOf(this.policyOf(policy), detail)
    cell.sessions += sessions
    cell.isChanged = true
  }

  private policyOf(policy: ReportPolicy): PolicyCells {
    const text = policyText(policy)
    const known = this.policies.get(text)
    if (known) return known
    const isRoom =
      this.policies.size < this.limits.policies &&
      this.characters + text.length <= this.limits.characters
    if (isRoom) return this.newPolicy(text, policy)
    const rest: ReportPolicy =
      policy.kind === 'tlsa' ? { kind: 'tlsa', domain: this.domain, records: [] } : policy
    const restText = policyText(rest)
    return this.policies.get(restText) ?? this.newPolicy(restText, rest)
  }

  private newPolicy(text: string, policy: ReportPolicy): PolicyCells {
    const made = { policy, cells: new Map<string, Cell>() }
    this.policies.set(text, made)
    this.characters += text.length
    return made
  }

  private cellOf({ cells }: PolicyCells, detail: FailureDetail | undefined): Cell {
    const text = detailText(detail)
    const known = cells.get(text)
    if (known) return known
    const isRoom =
      cells.size < this.limits.details && this.characters + text.length <= this.limits.characters
    if (isRoom || detail === undefined) return this.newCell(cells, text, detail)
    const rest = { ...NOTHING, resultType: detail.resultType }
    const restText = detailText(rest)
    return cells.get(restText) ?? this.newCell(cells, restText, rest)
  }

  private newCell(cells: Map<string, Cell>, text: string, detail: FailureDetail | undefined): Cell {
    const made = { detail, sessions: 0, isChanged: false }
    cells.set(text, made)
    this.characters += text.length
    return made
  }
}

export class Counter {
  private readonly days = new Map<UtcDay, Map<DomainName, DomainCounter>>()
  /** Domains with changes that were not taken yet. */
  private changed = new Map<DomainCounter, UtcDay>()
  private readonly limits: Limits

  constructor(limits = LIMITS) {
    this.limits = limits
  }

  /** False if the day has too many domains already: then it is not counted. */
  add({ day, domain, policy, detail, sessions }: Tally): boolean {
    const domains = this.days.get(day) ?? new Map<DomainName, DomainCounter>()
    let counter = domains.get(domain)
    if (counter === undefined) {
      if (domains.size >= this.limits.domains) return false
      counter = new DomainCounter(domain, this.limits)
      domains.set(domain, counter)
      this.days.set(day, domains)
    }
    counter.add(policy, detail, sessions)
    this.changed.set(counter, day)
    return true
  }

  /** The totals that have changed since they were taken last. */
  takeChanged(): readonly Tally[] {
    const tallies: Tally[] = []
    for (const [{ domain, policies }, day] of this.changed) {
      for (const { policy, cells } of policies.values()) {
        for (const cell of cells.values()) {
          if (!cell.isChanged) continue
          cell.isChanged = false
          tallies.push({ day, domain, policy, detail: cell.detail, sessions: cell.sessions })
        }
      }
    }
    this.changed = new Map()
    return tallies
  }

  /** All totals count as changed: a store may have lost them. */
  touch(): void {
    for (const [day, domains] of this.days) {
      for (const counter of domains.values()) {
        this.changed.set(counter, day)
        for (const { cells } of counter.policies.values()) {
          for (const cell of cells.values()) cell.isChanged = true
        }
      }
    }
  }

  /** Drops a day, or one domain of it. */
  drop(day: UtcDay, domain?: DomainName): void {
    const domains = this.days.get(day)
    for (const [name, counter] of domains ?? []) {
      if (domain !== undefined && domain !== name) continue
      this.changed.delete(counter)
      domains?.delete(name)
    }
    if (domain === undefined || domains?.size === 0) this.days.delete(day)
  }

  /** Days with counts. */
  heldDays(): readonly UtcDay[] {
    return [...this.days.keys()]
  }

  counts(day: UtcDay, domain: DomainName): DayCounts | undefined {
    const counter = this.days.get(day)?.get(domain)
    return counter && { day, domain, policies: [...counter.policies.values()].map(summed) }
  }
}

/** The sum of the tallies of one domain and day; undefined if there are none. */
export function sumOf(
  day: UtcDay,
  domain: DomainName,
  tallies: readonly Pick<Tally, 'policy' | 'detail' | 'sessions'>[],
  limits = LIMITS,
): DayCounts | undefined {
  const counter = new Counter(limits)
  for (const tally of tallies) counter.add({ ...tally, day, domain })
  return counter.counts(day, domain)
}

function summed({ policy, cells }: PolicyCells): PolicyCounts {
  let successful = 0
  let failed = 0
  const details: CountedDetail[] = []
  for (const { detail, sessions } of cells.values()) {
    if (detail === undefined) successful += sessions
    else {
      failed += sessions
      details.push({ ...detail, sessions })
    }
  }
  return { policy, successful, failed, details }
}

const NOTHING = {
  sendingMtaIp: undefined,
  receivingMxHostname: undefined,
  receivingMxHelo: undefined,
  receivingIp: undefined,
  reasonCode: undefined,
  additionalInformation: undefined,
}
