/**
 * What counting sessions for TLS reports costs a message.
 *
 * Every destination asks for reports. The same messages, everything known: without and with
 * `[tlsrpt]`, once with the counts in files, once in Redis. That sessions were counted is
 * checked with `haraka-dane tlsrpt show`.
 */
import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import path from 'node:path'
import { runToEnd } from '../../lab/child.js'
import { startRedis } from '../../lab/redis.js'
import { ROOT } from '../../lab/root.js'
import type { Bench, Figure } from '../figure.js'
import type { Relay } from '../steward.js'
import { compareRivals } from './throughput.js'
import type { Rival } from './throughput.js'

const COMMAND = path.join(ROOT, 'build/relay/node_modules/.bin/haraka-dane')

const REPORTS = [
  '[tlsrpt]',
  'enabled = yes',
  'organization = Relay Example Inc.',
  'contact = postmaster@relay.example',
  'from = tlsrpt@relay.example',
  'dkim_key = tlsrpt.pem',
  'dkim_selector = tls1',
  'sending_ip = 192.0.2.1',
]

export async function measureReports(bench: Bench): Promise<Figure> {
  const { world, size } = bench
  const domains = world.domains.slice(0, size.messages)
  const redis = await startRedis(world.laboratory.folder)
  const cache = ['[cache]', 'entries = 100000']
  const shared = [...cache, '[redis]', `url = redis://127.0.0.1:${redis.port}`]
  try {
    const inFiles = await compare(bench, domains, cache)
    const inRedis = await compare(bench, domains, shared)
    return {
      data: { inFiles: inFiles.data, inRedis: inRedis.data },
      text: `in files: ${inFiles.text}\n\nin Redis: ${inRedis.text}`,
    }
  } finally {
    await redis.child.stop()
  }
}

async function compare(
  bench: Bench,
  domains: readonly string[],
  daneIni: readonly string[],
): Promise<Figure> {
  const { world } = bench
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
  const without = await world.startRelay({ daneIni })
  const counting = await world.startRelay({
    daneIni: [...daneIni, ...REPORTS],
    files: { 'tlsrpt.pem': pem },
  })
  try {
    const figure = await compareRivals(bench, domains, [
      rival('without reports', without, domains),
      rival('sessions counted', counting, domains),
    ])
    await assertCounted(counting, domains[0] ?? '', bench.size.pairs + 1)
    return figure
  } finally {
    for (const relay of [without, counting]) await relay.haraka.stop()
  }
}

function rival(name: string, relay: Relay, domains: readonly string[]): Rival {
  return {
    name,
    async prepare() {
      await relay.plan(domains, 50)
    },
    deliver: relay.deliver,
    verified: () => relay.count('TLS success'),
    relay,
  }
}

/** @param atLeast sessions; the first ones may end before the record of the domain is known */
async function assertCounted(relay: Relay, domain: string, atLeast: number): Promise<void> {
  const config = path.join(relay.haraka.folder, 'config')
  const today = new Date().toISOString().slice(0, 10)
  const shown = await runToEnd(COMMAND, ['tlsrpt', 'show', domain, today, '--config', config], {
    cwd: relay.haraka.folder,
  })
  const [, sessions = '0'] = /(\d+) (?:sessions? )?successful/.exec(shown) ?? []
  assert.ok(Number(sessions) >= atLeast, `${atLeast} sessions were sent, and counted: ${shown}`)
}
