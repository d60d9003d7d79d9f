/**
 * A day of mail, counted and reported: over destinations of every kind, by several relays
 * and workers, with Redis and without. Every figure of a report is the one that the mail
 * hosts and Haraka's log have.
 */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { after, before, describe, test } from 'node:test'
import { until } from '../../lab/child.js'
import type { Haraka, HarakaOptions } from '../../lab/haraka.js'
import { startRedis } from '../../lab/redis.js'
import { PLACE } from '../../lab/rows.js'
import { REPORT_NOTE } from '../../src/haraka/tlsrpt/report-mail.js'
import { openReportStore } from '../../src/assemble-reports.js'
import type { RunningStore } from '../../src/assemble-reports.js'
import { parseSettings } from '../../src/settings/settings.js'
import { DAY_MS } from '../../src/tlsrpt/day.js'
import type { UtcDay } from '../../src/tlsrpt/day.js'
import { totalsOf } from '../../src/tlsrpt/report.js'
import type { ReportedPolicy } from '../../src/tlsrpt/report.js'
import { KINDS } from '../support/day-kinds.js'
import type { Kind } from '../support/day-kinds.js'
import { arrivedAt, HASTE, MovedClock, TLSRPT_FILES, TLSRPT_INI } from '../support/report-relay.js'
import { deliver, startRelays } from '../support/relays.js'
import type { Relays } from '../support/relays.js'

/** Each test has destinations of its own. */
const SETS = ['redis', 'files'] as const
type Case = (typeof SETS)[number]

const labelOf = (kind: Pick<Kind, 'name'>, set: Case): string => `${kind.name}-${set}`
const domainOf = (kind: Pick<Kind, 'name'>, set: Case): string =>
  `${labelOf(kind, set)}.${PLACE.signed}`
/** It publishes no record. */
const SILENT = { name: 'silent', options: {} } as const

function startWorld(): Promise<Relays> {
  const all = SETS.flatMap((set) => KINDS.map((kind) => ({ kind, set })))
  const hosts = SETS.flatMap((set) =>
    [...KINDS, SILENT].map((kind) => [labelOf(kind, set), kind.options] as const),
  )
  return startRelays(
    { ...Object.fromEntries(hosts), reports: { place: PLACE.unsigned, tlsa: 'none' } },
    all.map(({ kind, set }) => ({
      domain: domainOf(kind, set),
      records: [
        `_smtp._tls.${domainOf(kind, set)}. TXT "v=TLSRPTv1; rua=mailto:${set}@reports.${PLACE.unsigned}"`,
      ],
    })),
  )
}

type Figures = Readonly<Record<string, number>>

/** Messages to each destination. */
const ROUNDS = 6
const OUTBOUND = 'local_mx_ok=true\nconnect_timeout=5\ntemp_fail_intervals=1h*3\n'

