/**
 * `npm run status-queue`: what do 100,000 waiting messages cost the delivery status?
 *
 * Writes that many queue files, or the number given as argument, for 5,000 destinations,
 * and reads them as the status does: in a primary process, and in one that delivers mail
 * too. Then the same folder in front of a real Haraka with four workers, asked for its
 * status over HTTP. Prints times, the event loop's share and longest delay, and memory.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { monitorEventLoopDelay, performance } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { until } from '../lab/child.js'
import { freePort } from '../lab/free-port.js'
import { startDestinations } from '../lab/destination.js'
import type { Haraka } from '../lab/haraka.js'
import { QueueReader } from '../src/status/queue-files.js'
import { writeQueue } from '../test/support/queue-folder.js'
import { field } from '../test/support/status.js'
import { runCommand } from './run-command.js'

const DESTINATIONS = 5_000

async function main(): Promise<number> {
  const files = Number(process.argv[2] ?? 100_000)
  const folder = mkdtempSync(path.join(tmpdir(), 'dane-status-queue-'))
  try {
    fill(folder, files)
    for (const [where, share] of [
      ['a primary process', 0.25],
      ['beside mail', 0.1],
    ] as const) {
      await readBy(where, folder, share)
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
  await askHaraka(files)
  return 0
}

/** Their next attempts are some days away, so that Haraka leaves them alone. */
function fill(folder: string, files: number): void {
  const now = Date.now()
  for (let i = 0; i < files; i++) {
    writeQueue(folder, {
      domain: `d${i % DESTINATIONS}.example`,
      recipients: 1 + (i % 2),
      arrived: now - i,
      next: now + 300_000_000 + i,
      attempts: 3,
    })
  }
}

async function readBy(where: string, folder: string, share: number): Promise<void> {
  const alive = setInterval(() => undefined, 1_000)
  const reader = new QueueReader({ folder, share, intervals: () => [60], now: () => Date.now() })
  for (const what of ['first count', 'refresh']) {
    await sleep(15_000)
    const before = process.memoryUsage().rss
    const delay = monitorEventLoopDelay({ resolution: 1 })
    delay.enable()
    const loop = performance.eventLoopUtilization()
    const cpu = process.cpuUsage()
    const begun = performance.now()
    const { status } = await reader.look(600_000)
    const seconds = (performance.now() - begun) / 1_000
    const { utilization } = performance.eventLoopUtilization(loop)
    const { user, system } = process.cpuUsage(cpu)
    delay.disable()
    print(`${what} in ${where}`, {
      messages: status.messages,
      seconds,
      'CPU seconds': (user + system) / 1e6,
      'share of the event loop': utilization,
      'longest delay, ms': delay.max / 1e6,
      '99th percentile of delays, ms': delay.percentile(99) / 1e6,
      'resident memory, MB more': (process.memoryUsage().rss - before) / 1e6,
    })
  }
  clearInterval(alive)
}

async function askHaraka(files: number): Promise<void> {
  const laboratory = await startDestinations({ good: {} })
  try {
    const port = await freePort()
    const relay = await laboratory.startRelay(
      'dane',
      { workers: 4, files: { 'http.ini': `listen=127.0.0.1:${port}`, 'log.ini': 'level=NOTICE' } },
      '[status]\nenabled = yes\n',
    )
    const queue = path.join(relay.folder, 'queue')
    mkdirSync(queue, { recursive: true })
    fill(queue, files)
    const url = `http://127.0.0.1:${port}/dane.json`
    const before = residentMb(relay)
    const begun = performance.now()
    let views = 0
    const kinds = new Set<string>()
    const times: number[] = []
    await until(
      'the first count',
      async () => {
        const { status, milliseconds } = await view(url)
        times.push(milliseconds)
        views++
        kinds.add(String(field(status, 'queue', 'kind')))
        return field(status, 'queue', 'messages') === files
      },
      { timeoutMs: 600_000 },
    )
    print('first count by Haraka with four workers', {
      messages: files,
      seconds: (performance.now() - begun) / 1_000,
      'views meanwhile': views,
      'longest view, ms': Math.max(...times),
      'resident memory of the primary, MB': residentMb(relay),
      'the same before, MB': before,
    })
    const later: number[] = []
    let octets = 0
    for (let i = 0; i < 40; i++) {
      await sleep(250)
      const { milliseconds, size } = await view(url)
      later.push(milliseconds)
      octets = size
    }
    const sorted = later.toSorted((a, b) => a - b)
    print('a view of 200 destinations then, four a second', {
      octets: octets,
      'median, ms': sorted[20] ?? 0,
      'longest, ms': sorted.at(-1) ?? 0,
    })
  } finally {
    await laboratory.stop()
  }
}

async function view(
  url: string,
): Promise<{ readonly status: unknown; readonly milliseconds: number; readonly size: number }> {
  const begun = performance.now()
  const response = await fetch(url)
  const text = await response.text()
  const status: unknown = JSON.parse(text)
  return { status, milliseconds: performance.now() - begun, size: text.length }
}

function residentMb({ child }: Haraka): number {
  const [, kilobytes = '0'] =
    /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8')) ?? []
  return Number(kilobytes) / 1_000
}

function print(what: string, figures: Readonly<Record<string, number>>): void {
  console.log(what)
  for (const [name, value] of Object.entries(figures)) {
    console.log(`  ${name}: ${Number(value.toFixed(value < 1 ? 3 : 1))}`)
  }
}

runCommand(main)
