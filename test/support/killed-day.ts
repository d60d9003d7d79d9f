/**
 * A day of TLS reports while a test kills processes: mail, counts, and what arrived.
 *
 * Each kill while sessions are counted has two domains of its own. To `rest-N` mail is sent
 * before, and the kill comes when its counts are stored: they have to be in the report. Mail
 * to `rush-N` is under way when the kill comes: the last second of it may be missing. The
 * domains `many-N` have counts from the start, so that there are reports to send.
 */
import assert from 'node:assert/strict'
import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { until } from '../../lab/child.js'
import type { Haraka } from '../../lab/haraka.js'
import type { MxHost } from '../../lab/mx-host.js'
import { PLACE } from '../../lab/rows.js'
import type { RunningStore } from '../../src/assemble-reports.js'
import { REPORT_NOTE } from '../../src/haraka/tlsrpt/report-mail.js'
import { DAY_MS } from '../../src/tlsrpt/day.js'
import type { UtcDay } from '../../src/tlsrpt/day.js'
import type { Report } from '../../src/tlsrpt/report.js'
import type { ReportState } from '../../src/tlsrpt/store.js'
import { name } from './names.js'
import { deliver } from './relays.js'
import type { MovedClock } from './report-relay.js'

export type KilledDayParts = {
  readonly set: string
  /** Kills while sessions are counted, and as many while reports are sent. */
  readonly rounds: number
  readonly relay: Haraka
  readonly store: RunningStore
  readonly clock: MovedClock
  /** Kills something by SIGKILL; resolves when what it was runs again. */
  readonly kill: () => Promise<void>
  /** Where the mail goes. */
  readonly host: MxHost
}

/** Messages of each rest and of each rush. */
const MESSAGES = 4
/** Reports for each kill while they are sent. */
const MANY = 10

const domainOf = (label: string, index: number, set: string): string =>
  `${label}-${index}-${set}.${PLACE.signed}`

/** Every domain of a set. */
export function killedDomains(set: string, rounds: number): readonly string[] {
  return Array.from({ length: rounds }, (_, round) => [
    domainOf('rest', round, set),
    domainOf('rush', round, set),
    ...Array.from({ length: MANY }, (__, index) => domainOf('many', round * MANY + index, set)),
  ]).flat()
}

export class KilledDay {
  private readonly parts: KilledDayParts
  private readonly day: UtcDay
  /** Recipients whose message Haraka has accepted. */
  private readonly accepted: string[] = []

  constructor(parts: KilledDayParts) {
    this.parts = parts
    this.day = parts.clock.today()
  }

  /** The counts of domains that get no mail. */
  async seed(): Promise<void> {
    const { rounds, set, store } = this.parts
    const domains = killedDomains(set, rounds).filter((domain) => domain.startsWith('many-'))
    await store.add(
      domains.map(name).map((domain) => ({
        day: this.day,
        domain,
        policy: { kind: 'no-policy-found', domain },
        detail: undefined,
        sessions: MESSAGES,
      })),
    )
  }

  async count(): Promise<void> {
    const { kill, relay, rounds, set } = this.parts
    for (let round = 0; round < rounds; round++) {
      const rest = domainOf('rest', round, set)
      const users = Array.from({ length: MESSAGES }, (_, index) => `u${index}`)
      this.accepted.push(...users.map((user) => `${user}@${rest}`))
      await Promise.all(
        users.map(async (user) => {
          assert.equal(await deliver(relay, `${user}@${rest}`), 'delivered over TLS')
        }),
      )
      await until('the counts of a rest', async () => {
        return (await this.stored(rest)) === this.sessionsOf(rest)
      })
      const rush = users.map((user) => `${user}@${domainOf('rush', round, set)}`)
      const submitted = rush.map((to) =>
        relay.submit(to).then(
          () => this.accepted.push(to),
          // The process has ended; a client would try again.
          () => undefined,
        ),
      )
      await pause(Math.random() * 300)
      await kill()
      await Promise.all(submitted)
    }
    await until(
      'all mail that was accepted',
      () => this.accepted.every((to) => this.deliveries(to) > 0),
      { timeoutMs: 120_000 },
    )
  }

  async send(): Promise<void> {
    const { clock, kill, relay, rounds } = this.parts
    const queued = (): number =>
      relay.log().filter((line) => line.includes('TLS report queued')).length
    clock.move(DAY_MS - 7 * 3_600_000)
    for (let round = 0; round < rounds; round++) {
      const before = queued()
      await until('a report', async () => queued() > before || (await this.isOver()))
      await pause(Math.random() * 300)
      await kill()
      // Leases of what was killed end by the clock.
      clock.move(240_000)
    }
    const end = Date.now() + 240_000
    while (!(await this.isOver())) {
      assert.ok(Date.now() < end, await this.remains())
      await pause(500)
      clock.move(120_000)
    }
  }

