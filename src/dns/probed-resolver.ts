/**
 * One resolver that is probed, and used only while it validates.
 *
 * Probed at start and then at intervals, soon after a failure, so that it is used again
 * once it has recovered.
 *
 * Promises: `lookup` never returns an answer unless the latest probe has shown that the
 * resolver validates, or passes on what the plugin needs to validate, nor one from a
 * resolver that failed a probe while the query was in flight. Clock, timer and randomness
 * are passed in.
 */
import { isUsable } from '../lookup.js'
import type { FailureCause, Lookup, LookupObserver, ProbeResult, RecordType } from '../lookup.js'
import type { DomainName } from '../name.js'
import { errorText } from '../text.js'
import type { Probe } from './probe.js'
import type { Stub } from './stub.js'

export type Member = Stub & {
  readonly probe: Probe
  /** As `lookup`, validated by the plugin: for a resolver that only passes data on. */
  readonly validated?: Stub['lookup']
  /** dane.ini does not name it, and there are others. */
  readonly isOptional?: boolean
}

export type ProbedParts = {
  /** Milliseconds for one lookup or probe. */
  readonly timeoutMs: number
  /** Milliseconds between two probes of a resolver that answers. */
  readonly probeIntervalMs: number
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** Calls `action` after `milliseconds`, unless the returned function is called before. */
  readonly schedule: (milliseconds: number, action: () => void) => () => void
  /** From 0 inclusive to 1 exclusive. */
  readonly random: () => number
  readonly observe: LookupObserver
  /** Called when a resolver that was trusted turns out not to validate: all its answers are suspect. */
  readonly flush: () => void
  /** Called after each probe. */
  readonly onProbed: () => void
}

export class ProbedResolver {
  private readonly member: Member
  private readonly parts: ProbedParts
  private current: ProbeResult | undefined
  private probedAt = 0
  private probing: Promise<void> | undefined
  private cancel = nothing
  /** Consecutive probes without a conclusive result. */
  private failures = 0
  /**
   * Whether it has validated since it last failed to. Initially true: an earlier process
   * may have used it.
   */
  private isTrusted = true
  /** How often a probe has shown that it does not validate. */
  private lapses = 0
  private isClosed = false

  constructor(member: Member, parts: ProbedParts) {
    this.member = member
    this.parts = parts
  }

  /** Undefined before the first probe has ended. */
  get result(): ProbeResult | undefined {
    return this.current
  }

  /** Whether its answers may be used, validated by itself or by the plugin. */
  get isValidating(): boolean {
    return isUsable(this.current)
  }

  /** Whether a resolver that is not in use may be probed again by now. */
  get mayHaveRecovered(): boolean {
    const { now } = this.parts
    return (
      this.current !== undefined && !this.isValidating && now() - this.probedAt >= FIRST_PAUSE_MS
    )
  }

  /** Undefined if it does not validate. Waits for the first probe. */
  async lookup<T extends RecordType>(
    name: DomainName,
    type: T,
    deadline: number,
  ): Promise<Lookup<T> | undefined> {
    if (this.current === undefined) await inTime(this.probe(), deadline, this.parts)
    if (!this.isValidating) return undefined
    const { lapses, member } = this
    const look = this.current?.kind === 'passing' ? member.validated : member.lookup
    if (look === undefined) return undefined
    const lookup = await look(name, type, deadline)
    // Only a probe can show whether the resolver failed, or the name's servers.
    if (lookup.kind === 'failed' && !NAMES_OWN.has(lookup.cause)) this.probeSoon()
    return this.lapses === lapses ? lookup : undefined
  }

  /** Settles when the probe has ended; callers share one probe. */
  probe(): Promise<void> {
    this.cancel()
    this.probing ??= this.member
      .probe(this.parts.now() + this.parts.timeoutMs)
      .catch((error: unknown): ProbeResult => ({ kind: 'failing', detail: errorText(error) }))
      .then((result) => {
        this.note(result)
      })
    return this.probing
  }

  /** As `probe`, without waiting. */
  startProbe(): void {
    this.probe().catch(nothing)
  }

  /** Probes now, or shortly after the last probe: lookups tend to fail together, and one probe is enough. */
  probeSoon(): void {
    if (this.probing !== undefined || this.isClosed) return
    this.schedule(Math.max(0, this.probedAt + FIRST_PAUSE_MS - this.parts.now()))
  }

  /** No more probes. */
  close(): void {
    this.isClosed = true
    this.cancel()
  }

  describe(): string {
    const { server } = this.member
    const result = this.current
    if (result === undefined) return `${server} has not answered yet`
    switch (result.kind) {
      case 'validating':
        return `${server} validates`
      case 'passing':
        return `${server} passes DNSSEC data on`
      case 'unusable':
        return `${server} is not used: ${result.problem}, ${result.detail}`
      case 'not-validating':
        return `${server} does not validate: ${result.detail}`
      case 'failing':
        return `${server} fails: ${result.detail}`
    }
  }

  private note(result: ProbeResult): void {
    const before = this.current
    const { now, observe, onProbed } = this.parts
    this.probing = undefined
    this.probedAt = now()
    this.failures = isConclusive(result) ? 0 : this.failures + 1
    this.current = result
    this.noteTrust(result)
    if (this.isClosed) return
    this.schedule(this.pause())
    if (before?.kind !== result.kind) {
      const { server, isOptional = false } = this.member
      observe({ kind: 'resolver', server, result, isFirst: before === undefined, isOptional })
    }
    onProbed()
  }

  /** RFC 4035 §4.9.3: its AD bit has meant nothing for an unknown time. */
  private noteTrust(result: ProbeResult): void {
    if (result.kind === 'validating') this.isTrusted = true
    const isPassing = result.kind === 'passing' || result.kind === 'unusable'
    const byItself = isPassing ? result.byItself : result
    if (byItself?.kind !== 'not-validating') return
    this.lapses++
    if (this.isTrusted) this.parts.flush()
    this.isTrusted = false
  }

  private schedule(milliseconds: number): void {
    this.cancel()
    this.cancel = this.parts.schedule(milliseconds, () => {
      this.startProbe()
    })
  }

  /** Randomized, so that many relays do not probe at the same instant. */
  private pause(): number {
    const { probeIntervalMs, random } = this.parts
    const usual =
      this.failures > 0 ? FIRST_PAUSE_MS * 2 ** Math.min(this.failures - 1, 10) : probeIntervalMs
    return Math.min(usual, probeIntervalMs) * (0.9 + 0.2 * random())
  }
}

/** Waits for `work`, at most until the deadline. */
export function inTime(
  work: Promise<unknown>,
  deadline: number,
  { now, schedule }: Pick<ProbedParts, 'now' | 'schedule'>,
): Promise<unknown> {
  let cancel = nothing
  const late = new Promise<void>((resolve) => {
    cancel = schedule(Math.max(0, deadline - now()), resolve)
  })
  return Promise.race([work, late]).finally(cancel)
}

function isConclusive(result: ProbeResult): boolean {
  if (result.kind === 'validating') return result.caveat === undefined
  return result.kind === 'passing'
}

function nothing(): void {
  // no timer is running, or the result is noted elsewhere
}

/**
 * Failures that say nothing about the resolver. Bogus is not among them: with a wrong clock
 * or an outdated trust anchor everything is bogus.
 */
const NAMES_OWN: ReadonlySet<FailureCause> = new Set(['servfail', 'alias-loop'])
/** Milliseconds before a failed resolver is probed again, doubled with each further failure. */
const FIRST_PAUSE_MS = 1_000
