/**
 * SIGKILL of workers, of Redis, and of the process that counts or sends, at random moments:
 * no report twice, nothing lost that had a second's rest, mail untouched.
 *
 * A few kills of each; `TLSRPT_KILLS=20 npm test -- loopback/tlsrpt-kills` makes twenty
 * while a whole Haraka counts and sends.
 */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { HarakaOptions } from '../../lab/haraka.js'
import { startRedis } from '../../lab/redis.js'
import { ROOT } from '../../lab/root.js'
import { PLACE } from '../../lab/rows.js'
import { openReportStore } from '../../src/assemble-reports.js'
import { parseSettings } from '../../src/settings/settings.js'
import { createFileStore } from '../../src/tlsrpt/file-store.js'
import { DAY_MS } from '../../src/tlsrpt/day.js'
import { KilledDay, killedDomains } from '../support/killed-day.js'
import type { KilledDayParts } from '../support/killed-day.js'
import { ENDPOINT_ADDRESS, startEndpoint } from '../support/report-endpoint.js'
import type { ReportEndpoint } from '../support/report-endpoint.js'
import { arrivedAt, HASTE, MovedClock, TLSRPT_FILES, TLSRPT_INI } from '../support/report-relay.js'
import { startRelays } from '../support/relays.js'
import type { Relays } from '../support/relays.js'

const WRITER = path.join(ROOT, 'build/test/support/tlsrpt-writer.js')
const WRITERS = 20
const WRITERS_AT_ONCE = 5
/** Milliseconds: the flush interval, and what a busy machine adds to it. */
const LOST_MS = 2_500

/** Of whole Harakas: for each of the two, a quarter while it counts and a quarter while it sends. */
const KILLS = Number(process.env['TLSRPT_KILLS'] ?? 4)
const ROUNDS = Math.ceil(KILLS / 4)
const OUTBOUND = 'local_mx_ok=true\nconnect_timeout=5\ntemp_fail_intervals=5s*100\n'

