/**
 * `npm run soak`: do memory and handles stay flat over many deliveries in one process?
 *
 * Sends 50,000 messages, or as many as the argument says, nine of ten to hosts that are
 * verified, one to a host that is refused and whose message is returned at once. Each
 * time a tenth is done, a plugin of the laboratory's own collects the garbage in Haraka
 * and prints what is left: heap, resident memory, open files, what keeps the loop alive.
 */
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { until } from './child.js'
import { destination } from './destination.js'
import type { Haraka } from './haraka.js'
import { createAuthority, startLaboratory } from './laboratory.js'
import type { Laboratory } from './laboratory.js'
import { PLACE } from './rows.js'

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

async function main(): Promise<void> {
  const messages = Number(process.argv[2] ?? 50_000)
  const { laboratory } = await startLaboratory(async (port) => {
    const authority = await createAuthority()
    const labels = Array.from({ length: DESTINATIONS }, (_, i) => `good-${i}`)
    const all = await Promise.all([
      ...labels.map((label) => destination(port, authority, label)),
      destination(port, authority, 'bad', { tlsa: 'wrong' }),
      destination(port, authority, 'sender', { place: PLACE.unsigned, tlsa: 'none' }),
    ])
    return all.map(({ row }) => row)
  })
  try {
    await soak(laboratory, messages)
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

/** Some at a time, and waits until all of them are settled. */
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

/** Messages delivered, or returned to the sender. */
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

main().catch((error: unknown) => {
  console.error(error)
  process.exitCode = 1
})
