/**
 * Where counts of sessions and the state of reports are kept.
 *
 * Implemented with Redis (all workers and relays come to one report) and with files (all
 * workers of one relay do). Types only; pure.
 *
 * Any method may reject, where Redis or the disk fails: then nothing is known, and the
 * caller tries again later. Mail never waits for a store.
 */
import type { DomainName } from '../name.js'
import type { DayCounts, Tally } from './counts.js'
import type { UtcDay } from './day.js'

/** What one report is about. */
export type ReportKey = { readonly day: UtcDay; readonly domain: DomainName }

/** How far the report of a (day, domain) has come. */
export type ReportState = {
  /**
   * open: nothing was sent. sending: written before the first octet is sent; if it is still
   * there when nobody holds the report, the sender has ended in between and the outcome is
   * not known, and a second report would be worse than none. waiting: not accepted yet, may
   * be tried again from `notBefore` on. done: accepted, given up or not wanted; never
   * touched again.
   */
  readonly kind: 'open' | 'sending' | 'waiting' | 'done'
  /** Milliseconds since the epoch; 0: at any time. */
  readonly notBefore: number
  /** What the sender wants to know at the next attempt, and `tlsrpt log` shows; at most 4,096 characters. */
  readonly note: string
}

/** The right to send the report of one (day, domain): at most one process has it. */
export type Claim = ReportKey & {
  /** Higher than that of every earlier claim of this report. */
  readonly fence: number
  /** The state when it was claimed. */
  readonly state: ReportState
}

export type ReportStore = {
  /**
   * Keeps what this process has counted. The sessions of a tally are the total of this
   * process since it began to count that day, not a difference: adding the same again
   * changes nothing, and a later tally of the same counter replaces the earlier one.
   */
  readonly add: (tallies: readonly Tally[]) => Promise<void>
  /** Days with counts, oldest first, today as well. */
  readonly days: () => Promise<readonly UtcDay[]>
  /** Domains with counts on this day, sorted. */
  readonly domains: (day: UtcDay) => Promise<readonly DomainName[]>
  /** The sum over all processes (and relays, with Redis); undefined: nothing was counted. */
  readonly read: (key: ReportKey) => Promise<DayCounts | undefined>
  /** The state without claiming; `open` if there is none. */
  readonly state: (key: ReportKey) => Promise<ReportState>
  /**
   * Takes the report for `leaseMs`, unless another process holds it, it is `done`, or it is
   * `waiting` for a later time than `at`. Undefined: not ours.
   */
  readonly claim: (key: ReportKey, at: number, leaseMs: number) => Promise<Claim | undefined>
  /**
   * Notes the state, if the claim still holds (nobody else has claimed it since), and makes
   * it durable before it settles: false if the claim is lost, and then the sender must stop.
   * With `waiting` and `done` the claim ends; with `sending` and `open` it goes on, for another lease.
   */
  readonly note: (claim: Claim, state: ReportState) => Promise<boolean>
  /** Ends the claim without changing the state. */
  readonly release: (claim: Claim) => Promise<void>
  /** A value that all senders share, as what is known about an address; undefined: none, or expired. */
  readonly recall: (name: string) => Promise<string | undefined>
  /** @param value at most 4,096 characters */
  readonly remember: (name: string, value: string, lifeMs: number) => Promise<void>
  /** Adds 1 and returns the sum, which begins anew after `lifeMs`; for limits of reports per day and address. */
  readonly tally: (name: string, lifeMs: number) => Promise<number>
  /** Drops counts and states of days before this one. */
  readonly forget: (before: UtcDay) => Promise<void>
  /** Ends connections and files. */
  readonly close: () => void
}
