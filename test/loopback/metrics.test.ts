/** Metrics of a real Haraka with workers: every metric is shown and summed, and mail is never affected. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { until } from '../../lab/child.js'
import { freePort } from '../../lab/free-port.js'
import { startDestinations } from '../../lab/destination.js'
import type { Haraka, HarakaOptions } from '../../lab/haraka.js'
import type { Laboratory } from '../../lab/laboratory.js'
import { PLACE } from '../../lab/rows.js'
import { METRICS } from '../../src/metrics/catalog.js'

const GOOD = `good.${PLACE.signed}`
const BAD = `bad.${PLACE.signed}`
const WATCHED = `watched.${PLACE.signed}`

describe('metrics', () => {
  let laboratory: Laboratory
  before(async () => {
    laboratory = await startDestinations({
      good: {},
      bad: { tlsa: 'wrong' },
      watched: { tlsa: 'wrong' },
    })
  })
  after(() => laboratory.stop())

  async function withMetrics(
    work: (relay: Haraka, page: string) => Promise<void>,
    more: Partial<HarakaOptions> = {},
    metrics = '[metrics]\nenabled = yes\n',
  ): Promise<void> {
    const port = await freePort()
    const files = { 'http.ini': `listen=127.0.0.1:${port}`, ...more.files }
    const daneIni = `[domains]\n${WATCHED} = audit\n${metrics}`
    const relay = await laboratory.startRelay('dane', { ...more, files }, daneIni)
    const page = `http://127.0.0.1:${port}/metrics/dane`
    try {
      await until('the HTTP server', async () => {
        const response = await fetch(page).catch(() => undefined)
        return response !== undefined
      })
      await work(relay, page)
    } finally {
      await relay.stop()
    }
  }

  async function scrape(page: string): Promise<string> {
    const response = await fetch(page)
    const text = await response.text()
    assert.equal(response.status, 200, text)
    assert.match(response.headers.get('content-type') ?? '', /^text\/plain; version=0\.0\.4/)
    return text
  }

  /** The value of a series, or 0. */
  function value(text: string, series: string): number {
    const line = text.split('\n').find((each) => each.startsWith(`${series} `))
    return Number(line?.slice(series.length + 1) ?? 0)
  }

  const VERIFIED = 'dane_verdicts_total{policy="opportunistic",verdict="authenticated",reason=""}'
  const HELD =
    'dane_messages_held_total{policy="opportunistic",outcome="deferred",reason="certificate-mismatch"}'

  async function send(relay: Haraka, domain: string, count: number): Promise<void> {
    const ids = await Promise.all(
      Array.from({ length: count }, (_, i) => relay.submit(`m${i}@${domain}`)),
    )
    for (const id of ids) await relay.outcomeOf(id)
  }

  test('one process: every metric of the catalog, with the values of the mail sent', async () => {
    await withMetrics(async (relay, page) => {
      await send(relay, GOOD, 1)
      await send(relay, GOOD, 1)
      await send(relay, BAD, 1)
      await send(relay, WATCHED, 1)
      await until('forecast', () =>
        relay.log().some((line) => line.includes('audit: nothing enforced')),
      )
      const text = await scrape(page)
      const shown = Array.from(text.matchAll(/^# TYPE (\S+) (\S+)$/gm), ([, name, type]) => [
        name,
        type,
      ])
      assert.deepEqual(
        shown.toSorted(),
        Object.entries(METRICS)
          .map(([name, { type }]) => [name, type])
          .toSorted(),
      )
      const wanted: Readonly<Record<string, number>> = {
        [VERIFIED]: 2,
        [HELD]: 1,
        'dane_decisions_total{policy="opportunistic",decision="deliver"}': 3,
        [`dane_destination_deferrals_total{destination="${BAD}"}`]: 1,
        'dane_lookups_total{type="MX",status="secure"}': 3,
        'dane_audit_forecasts_total{policy="mandatory",forecast="deferred",reason="certificate-mismatch"}': 1,
        [`dane_audit_failing_total{policy="opportunistic",destination="${WATCHED}"}`]: 1,
        [`dane_resolver_validating{server="127.0.0.1:${laboratory.names.unboundPort}"}`]: 1,
        dane_resolvers_out: 0,
        'dane_processes{state="answered"}': 1,
        dane_handshake_duration_seconds_count: 3,
        dane_plan_duration_seconds_count: 3,
      }
      for (const [series, count] of Object.entries(wanted)) {
        assert.equal(value(text, series), count, `${series}\n${text}`)
      }
      assert.ok(value(text, 'dane_answers_total{layer="process"}') >= 4)
      assert.ok(value(text, 'dane_answers_total{layer="dns"}') >= 9)
      assert.match(text, /^[ -~\n]*$/)
    })
  })

  test('workers: each shows the sum of all, and the counts of a killed worker are kept', async () => {
    await withMetrics(
      async (relay, page) => {
        await send(relay, GOOD, 12)
        await send(relay, BAD, 3)
        const first = await scrape(page)
        assert.equal(value(first, VERIFIED), 12, first)
        assert.equal(value(first, HELD), 3)
        assert.equal(value(first, 'dane_processes{state="answered"}'), 4)
        // Each request is a new connection, so another worker answers.
        for (let i = 0; i < 6; i++) assert.equal(value(await scrape(page), VERIFIED), 12)

        const pids = workersOf(relay)
        assert.equal(pids.length, 3, relay.log().join('\n'))
        process.kill(pids[0] ?? 0, 'SIGKILL')
        let last = 12
        const watch = until('another worker', async () => {
          const response = await fetch(page).catch(() => undefined)
          if (response?.status === 200) {
            const now = value(await response.text(), VERIFIED)
            assert.ok(now >= last, `${now} after ${last}`)
            last = now
          }
          return workersOf(relay).length === 4
        })
        await watch
        await send(relay, GOOD, 2)
        assert.equal(value(await scrape(page), VERIFIED), 14)
      },
      { workers: 3 },
    )
  })

  test('a worker that does not answer delays the page by two seconds at most', async () => {
    await withMetrics(
      async (relay, page) => {
        await send(relay, GOOD, 6)
        assert.equal(value(await scrape(page), VERIFIED), 6)
        const [stopped = 0] = workersOf(relay)
        process.kill(stopped, 'SIGSTOP')
        try {
          // Connections may be given to the stopped worker: others answer.
          const texts = await Promise.all(
            Array.from({ length: 6 }, () =>
              fetch(page, { signal: AbortSignal.timeout(4_900) })
                .then((response) => response.text())
                .catch(() => ''),
            ),
          )
          const answered = texts.filter((text) => text.includes('dane_processes'))
          assert.ok(answered.length > 0)
          for (const text of answered) {
            assert.equal(value(text, VERIFIED), 6, text)
            assert.equal(value(text, 'dane_processes{state="silent"}'), 1)
          }
        } finally {
          process.kill(stopped, 'SIGCONT')
        }
      },
      { workers: 2 },
    )
  })

  test('disabled: no page, and prom-client is not loaded', async () => {
    const spy = `exports.hook_init_master = (next) => { setTimeout(() => {
  const loaded = Object.keys(require('node:module')._cache).filter((file) => file.includes('/prom-client/')).length
  process.stdout.write('prom-client files: ' + loaded + '\\n') }, 500); next() }`
    for (const [metrics, wanted] of [
      ['', /prom-client files: 0\n/],
      ['[metrics]\nenabled = yes\n', /prom-client files: [1-9]/],
    ] as const) {
      await withMetrics(
        async (relay, page) => {
          await until('the spy', () => relay.child.output().includes('prom-client files'))
          assert.match(relay.child.output(), wanted)
          assert.equal((await fetch(page)).status, metrics === '' ? 404 : 200)
        },
        { plugins: ['dane', 'spy'], ownPlugins: { spy } },
        metrics,
      )
    }
  })

  test('failing metrics do not affect mail', async () => {
    const sabotage = `const { prototype } = require(process.env.HARAKA + '/node_modules/prom-client/lib/counter.js')
prototype.incWithoutExemplar = () => { throw new Error('sabotage') }
prototype.get = () => Promise.reject(new Error('sabotage'))`
    await withMetrics(
      async (relay, page) => {
        await send(relay, GOOD, 2)
        assert.ok(relay.log().some((line) => line.includes('TLS success')))
        const faults = relay.log().filter((line) => line.includes('metrics miss events'))
        assert.equal(faults.length, 1)
        const response = await fetch(page)
        assert.equal(response.status, 503)
        assert.equal(await response.text(), 'metrics are not available: sabotage\n')
      },
      { plugins: ['sabotage', 'dane'], ownPlugins: { sabotage } },
    )
  })

  test('without an HTTP server: a warning at start', async () => {
    const relay = await laboratory.startRelay('dane', {}, '[metrics]\nenabled = yes\n')
    await until('the warning', () =>
      relay.log().some((line) => line.includes('metrics are counted but not served')),
    )
    await sleep(10)
    await relay.stop()
  })
})

/** Every worker so far. */
function workersOf(relay: Haraka): readonly number[] {
  return Array.from(
    relay
      .log()
      .join('\n')
      .matchAll(/worker started worker=\d+ pid=(\d+)/g),
    ([, pid]) => Number(pid),
  )
}
