/**
 * `npm run soak`: do memory and handles stay constant over many deliveries in one process?
 *
 * Sends 50,000 messages, or the number given as argument, nine of ten to hosts that are
 * verified, one to a host that is refused, whose message bounces at once. After each
 * tenth of the messages, a plugin of the laboratory runs garbage collection in Haraka
 * and prints heap, resident memory, open files, and what keeps the event loop alive.
 */
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { until } from '../lab/child.js'
import { startDestinations } from '../lab/destination.js'
import type { Haraka } from '../lab/haraka.js'
import type { Laboratory } from '../lab/laboratory.js'
import { PLACE } from '../lab/rows.js'
import { runCommand } from './run-command.js'

const SCALE = `
const v8 = require('node:v8'), vm = require('node:vm'), fs = require('node:fs')
v8.setFlagsFromString('--expose-gc')
const gc = vm.runInNewContext('gc')
exports.register = function () {
  process.on('SIGUSR2', () => {
    gc()
    const { heapUsed, rss, external } = process.memoryUsage()
    const kinds = {}
    for (const kind of process.getActiveResourcesInfo()) kinds[kind] = (kinds[kind] ?? 0) + 1
    const figures = [heapUsed, external, rss].map((bytes) => (bytes / 1e6).toFixed(1))
    const files = fs.readdirSync('/proc/self/fd').length
    fs.appendFileSync(process.env.HARAKA + '/scale', [...figures, files, JSON.stringify(kinds)].join(' ') + '\\n')
  })
}`

const DESTINATIONS = 9

async function main(): Promise<number> {
  const messages = Number(process.argv[2] ?? 50_000)
  const laboratory = await startDestinations({
    ...Object.fromEntries(Array.from({ length: DESTINATIONS }, (_, i) => [`good-${i}`, {}])),
    bad: { tlsa: 'wrong' },
    sender: { place: PLACE.unsigned, tlsa: 'none' },
  })
  try {
    await soak(laboratory, messages)
    return 0
  } finally {
    await laboratory.stop()
  }
}

async function soak(laboratory: Laboratory, messages: number): Promise<void> {
  const relay = await laboratory.startRelay(
    'dane',
    {
      plugins: process.argv[3] === 'stock' ? ['scale'] : ['scale', 'dane'],
      ownPlugins: { scale: SCALE },
      files: {
        'outbound.ini': 'local_mx_ok=true\nconnect_timeout=5\ntemp_fail_intervals=none',
        'log.ini': 'level=NOTICE\ntimestamps=false',
      },
    },
    '',
  )
  console.log(' messages  heap MB  external MB  resident MB  files  kept alive by')
  await weigh(relay, 0)
  let sent = 0
  const step = Math.ceil(messages / 10)
  while (sent < messages) {
    const size = Math.min(step, messages - sent)
    await send(relay, laboratory, sent, size)
    sent += size
    await weigh(relay, sent)
  }
}

/** Sends several at a time, and waits until all of them are settled. */
async function send(
  relay: Haraka,
  laboratory: Laboratory,
  from: number,
  size: number,
): Promise<void> {
  const wanted = settled(laboratory) + size
  let next = from
  const worker = async (): Promise<void> => {
    while (next < from + size) {
      const place = next++ % (DESTINATIONS + 1)
      const label = place === DESTINATIONS ? 'bad' : `good-${place}`
      await relay.submit(`soak@${label}.${PLACE.signed}`, `me@sender.${PLACE.unsigned}`)
    }
  }
  await Promise.all(Array.from({ length: 20 }, worker))
  await until('all of them', () => settled(laboratory) >= wanted, { timeoutMs: 900_000 })
}

/** Messages delivered, or bounced to the sender. */
function settled(laboratory: Laboratory): number {
  let all = 0
  for (const { sessions } of laboratory.hosts.values()) {
    for (const { delivered } of sessions) all += delivered.length
  }
  return all
}

async function weigh(relay: Haraka, messages: number): Promise<void> {
  // Connections that are about to close are not a leak.
  await new Promise((resolve) => setTimeout(resolve, 3_000))
  const before = weighings(relay).length
  relay.child.signal('SIGUSR2')
  await until('the scale', () => weighings(relay).length > before)
  const line = weighings(relay).at(-1) ?? ''
  const [heap = '', external = '', resident = '', files = '', kinds = ''] = line.split(' ')
  console.log(
    [
      String(messages).padStart(9),
      heap.padStart(8),
      external.padStart(12),
      resident.padStart(12),
      files.padStart(6),
      ` ${kinds}`,
    ].join(' '),
  )
}

function weighings(relay: Haraka): readonly string[] {
  const file = path.join(relay.folder, 'scale')
  return existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : []
}

runCommand(main)
