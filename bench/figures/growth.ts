/**
 * The cost of many destinations, and the gain from more workers.
 *
 * Facts of a thousand to a hundred thousand destinations, each with its own host,
 * are written to Redis as by another relay, and planned for in a relay
 * that has just started: from Redis, then from the memory of the process. Its
 * memory is compared with a Haraka with an empty cache. The same relay's plans are also
 * timed, in turn, with a handful of destinations, so that a cost that grows with their
 * number would show.
 */
import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { composeFact } from '../../src/cache/entry.js'
import { composeEpoch, epochKey, nextEpoch } from '../../src/cache/epoch.js'
import { composeEntry, factKey } from '../../src/cache/seal.js'
import type { Fact, RecordType } from '../../src/lookup.js'
import { parseDomainName, tlsaOwner } from '../../src/name.js'
import type { DomainName } from '../../src/name.js'
import { startRedis } from '../../lab/redis.js'
import type { Bench, Figure } from '../figure.js'
import { quantileOf, spreadOf, spreadText, tableText } from '../statistics.js'

type Row = {
  readonly destinations: number
  readonly redisBytes: number
  readonly residentBytes: number
  readonly overEmptyBytes: number
  readonly fromRedis: Cost
  readonly inProcess: Cost
}
type Cost = { readonly medianMicroseconds: number; readonly cpuMicroseconds: number }

const VAULT = { prefix: 'dane:', secret: undefined }

export async function measureGrowth(bench: Bench): Promise<Figure> {
  const rows: Row[] = []
  for (const destinations of bench.size.destinations) {
    const row = await grow(bench, destinations)
    rows.push(row)
    bench.note(`growth: ${destinations} destinations, ${megabytes(row.overEmptyBytes)} MB`)
  }
  const workers = await measureWorkers(bench)
  return {
    data: { rows, workers },
    text: [
      'destinations in the cache, four facts each',
      tableText([
        ['', 'Redis MB', 'resident MB', 'over empty MB', 'from Redis CPU µs', 'in process CPU µs'],
        ...rows.map((row) => [
          String(row.destinations),
          megabytes(row.redisBytes),
          megabytes(row.residentBytes),
          megabytes(row.overEmptyBytes),
          row.fromRedis.cpuMicroseconds.toFixed(0),
          row.inProcess.cpuMicroseconds.toFixed(0),
        ]),
      ]),
      '',
      'workers that deliver, everything known to Redis',
      tableText([
        ['', 'messages/s', 'CPU ms/message'],
        ...workers.map((each) => [
          String(each.workers),
          spreadText(each.perSecond, 0),
          spreadText(each.cpuMilliseconds),
        ]),
      ]),
    ].join('\n'),
  }
}

async function grow({ world, size }: Bench, destinations: number): Promise<Row> {
  const redis = await startRedis(world.laboratory.folder)
  const relay = await world.startRelay({
    daneIni: [
      '[cache]',
      `entries = ${Math.max(100, destinations * 4 + 100)}`,
      '[redis]',
      `url = redis://127.0.0.1:${redis.port}`,
      'timeout = 1s',
    ],
  })
  try {
    const usedMemory = async (): Promise<number> =>
      Number(/used_memory:(\d+)/.exec(await redis.cli('info', 'memory'))?.[1])
    const few = world.domains.slice(0, 50)
    // Everything is compiled before the first one is timed.
    for (let i = 0; i < 100; i++) await relay.plan(few)
    const emptyRedis = await usedMemory()
    const emptyRelay = await relay.residentBytes()
    await fillRedis(redis.port, world.laboratory.smtpPort, destinations)
    const redisBytes = (await usedMemory()) - emptyRedis
    const domains = Array.from({ length: destinations }, (_, i) => domainAt(i))
    const cost = async (some: readonly string[], atOnce: number): Promise<Cost> => {
      const planning = await relay.plan(some, atOnce)
      assert.equal(planning.refused, 0)
      return {
        medianMicroseconds: quantileOf(planning.microseconds, 0.5),
        cpuMicroseconds: (planning.cpuSeconds * 1e6) / some.length,
      }
    }
    const fromRedis = await cost(domains, 50)
    const residentBytes = await relay.residentBytes()
    // Spread over all of them, so that the cache locality is realistic.
    const stride = Math.max(1, Math.floor(destinations / size.samples))
    const sample = domains.filter((_, i) => i % stride === 0)
    const runs: Cost[] = []
    for (let run = 0; run < size.pairs; run++) runs.push(await cost(sample, 1))
    const median = (pick: (each: Cost) => number): number => quantileOf(runs.map(pick), 0.5)
    return {
      destinations,
      redisBytes,
      residentBytes,
      overEmptyBytes: residentBytes - emptyRelay,
      fromRedis,
      inProcess: {
        medianMicroseconds: median(({ medianMicroseconds }) => medianMicroseconds),
        cpuMicroseconds: median(({ cpuMicroseconds }) => cpuMicroseconds),
      },
    }
  } finally {
    await relay.haraka.stop()
    await redis.child.stop()
  }
}

