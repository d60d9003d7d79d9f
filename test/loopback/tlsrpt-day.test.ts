/**
 * A day of mail, counted and reported: over destinations of every kind, by several relays
 * and workers, with Redis and without, and while processes are killed.
 */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { after, before, describe, test } from 'node:test'
import { until } from '../../lab/child.js'
import type { Haraka, HarakaOptions } from '../../lab/haraka.js'
import { startRedis } from '../../lab/redis.js'
import { PLACE } from '../../lab/rows.js'
import { DAY_MS } from '../../src/tlsrpt/day.js'
import { arrivedAt, MovedClock, TLSRPT_FILES, TLSRPT_INI } from '../support/report-relay.js'
import type { Arrived } from '../support/report-relay.js'
import { deliver, startRelays } from '../support/relays.js'
import type { Relays } from '../support/relays.js'

/** Each kind of destination, and the result type of RFC 8460 §4.3; undefined: success. */
const KINDS = {
  good: undefined,
  mismatched: 'certificate-not-trusted',
  stripped: 'starttls-not-supported',
  bogus: 'dnssec-invalid',
  daneless: undefined,
} as const

type Kind = keyof typeof KINDS

const KIND_LIST: readonly Kind[] = ['good', 'mismatched', 'stripped', 'bogus', 'daneless']

const startWorld = (): Promise<Relays> =>
  startRelays(
    {
      good: {},
      mismatched: { tlsa: 'wrong' },
      stripped: { host: { misbehavior: 'no-starttls' } },
      bogus: { isTlsaBogus: true },
      daneless: { tlsa: 'none' },
      silent: {},
      reports: { place: PLACE.unsigned, tlsa: 'none' },
    },
    KIND_LIST.map((kind) => ({
      domain: `${kind}.${PLACE.signed}.`,
      records: [
        `_smtp._tls.${kind}.${PLACE.signed}. TXT "v=TLSRPTv1; rua=mailto:${kind}@reports.${PLACE.unsigned}"`,
      ],
    })),
  )

const OUTBOUND = 'local_mx_ok=true\nconnect_timeout=5\ntemp_fail_intervals=1h*3\n'

/** Sessions that a report gives a domain: successful, failed, and the failures by result type. */
function figuresOf({
  report,
}: Arrived): readonly [number, number, Readonly<Record<string, number>>] {
  const types: Record<string, number> = {}
  let [successful, failed] = [0, 0]
  for (const { summary, 'failure-details': details = [] } of report.policies) {
    successful += summary['total-successful-session-count']
    failed += summary['total-failure-session-count']
    for (const each of details) {
      types[each['result-type']] = (types[each['result-type']] ?? 0) + each['failed-session-count']
    }
  }
  return [successful, failed, types]
}

function wantedOf(kind: Kind, messages: number): readonly [number, number, Record<string, number>] {
  const type = KINDS[kind]
  return type === undefined ? [messages, 0, {}] : [0, messages, { [type]: messages }]
}

describe('a day of mail', { timeout: 600_000 }, () => {
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

  const options = (clock: MovedClock, workers: number): Partial<HarakaOptions> => ({
    clockFile: clock.file,
    files: { ...TLSRPT_FILES, 'outbound.ini': OUTBOUND },
    workers,
  })

  /** Messages to every kind of destination, through these relays in turn. */
  async function send(through: readonly Haraka[], rounds: number): Promise<void> {
    for (let round = 0; round < rounds; round++) {
      for (const kind of [...KIND_LIST, 'silent']) {
        const relay = through[round % through.length]
        assert.ok(relay)
        await deliver(relay, `user${round}@${kind}.${PLACE.signed}`)
      }
    }
    // Counts go to the store every second.
    await pause(3_000)
  }

  const arrived = () => arrivedAt(relays.hostOf('reports'))

  async function reported(count: number): Promise<readonly Arrived[]> {
    await until(`${count} reports`, async () => (await arrived()).length >= count, {
      timeoutMs: 180_000,
    })
    // One that came twice would follow.
    await pause(20_000)
    return arrived()
  }

  function check(all: readonly Arrived[], messages: number, day: string): void {
    assert.deepEqual(
      all.map(({ domain }) => domain).toSorted(),
      KIND_LIST.map((kind) => `${kind}.${PLACE.signed}`).toSorted(),
    )
    for (const kind of KIND_LIST) {
      const one = all.find(({ domain }) => domain === `${kind}.${PLACE.signed}`)
      assert.ok(one)
      assert.deepEqual(figuresOf(one), wantedOf(kind, messages), kind)
      assert.equal(one.report['date-range']['start-datetime'], `${day}T00:00:00Z`)
      const policyType = kind === 'daneless' ? 'no-policy-found' : 'tlsa'
      assert.deepEqual(
        one.report.policies.map(({ policy }) => policy['policy-type']),
        [policyType],
      )
    }
  }

  test('two relays with two workers each and Redis: each domain gets one report', async () => {
    relays.hostOf('reports').forget()
    const clock = new MovedClock(mkdtempSync(path.join(folder, 'clock-')))
    const day = clock.today()
    const redis = await startRedis(folder)
    const ini = `${TLSRPT_INI}\n[redis]\nenabled = yes\nport = ${redis.port}\nprefix = day:\n`
    try {
      await relays.withRelay(
        options(clock, 2),
        (first) =>
          relays.withRelay(
            options(clock, 2),
            async (second) => {
              await send([first, second], 6)
              clock.move(DAY_MS - 7 * 3_600_000)
              check(await reported(KIND_LIST.length), 6, day)
            },
            ini,
          ),
        ini,
      )
    } finally {
      await redis.child.stop()
    }
  })

  test('one relay with two workers, files, and workers killed while they send', async () => {
    relays.hostOf('reports').forget()
    const clock = new MovedClock(mkdtempSync(path.join(folder, 'clock-')))
    const day = clock.today()
    await relays.withRelay(
      options(clock, 2),
      async (relay) => {
        await send([relay], 4)
        clock.move(DAY_MS - 7 * 3_600_000)
        for (let kill = 0; kill < 5; kill++) {
          await pause(1_000 + Math.random() * 3_000)
          const [worker] = relay.workers()
          if (worker !== undefined) process.kill(worker, 'SIGKILL')
          // Leases of the killed end by the clock.
          clock.move(240_000)
        }
        const end = Date.now() + 180_000
        while (withoutRepeats(await arrived()).length < KIND_LIST.length && Date.now() < end) {
          await pause(5_000)
          clock.move(240_000)
        }
        check(withoutRepeats(await reported(KIND_LIST.length)), 4, day)
      },
      TLSRPT_INI,
    )
  })
})

/**
 * A worker that is killed between the reply of the mail host and the removal of the queue
 * file sends the same file again (docs/tlsrpt.md): octet by octet, so that it is one report.
 */
function withoutRepeats(all: readonly Arrived[]): readonly Arrived[] {
  return [...new Map(all.map((each) => [each.raw, each])).values()]
}
