/**
 * Counts the sessions of this process for TLS reports (RFC 8460 §4.3).
 *
 * Hears the mail events that log and metrics hear. Only domains that publish a record are
 * counted, and never the sessions of mail that carries our own reports. Totals are in
 * memory, and go to the store every second and at shutdown.
 *
 * Promises: nothing here throws, or delays or changes mail. While the store fails, which is
 * logged once, counting goes on in memory and is stored later. An end without notice takes
 * the last second of counts, and those of domains whose record is being looked up.
 */
import type { RunningStore } from '../../assemble-reports.js'
import type { MailEvent } from '../../mail-event.js'
import type { DomainName } from '../../name.js'
import { isExcluded } from '../../settings/tlsrpt-settings.js'
import type { TlsrptSettings } from '../../settings/tlsrpt-settings.js'
import { errorText } from '../../text.js'
import { Counter } from '../../tlsrpt/counter.js'
import { endOf, utcDay } from '../../tlsrpt/day.js'
import type { UtcDay } from '../../tlsrpt/day.js'
import { isAcceptable } from '../../tlsrpt/record.js'
import type { FindRecord } from '../../tlsrpt/record.js'
import { sessionsOf } from '../../tlsrpt/session.js'
import type { CountedSession } from '../../tlsrpt/session.js'
import type { Hmail } from '../host.js'
import type { ProcessLog } from '../log/process-log.js'
import { isReportMail } from './report-mail.js'
import { createWanted } from './wanted.js'
import type { Wanted } from './wanted.js'

type CountingSettings = Pick<TlsrptSettings, 'exclude' | 'sendingIp' | 'isDnssecRequired'>

export type CountingParts = {
  readonly log: Pick<ProcessLog, 'logwarn' | 'lognotice'>
  readonly store: RunningStore
  readonly findRecord: FindRecord
  /** Of the settings in force; undefined: nothing is counted. */
  readonly settings: () => CountingSettings | undefined
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** A session was counted. */
  readonly onCounted: (session: CountedSession) => void
}

type Pending = CountedSession & { readonly day: UtcDay }

export class Counting {
  private readonly parts: CountingParts
  private readonly counter = new Counter()
  private readonly wanted: Wanted
  /** Sessions of domains whose record is being looked up. */
  private readonly pending = new Map<DomainName, Pending[]>()
  private pendingSessions = 0
  /** Days that have ended and were left to the store. */
  private readonly closed = new Set<UtcDay>()
  private readonly timer: NodeJS.Timeout
  private last: Promise<void> = Promise.resolve()
  private isStoring = false
  private failures = 0
  private triedAt = 0
  private begunAt = 0
  private isFull = false

  constructor(parts: CountingParts) {
    this.parts = parts
    // Where no report would be sent, nothing is counted.
    const findRecord: FindRecord = async (domain) => {
      const lookup = await parts.findRecord(domain)
      const isDnssecRequired = parts.settings()?.isDnssecRequired === true
      const isUnsigned = lookup.kind === 'found' && !isAcceptable(lookup, isDnssecRequired)
      return isUnsigned ? { kind: 'none' } : lookup
    }
    this.wanted = createWanted(findRecord, parts.now, (domain, isWanted) => {
      this.answered(domain, isWanted)
    })
    this.timer = setInterval(() => {
      this.tick()
    }, FLUSH_MS).unref()
  }

  hear(hmail: Pick<Hmail, 'todo'>, event: MailEvent): void {
    const settings = this.parts.settings()
    if (settings === undefined) return
    // A lookup begins with the message, so that its answer is there when a session ends.
    if (event.kind === 'plan' && event.plan.route.kind !== 'relay' && !isReportMail(hmail)) {
      this.wanted.isWanted(event.plan.route.nextHop)
    }
    const sessions = sessionsOf(event)
    if (sessions.length === 0 || isReportMail(hmail)) return
    for (const session of sessions) {
      if (!isExcluded(settings, session.domain)) this.count(withAddress(session, settings))
    }
  }

  /** Redis may have lost what it had. */
  storeAgain(): void {
    this.counter.touch()
  }

  /** The process ends: what was counted is stored, then the store is closed. */
  stop(): void {
    clearInterval(this.timer)
    this.flush()
      .catch(() => undefined)
      .finally(() => {
        this.parts.store.close()
      })
      .catch(() => undefined)
  }