const domainAt = (index: number): string => `customer-${index}.bench.example`

/** The four facts of each destination, in the format of redis-store.ts. */
async function fillRedis(port: number, smtpPort: number, destinations: number): Promise<void> {
  const socket = connect(port, '127.0.0.1')
  let replies = 0
  let settle = (): void => undefined
  socket.on('data', (chunk) => {
    replies += chunk.toString('latin1').split('\n').length - 1
    settle()
  })
  const epoch = nextEpoch(undefined, Date.now(), '0123456789abcdef')
  socket.write(commandText('SET', epochKey(VAULT), composeEpoch(VAULT, epoch)))
  for (let index = 0; index < destinations; index++) {
    const commands = factsOf(index, smtpPort).map(([name, type, fact]) => {
      const key = factKey(VAULT, name, type)
      const entry = { epoch, askedAt: Date.now(), lifeMs: LIFE_MS, body: composeFact(fact) }
      return commandText('SET', key, composeEntry(VAULT, key, entry), 'PX', String(LIFE_MS))
    })
    if (!socket.write(commands.join(''))) {
      await new Promise((resolve) => socket.once('drain', resolve))
    }
  }
  await new Promise<void>((resolve) => {
    settle = () => {
      if (replies >= destinations * 4 + 1) resolve()
    }
    settle()
  })
  socket.destroy()
}

function commandText(...words: readonly string[]): string {
  return `*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join('')}`
}

function factsOf(
  index: number,
  smtpPort: number,
): readonly (readonly [DomainName, RecordType, Fact])[] {
  const domain = parseDomainName(domainAt(index))
  const host = parseDomainName(`mx-${index}.mail.bench.example`)
  const owner = host && tlsaOwner(smtpPort, host)
  if (domain === undefined || host === undefined || owner === undefined) throw new Error('no name')
  const about = (canonicalName: DomainName) => ({
    security: 'secure' as const,
    canonicalName,
    aliases: [],
    expiresAt: Date.now() + LIFE_MS,
  })
  const rdata = Buffer.concat([Buffer.from([3, 1, 1]), Buffer.alloc(32, index % 251)])
  const address = `192.0.2.${index % 250}`
  return [
    [
      domain,
      'MX',
      {
        kind: 'found',
        records: [{ type: 'MX', preference: 10, exchange: { kind: 'host', name: host } }],
        ...about(domain),
      },
    ],
    [host, 'A', { kind: 'found', records: [{ type: 'A', address }], ...about(host) }],
    [host, 'AAAA', { kind: 'absent', reason: 'nodata', ...about(host) }],
    [owner, 'TLSA', { kind: 'found', records: [{ type: 'TLSA', rdata }], ...about(owner) }],
  ]
}

const LIFE_MS = 3_600_000

async function measureWorkers({ world, size, note }: Bench): Promise<
  readonly {
    readonly workers: number
    readonly perSecond: ReturnType<typeof spreadOf>
    readonly cpuMilliseconds: ReturnType<typeof spreadOf>
  }[]
> {
  const redis = await startRedis(world.laboratory.folder)
  const domains = world.domains.slice(0, size.messages)
  const results = []
  try {
    for (const workers of [1, 2, 3, 4]) {
      const relay = await world.startRelay({
        daneIni: [
          '[cache]',
          'entries = 100000',
          '[redis]',
          `url = redis://127.0.0.1:${redis.port}`,
        ],
        workers,
      })
      const runs = []
      for (let run = -1; run < Math.min(3, size.pairs); run++) {
        const { delivered, seconds, cpuSeconds } = await relay.deliver(domains)
        assert.equal(delivered, domains.length)
        world.sink.forget()
        if (run >= 0) runs.push({ seconds, cpuSeconds })
      }
      await relay.haraka.stop()
      note(`growth: ${workers} workers`)
      results.push({
        workers,
        perSecond: spreadOf(runs.map(({ seconds }) => domains.length / seconds)),
        cpuMilliseconds: spreadOf(
          runs.map(({ cpuSeconds }) => (cpuSeconds * 1000) / domains.length),
        ),
      })
    }
  } finally {
    await redis.child.stop()
  }
  return results
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1)
}