  /**
   * @param mailed the reports that came by mail, without octet-by-octet repeats, by domain
   * @param posted those that came by HTTPS
   */
  async check(
    mailed: readonly (readonly [string, Report])[],
    posted: readonly Report[],
  ): Promise<void> {
    const { rounds, set, store, relay } = this.parts
    assert.deepEqual(
      relay.log().filter((line) => line.includes('bouncing mail')),
      [],
    )
    const known = await store.domains(this.day)
    const all = killedDomains(set, rounds)
    // Of a rush nothing may have been counted.
    const silent = all.filter((domain) => !known.includes(name(domain)))
    assert.ok(
      silent.every((domain) => domain.startsWith('rush-')),
      silent.join(),
    )
    const arrived = mailed.map(([domain]) => domain)
    const lost = all.filter((domain) => !silent.includes(domain) && !arrived.includes(domain))
    const about = relay.log().filter((line) => lost.some((domain) => line.includes(domain)))
    assert.deepEqual(lost, [], about.join('\n'))
    assert.deepEqual(arrived.toSorted(), [...new Set(arrived)].toSorted(), 'mailed twice')
    const ids = posted.map((report) => report['report-id'])
    assert.deepEqual(ids.toSorted(), [...new Set(ids)].toSorted(), 'posted twice')
    const open = relay.log().filter((line) => line.includes('TLS report may have arrived'))
    assert.ok(ids.length + open.length >= mailed.length, `${ids.length} and ${open.join('\n')}`)
    for (const [domain, report] of mailed) {
      const sum = sessionsIn(report)
      const seen = domain.startsWith('many-') ? MESSAGES : this.sessionsOf(domain)
      if (domain.startsWith('rush-')) assert.ok(sum <= seen, `${domain}: ${sum} of ${seen}`)
      else assert.equal(sum, seen, domain)
    }
  }

  /** What happened, for people. */
  summary(mailed: number, repeats: number, posted: number): string {
    const { rounds, set, store } = this.parts
    const twice = this.accepted.filter((to) => this.deliveries(to) > 1).length
    store.close()
    return [
      `${set}: ${2 * rounds} kills; ${this.accepted.length} messages accepted, all delivered,`,
      `${twice} of them twice by Haraka; ${mailed} reports by mail, ${repeats} repeated octet`,
      `by octet by Haraka; ${posted} by HTTPS`,
    ].join(' ')
  }

  /** Sessions that the host saw for a domain. */
  private sessionsOf(domain: string): number {
    const { sessions } = this.parts.host
    return sessions.filter(({ recipients }) =>
      recipients.some(({ to }) => to.endsWith(`@${domain}`)),
    ).length
  }

  private deliveries(to: string): number {
    return this.parts.host.sessions
      .flatMap(({ delivered }) => delivered)
      .filter((one) => one === to).length
  }

  private async stored(domain: string): Promise<number> {
    const key = { day: this.day, domain: name(domain) }
    const counts = await this.parts.store.read(key).catch(() => undefined)
    return (counts?.policies ?? []).reduce((sum, each) => sum + each.successful + each.failed, 0)
  }

  private async states(): Promise<readonly (ReportState & { readonly domain: string })[]> {
    const { store } = this.parts
    const domains = await store.domains(this.day)
    return Promise.all(
      domains.map(async (domain) => ({
        domain,
        ...(await store.state({ day: this.day, domain })),
      })),
    )
  }

  /** Every report is done, and none is in Haraka's queue. */
  private async isOver(): Promise<boolean> {
    const states = await this.states().catch(() => [])
    const isDone = states.length > 0 && states.every(({ kind }) => kind === 'done')
    return isDone && (await this.inQueue()) === 0
  }

  private async remains(): Promise<string> {
    const states = await this.states()
    const open = states.filter(({ kind }) => kind !== 'done')
    return `${JSON.stringify(open)}, ${await this.inQueue()} reports in the queue`
  }

  private async inQueue(): Promise<number> {
    const queue = path.join(this.parts.relay.folder, 'queue')
    const texts = await Promise.all(
      (await readdir(queue)).map((file) =>
        readFile(path.join(queue, file), 'latin1').catch(() => ''),
      ),
    )
    return texts.filter((text) => text.includes(REPORT_NOTE)).length
  }
}

function sessionsIn({ policies }: Report): number {
  return policies.reduce(
    (sum, { summary }) =>
      sum + summary['total-successful-session-count'] + summary['total-failure-session-count'],
    0,
  )
}