describe('SIGKILL at random moments', { timeout: 900_000, concurrency: 3 }, () => {
  let relays: Relays
  let folder: string
  let endpoint: ReportEndpoint
  before(async () => {
    folder = mkdtempSync(path.join(tmpdir(), 'dane-kills-'))
    endpoint = await startEndpoint(folder)
    const domains = ['redis', 'files'].flatMap((set) =>
      killedDomains(set, ROUNDS).map((domain) => [set, domain] as const),
    )
    relays = await startRelays(
      {
        'good-redis': {},
        'good-files': {},
        reports: { place: PLACE.unsigned, tlsa: 'none' },
      },
      [
        { domain: PLACE.signed, records: endpoint.records },
        ...domains.map(([set, domain]) => ({
          domain,
          records: [
            `${domain}. MX 10 mx-good-${set}.${PLACE.signed}.`,
            `_smtp._tls.${domain}. TXT "v=TLSRPTv1; rua=mailto:${set}@reports.${PLACE.unsigned},${endpoint.url}"`,
          ],
        })),
      ],
    )
  })
  after(async () => {
    await relays.laboratory.stop()
    await endpoint.stop()
    rmSync(folder, { recursive: true })
  })

  const options = (clock: MovedClock, workers: number): Partial<HarakaOptions> => ({
    clockFile: clock.file,
    files: { ...TLSRPT_FILES, 'outbound.ini': OUTBOUND },
    workers,
    haste: HASTE,
    onLoopback: ENDPOINT_ADDRESS,
    caFile: endpoint.caFile,
  })

  const newClock = (): MovedClock => new MovedClock(mkdtempSync(path.join(folder, 'clock-')))

  async function live(
    set: string,
    parts: Omit<KilledDayParts, 'set' | 'rounds' | 'host'>,
  ): Promise<string> {
    const host = relays.hostOf(`good-${set}`)
    const day = new KilledDay({ ...parts, set, rounds: ROUNDS, host })
    await day.seed()
    await day.count()
    await day.send()
    const isOurs = (domain: string): boolean => domain.endsWith(`-${set}.${PLACE.signed}`)
    const arrived = await arrivedAt(relays.hostOf('reports'))
    const all = arrived.filter(({ domain }) => isOurs(domain))
    // A worker that is killed between the reply of the mail host and the removal of the
    // queue file sends the same file again (docs/tlsrpt.md): octet by octet, one report.
    const once = [...new Map(all.map((each) => [each.raw, each])).values()]
    const posted = endpoint.reports.filter((report) => {
      const [, domain = ''] = /^\d+\.(.+)@/.exec(report['report-id']) ?? []
      return isOurs(domain)
    })
    await day.check(
      once.map(({ domain, report }) => [domain, report] as const),
      posted,
    )
    return day.summary(once.length, all.length - once.length, posted.length)
  }

  test(`workers and Redis: ${2 * ROUNDS} kills`, async (t) => {
    const clock = newClock()
    const persistent = { options: ['--appendonly', 'yes'] }
    let redis = await startRedis(folder, persistent)
    const { port } = redis
    const ini = `[redis]\nenabled = yes\nport = ${port}\nprefix = kills:\n`
    const store = openReportStore(parseSettings(ini), folder, 3 * DAY_MS)
    let kills = 0
    try {
      await relays.withRelay(
        options(clock, 2),
        async (relay) => {
          const kill = async (): Promise<void> => {
            if (kills++ % 2 === 0) {
              redis.child.signal('SIGKILL')
              await redis.child.exited
              redis = await startRedis(folder, { ...persistent, port })
              return
            }
            const workers = relay.workers()
            const killed = workers[Math.floor(Math.random() * workers.length)]
            assert.ok(killed !== undefined)
            process.kill(killed, 'SIGKILL')
            // Haraka leaves the files of a worker alone until its next start if the next
            // worker ends before it has read their names.
            await relay.logged(`[pid: ${killed}]`, 3)
            await relay.logged('listening on', workers.length + Math.floor(kills / 2))
          }
          t.diagnostic(await live('redis', { relay, store, clock, kill }))
        },
        `${TLSRPT_INI}\n${ini}`,
      )
    } finally {
      store.close()
      await redis.child.stop()
    }
  })

  test(`the one process of a Haraka with files: ${2 * ROUNDS} kills`, async (t) => {
    const clock = newClock()
    await relays.withRelay(
      options(clock, 0),
      async (relay) => {
        const store = openReportStore({ redis: undefined }, relay.folder, 3 * DAY_MS)
        const kill = (): Promise<void> => relay.restart('SIGKILL')
        t.diagnostic(await live('files', { relay, store, clock, kill }))
      },
      TLSRPT_INI,
    )
  })

  test(`${WRITERS} processes that count: nothing counts twice, at most a second is lost`, async () => {
    const place = await mkdtemp(path.join(tmpdir(), 'tlsrpt-kills-'))
    try {
      let least = 0
      let most = 0
      for (let round = 0; round < WRITERS; round += WRITERS_AT_ONCE) {
        const some = Array.from({ length: WRITERS_AT_ONCE }, () =>
          runAndKill(place, 1_200 + Math.random() * 2_000),
        )
        for (const lines of await Promise.all(some)) {
          const [lastAt = 0, counted = 0] = lines.at(-1) ?? []
          // What was counted a while before the end has had its second.
          least += lines.findLast(([at]) => at < lastAt - LOST_MS)?.[1] ?? 0
          // The last line of a process may have been cut off with it.
          most += counted + 50
        }
      }
      const sum = await countedIn(place)
      assert.ok(sum > 0)
      assert.ok(sum >= least, `${sum} of at least ${least}`)
      assert.ok(sum <= most, `${sum} of at most ${most}`)
    } finally {
      await rm(place, { recursive: true, force: true })
    }
  })
})

async function countedIn(place: string): Promise<number> {
  const folder = path.join(place, 'tlsrpt')
  const store = createFileStore({ folder, writer: 'reader', now: () => Date.now() })
  let sum = 0
  for (const day of await store.days()) {
    for (const domain of await store.domains(day)) {
      for (const { successful, failed } of (await store.read({ day, domain }))?.policies ?? []) {
        sum += successful + failed
      }
    }
  }
  return sum
}

/** When it had counted how many. */
async function runAndKill(
  folder: string,
  milliseconds: number,
): Promise<readonly (readonly [number, number])[]> {
  const child = spawn(process.execPath, [WRITER, folder], { stdio: ['ignore', 'pipe', 'inherit'] })
  let text = ''
  child.stdout.setEncoding('utf8').on('data', (some: string) => {
    text += some
    // From its first line on: a busy machine is slow to start one.
    if (text.length === some.length) setTimeout(() => child.kill('SIGKILL'), milliseconds)
  })
  await new Promise((resolve) => child.on('close', resolve))
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => {
      const [at = 0, counted = 0] = line.split(' ').map(Number)
      return [at, counted]
    })
}
