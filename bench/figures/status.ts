/**
 * What does the delivery status cost while 100,000 messages wait for 2,000 destinations?
 *
 * Four workers. How long the page takes once the queue has been counted, each time over a
 * new connection, so that any worker answers; and the same messages delivered with and
 * without five watchers in turn. A watcher asks as the script of the page does, every five
 * seconds, compressed; what its browser costs is not part of the relay. The waiting files
 * are laid into the queue after the start, so Haraka itself does not load them.
 */
import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { until } from '../../lab/child.js'
import { freePort } from '../../lab/free-port.js'
import type { Bench, Figure } from '../figure.js'
import { quantileOf, spreadOf, spreadText } from '../statistics.js'
import type { Relay } from '../steward.js'

const WAITING = 100_000
const DESTINATIONS = 2_000
const WATCHERS = 5
const INTERVAL_MS = 5_000
const VIEWS = 60

export async function measureStatus({ world, size, note }: Bench): Promise<Figure> {
  const port = await freePort()
  const url = `http://127.0.0.1:${port}/dane`
  const relay = await world.startRelay({
    daneIni: ['[cache]', 'entries = 100000', '[status]', 'enabled = yes'],
    workers: 4,
    files: { 'http.ini': `listen=127.0.0.1:${port}` },
  })
  try {
    layWaiting(path.join(relay.haraka.folder, 'queue'))
    note(`${WAITING} files are in the queue`)
    const countingMs = await timed(() =>
      until('the count', () => isCounted(url), { timeoutMs: 300_000 }),
    )
    note(`counted after ${(countingMs / 1000).toFixed(1)} s`)
    const views = await timeViews(url)
    const domains = world.domains.slice(0, size.messages)
    const runs: Record<'alone' | 'watched', number[]> = { alone: [], watched: [] }
    for (let round = -1; round < size.pairs; round++) {
      const order =
        round % 2 === 0 ? (['alone', 'watched'] as const) : (['watched', 'alone'] as const)
      for (const kind of order) {
        const perSecond = await deliver(relay, domains, kind === 'watched' ? url : undefined)
        note(`${kind}: ${perSecond.toFixed(0)}/s`)
        if (round >= 0) runs[kind].push(perSecond)
      }
    }
    const page = {
      median: spreadOf(views).median,
      most: Math.max(...views),
      p95: quantileOf(views, 0.95),
    }
    const ratio = spreadOf(runs.watched.map((each, i) => each / (runs.alone[i] ?? NaN)))
    return {
      data: { countingMs, page, ratio, runs },
      text: [
        `page with ${WAITING} waiting messages: median ${page.median.toFixed(0)} ms, 95 % within ${page.p95.toFixed(0)} ms, at most ${page.most.toFixed(0)} ms`,
        `first count of the queue: ${(countingMs / 1000).toFixed(1)} s`,
        `throughput with ${WATCHERS} watchers, relative to none: ${spreadText(ratio)}`,
      ].join('\n'),
    }
  } finally {
    await relay.haraka.stop()
  }
}

async function isCounted(url: string): Promise<boolean> {
  const page = await view(url)
  return !page.includes('is being counted') && page.includes('100,000')
}

async function timeViews(url: string): Promise<readonly number[]> {
  const variants = ['', '?show=waiting&sort=oldest', '?q=d1', `?from=${DESTINATIONS / 2}`]
  const times: number[] = []
  for (let i = 0; i < VIEWS; i++) {
    times.push(await timed(() => view(`${url}${variants[i % variants.length] ?? ''}`)))
    // Below the rate that a process answers.
    await sleep(100)
  }
  return times
}

async function view(url: string): Promise<string> {
  // A new connection each time, which reaches the next worker.
  const response = await fetch(url, { headers: { connection: 'close' } })
  const text = await response.text()
  assert.equal(response.status, 200, text)
  return text
}

async function deliver(
  relay: Relay,
  domains: readonly string[],
  watched: string | undefined,
): Promise<number> {
  const end = new AbortController()
  const watch = async (index: number, page: string): Promise<void> => {
    await sleep((index * INTERVAL_MS) / WATCHERS, undefined, { signal: end.signal })
    for (;;) {
      await view(page)
      await sleep(INTERVAL_MS, undefined, { signal: end.signal })
    }
  }
  const faults: unknown[] = []
  const watchers = Array.from({ length: watched === undefined ? 0 : WATCHERS }, (_, index) =>
    watch(index, watched ?? '').catch((error: unknown) => {
      if (!end.signal.aborted) faults.push(error)
    }),
  )
  const { delivered, seconds } = await relay.deliver(domains)
  end.abort()
  await Promise.all(watchers)
  assert.deepEqual(faults, [])
  assert.equal(delivered, domains.length)
  return domains.length / seconds
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now()
  await work()
  return performance.now() - startedAt
}

/** In Haraka's own format; none is due, and no process has this id. */
function layWaiting(folder: string): void {
  mkdirSync(folder, { recursive: true })
  const now = Date.now()
  for (let i = 0; i < WAITING; i++) {
    const domain = `d${i % DESTINATIONS}.waiting.example`
    const todo = { queue_time: now, domain, rcpt_to: [{ user: 'u', host: domain }], notes: {} }
    const head = Buffer.from(JSON.stringify(todo))
    const length = Buffer.alloc(4)
    length.writeUInt32BE(head.length)
    const name = `${now - i * 100}_${now + 7_200_000 + i}_3_1_W${i}_0_bench`
    writeFileSync(path.join(folder, name), Buffer.concat([length, head, MESSAGE]))
  }
}

const MESSAGE = Buffer.from('Subject: waits\r\n\r\nHello.\r\n')
