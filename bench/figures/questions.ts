/**
 * The load that a message causes: queries at the resolver, round trips at Redis.
 *
 * Counted at taps before the servers while mail is really delivered, first to
 * destinations not in any cache, then to the same ones again.
 */
import assert from 'node:assert/strict'
import { startRedis } from '../../lab/redis.js'
import type { Bench, Figure } from '../figure.js'
import { tableText } from '../statistics.js'
import type { Relay } from '../steward.js'
import { startDnsTap, startRedisTap } from '../taps.js'
import { isFact, isOfMessages } from './plan.js'

/** One at a time, so that rounds of different messages do not mix. */
const MESSAGES = 20
const DELAY_MS = 3

export async function countQuestions({ world, note }: Bench): Promise<Figure> {
  const redis = await startRedis(world.laboratory.folder)
  const dnsTap = await startDnsTap(world.resolverPort, DELAY_MS, isOfMessages)
  const redisTap = await startRedisTap(redis.port, DELAY_MS, isFact)
  const domains = world.domains.slice(0, MESSAGES)
  const withRedis = ['[redis]', `url = redis://127.0.0.1:${redisTap.port}`, 'timeout = 1s']
  const start = (daneIni: readonly string[] | undefined): Promise<Relay> =>
    world.startRelay({ daneIni, resolverPort: dnsTap.port })
  const plain = await start(undefined)
  const alone = await start([])
  const sharing = await start(withRedis)
  const beside = await start(withRedis)
  const rows: Row[] = []
  try {
    for (const [name, relay] of [
      ['plain Haraka, first time', plain],
      ['plain Haraka, again', plain],
      ['plugin, first time', alone],
      ['plugin, again', alone],
      ['plugin with Redis, first time', sharing],
      ['plugin with Redis, again', sharing],
      ['another relay on the same Redis', beside],
    ] as const) {
      // Connections are open, the resolver is probed.
      if (relay !== plain) await relay.plan([world.other])
      dnsTap.take()
      redisTap.take()
      for (const domain of domains) {
        const { delivered } = await relay.deliver([domain])
        assert.equal(delivered, 1)
      }
      const dns = dnsTap.take()
      const shared = redisTap.take()
      const each = (count: number): number => count / domains.length
      rows.push({
        name,
        dnsQuestions: each(dns.questions),
        dnsRounds: each(dns.rounds),
        redisCommands: each(shared.questions),
        redisRounds: each(shared.rounds),
      })
      note(name)
    }
  } finally {
    for (const relay of [plain, alone, sharing, beside]) await relay.haraka.stop()
    dnsTap.close()
    redisTap.close()
    await redis.child.stop()
  }
  return {
    data: { messages: MESSAGES, rows },
    text: [
      `a message, counted at the servers, mean of ${MESSAGES}`,
      tableText([
        ['', 'DNS questions', 'DNS rounds', 'Redis commands', 'Redis round trips'],
        ...rows.map((row) => [
          row.name,
          ...[row.dnsQuestions, row.dnsRounds, row.redisCommands, row.redisRounds].map((count) =>
            count.toFixed(2),
          ),
        ]),
      ]),
    ].join('\n'),
  }
}

type Row = {
  readonly name: string
  readonly dnsQuestions: number
  readonly dnsRounds: number
  readonly redisCommands: number
  readonly redisRounds: number
}