  /** Stores what has changed. Never rejects. */
  flush(): Promise<void> {
    this.last = this.last.then(() => this.storeChanged())
    return this.last
  }

  private count(session: CountedSession): void {
    const { now } = this.parts
    const day = utcDay(session.endedAt ?? now())
    // Its total is not here any more: a clock that was set back.
    if (this.closed.has(day)) return
    const isWanted = this.wanted.isWanted(session.domain)
    if (isWanted === true) this.add({ ...session, day })
    if (isWanted !== undefined || this.pendingSessions >= MAX_PENDING) return
    const waiting = this.pending.get(session.domain) ?? []
    waiting.push({ ...session, day })
    this.pending.set(session.domain, waiting)
    this.pendingSessions++
  }

  private answered(domain: DomainName, isWanted: boolean): void {
    const waiting = this.pending.get(domain) ?? []
    this.pending.delete(domain)
    this.pendingSessions -= waiting.length
    if (isWanted) for (const session of waiting) this.add(session)
  }

  private add(session: Pending): void {
    const { domain, day, policy, detail } = session
    const isCounted = this.counter.add({ day, domain, policy, detail, sessions: 1 })
    if (isCounted) {
      this.parts.onCounted(session)
      return
    }
    if (this.isFull) return
    this.isFull = true
    this.parts.log.logwarn(
      'TLS reports: there are too many domains today, further ones are not counted and get no report; mail is not affected',
    )
  }

  private tick(): void {
    const { now } = this.parts
    const pauseMs = Math.min(FLUSH_MS * 2 ** this.failures, MAX_PAUSE_MS)
    const waitedMs = Math.abs(now() - this.triedAt)
    if (this.isStoring || (this.failures > 0 && waitedMs < pauseMs)) return
    this.triedAt = now()
    this.flush().catch(() => undefined)
  }

  private async storeChanged(): Promise<void> {
    const { log, store } = this.parts
    this.isStoring = true
    try {
      const tallies = this.counter.takeChanged()
      if (tallies.length > 0) await store.add(tallies)
      await this.leavePastDays()
      if (this.failures > 0) log.lognotice('TLS reports: counts are stored again')
      this.failures = 0
    } catch (error) {
      this.counter.touch()
      if (this.failures === 0) {
        log.logwarn(
          `TLS reports: counts cannot be stored and are kept in memory, mail is not affected: ${errorText(error)}`,
        )
      }
      this.failures++
    } finally {
      this.isStoring = false
    }
  }

  /**
   * Drops days that have ended. Redis may lose its data: there a day is kept until its
   * reports are on their way, so that it can be written again.
   */
  private async leavePastDays(): Promise<void> {
    const { now, store } = this.parts
    const at = now()
    const today = utcDay(at)
    const past = this.counter.heldDays().filter((day) => day < today && at - endOf(day) > LATE_MS)
    if (past.length === 0) return
    this.isFull = false
    for (const day of past) {
      if (store.isDurable || at - endOf(day) > KEPT_MS) {
        this.counter.drop(day)
        this.closed.add(day)
      }
    }
    if (store.isDurable || Math.abs(at - this.begunAt) < BEGUN_MS) return
    this.begunAt = at
    for (const day of past) {
      for (const domain of await store.begun(day)) this.counter.drop(day, domain)
      if (!this.counter.heldDays().includes(day)) this.closed.add(day)
    }
  }
}

/** RFC 8460 §4.4 `sending-mta-ip`: the public address, if the operator has named one. */
function withAddress(
  session: CountedSession,
  { sendingIp }: Pick<TlsrptSettings, 'sendingIp'>,
): CountedSession {
  const { detail } = session
  const seen = detail?.sendingMtaIp
  if (detail === undefined || seen === undefined) return session
  const named = seen.includes(':') ? sendingIp.ipv6 : sendingIp.ipv4
  return named === undefined ? session : { ...session, detail: { ...detail, sendingMtaIp: named } }
}

const FLUSH_MS = 1_000
/** Between two attempts while the store fails. */
const MAX_PAUSE_MS = 30_000
/** Sessions that wait for a lookup. */
const MAX_PENDING = 10_000
/** After a day, until its last sessions have been counted. */
const LATE_MS = 60_000
/** After a day, for as long as its reports may be sent. */
const KEPT_MS = 36 * 3_600_000
/** Between two looks at which reports are on their way. */
const BEGUN_MS = 15_000