describe('a day of mail', { timeout: 600_000, concurrency: SETS.length }, () => {
  let relays: Relays
  let folder: string
  before(async () => {
    folder = mkdtempSync(path.join(tmpdir(), 'dane-day-'))
    relays = await startWorld()
  })
  after(async () => {
    await relays.laboratory.stop()
    rmSync(folder, { recursive: true })
  })

  /** Starts relays on one clock, runs the work, stops them. */
  async function withRelays(
    count: number,
    ini: string,
    work: (all: readonly Haraka[], clock: MovedClock) => Promise<void>,
  ): Promise<void> {
    const clock = new MovedClock(mkdtempSync(path.join(folder, 'clock-')))
    const options: Partial<HarakaOptions> = {
      clockFile: clock.file,
      files: { ...TLSRPT_FILES, 'outbound.ini': OUTBOUND },
      workers: 2,
      haste: HASTE,
    }
    const start = (): Promise<Haraka> =>
      relays.laboratory.startRelay('dane', options, `${TLSRPT_INI}\n${ini}`)
    const all = await Promise.all(Array.from({ length: count }, start))
    try {
      await work(all, clock)
    } finally {
      await Promise.all(all.map((relay) => relay.stop()))
    }
  }

  /** Sessions of each kind, as the hosts and as the log of the relays have them. */
  function figuresOf(set: Case, all: readonly Haraka[]): { seen: Figures; logged: Figures } {
    const log = all.flatMap((relay) => relay.log())
    const logged = KINDS.map((kind) => {
      const line = kind.line(domainOf(kind, set))
      return [kind.name, log.filter((each) => line.test(each)).length] as const
    })
    const seen = KINDS.map((kind) => {
      const { sessions } = relays.hostOf(labelOf(kind, set))
      return [kind.name, sessions.filter(kind.isSeen).length] as const
    })
    return { seen: Object.fromEntries(seen), logged: Object.fromEntries(logged) }
  }

  /** Mail to every kind of destination through these relays, and again what was deferred. */
  async function sendMail(set: Case, all: readonly Haraka[], clock: MovedClock): Promise<Figures> {
    const deliveries = Array.from({ length: ROUNDS }, (_, round) => {
      const relay = all[round % all.length]
      assert.ok(relay)
      return [...KINDS, SILENT].map((kind) => deliver(relay, `u${round}@${domainOf(kind, set)}`))
    })
    await Promise.all(deliveries.flat())
    clock.move(3_700_000)
    const wanted = KINDS.map(({ name, result }) => [name, result ? 2 * ROUNDS : ROUNDS] as const)
    await until('the second attempts', () => {
      const { seen, logged } = figuresOf(set, all)
      return wanted.every(
        ([kind, count]) => logged[kind] === count && (kind === 'bogus' || seen[kind] === count),
      )
    })
    const { seen, logged } = figuresOf(set, all)
    // A host with bogus records is not contacted: each decision not to is a failure.
    assert.equal(seen['bogus'], 0)
    assert.deepEqual({ ...seen, bogus: logged['bogus'] }, logged)
    return logged
  }

  /** Sends the reports of today. */
  async function sendReports(
    store: RunningStore,
    all: readonly Haraka[],
    clock: MovedClock,
    figures: Figures,
  ): Promise<void> {
    const day = clock.today()
    const sum = Object.values(figures).reduce((total, count) => total + count, 0)
    await until('the counts', async () => (await storedSessions(store, day)) >= sum)
    clock.move(DAY_MS - 7 * 3_600_000)
    const isDone = async (): Promise<boolean> => {
      const domains = await store.domains(day)
      const states = await Promise.all(domains.map((domain) => store.state({ day, domain })))
      return states.every(({ kind }) => kind === 'done')
    }
    await until('all reports to be done', isDone, { timeoutMs: 180_000 })
    // Leases have ended, and lists are read again: a process that would send one again does.
    clock.move(600_000)
    await pause(1_500)
    await until('the queues to have no report', async () => {
      const queued = await Promise.all(all.map(reportsInQueue))
      return queued.every((count) => count === 0)
    })
  }

  async function checkReports(set: Case, day: UtcDay, figures: Figures): Promise<void> {
    const everything = await arrivedAt(relays.hostOf('reports'))
    const all = everything.filter(({ domain }) => domain.endsWith(`-${set}.${PLACE.signed}`))
    assert.deepEqual(
      all.map(({ domain }) => domain).toSorted(),
      KINDS.map((kind) => domainOf(kind, set)).toSorted(),
    )
    for (const kind of KINDS) {
      const domain = domainOf(kind, set)
      const one = all.find((each) => each.domain === domain)
      assert.ok(one)
      const { report } = one
      assert.equal(report['date-range']['start-datetime'], `${day}T00:00:00Z`)
      const [policy, another] = report.policies
      assert.ok(policy)
      assert.equal(another, undefined)
      const { address } = relays.hostOf(labelOf(kind, set))
      assert.deepEqual(shownOf(policy), wantedOf(kind, set, figures[kind.name] ?? 0, address))
    }
  }

  test('two relays with two workers each and Redis: each domain gets one report', async () => {
    const redis = await startRedis(folder)
    const ini = `[redis]\nenabled = yes\nport = ${redis.port}\nprefix = day:\n`
    const store = openReportStore(parseSettings(ini), folder, 3 * DAY_MS)
    try {
      await withRelays(2, ini, async (both, clock) => {
        const day = clock.today()
        const figures = await sendMail('redis', both, clock)
        await sendReports(store, both, clock, figures)
        await checkReports('redis', day, figures)
      })
    } finally {
      store.close()
      await redis.child.stop()
    }
  })

  test('one relay with two workers and files: each domain gets one report', async () => {
    await withRelays(1, '', async (all, clock) => {
      const day = clock.today()
      const [relay] = all
      assert.ok(relay)
      const store = openReportStore({ redis: undefined }, relay.folder, 3 * DAY_MS)
      const figures = await sendMail('files', all, clock)
      await sendReports(store, all, clock, figures)
      await checkReports('files', day, figures)
    })
  })
})

type Shown = {
  readonly type: string
  readonly domain: string
  readonly successful: number
  readonly failed: number
  readonly details: readonly unknown[]
}

function shownOf({ policy, summary, 'failure-details': details = [] }: ReportedPolicy): Shown {
  return {
    type: policy['policy-type'],
    domain: policy['policy-domain'],
    successful: summary['total-successful-session-count'],
    failed: summary['total-failure-session-count'],
    details: details.map((each) => [
      each['result-type'],
      each['receiving-mx-hostname'],
      each['receiving-ip'],
      each['sending-mta-ip'],
      each['failed-session-count'],
    ]),
  }
}

function wantedOf(kind: Kind, set: Case, sessions: number, address: string): Shown {
  const host = `mx-${domainOf(kind, set)}`
  const isDane = kind.name !== 'daneless'
  const addresses = kind.name === 'bogus' ? [undefined, undefined] : [address, '192.0.2.1']
  return {
    type: isDane ? 'tlsa' : 'no-policy-found',
    domain: isDane ? host : domainOf(kind, set),
    successful: kind.result === undefined ? sessions : 0,
    failed: kind.result === undefined ? 0 : sessions,
    details: kind.result === undefined ? [] : [[kind.result, host, ...addresses, sessions]],
  }
}

/** Sessions of all domains. */
async function storedSessions(store: RunningStore, day: UtcDay): Promise<number> {
  const domains = await store.domains(day)
  const all = await Promise.all(domains.map((domain) => store.read({ day, domain })))
  return all.reduce((sum, counts) => {
    if (counts === undefined) return sum
    const { successful, failed } = totalsOf(counts)
    return sum + successful + failed
  }, 0)
}

async function reportsInQueue(relay: Haraka): Promise<number> {
  const queue = path.join(relay.folder, 'queue')
  const names = await readdir(queue)
  const texts = await Promise.all(
    names.map((name) => readFile(path.join(queue, name), 'latin1').catch(() => '')),
  )
  return texts.filter((text) => text.includes(REPORT_NOTE)).length
}
