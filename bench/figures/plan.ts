/**
 * The time from the get_mx hook to the plan, and the number of rounds.
 *
 * In an otherwise idle relay, one message after the other: facts from DNS,
 * from memory, from Redis. Rounds and queries of a cold plan are
 * counted at taps before the resolver and before Redis; times are taken
 * without taps. Two times: from the call of our hook to its answer, which is the plugin's
 * own, including its log line; and until Haraka has built its list of hosts, including a
 * log line of Haraka's.
 */
import assert from 'node:assert/strict'
import path from 'node:path'
import { startRedis } from '../../lab/redis.js'
import type { Bench, Figure } from '../figure.js'
import { quantileOf, tableText } from '../statistics.js'
import type { Relay } from '../steward.js'
import { startDnsTap, startRedisTap } from '../taps.js'
import type { Count, Tap } from '../taps.js'

export type Times = {
  readonly ownMedianMicroseconds: number
  readonly ownP99Microseconds: number
  readonly medianMicroseconds: number
  readonly p99Microseconds: number
  readonly cpuMicroseconds: number
}

/** The delay of replies, so that rounds can be distinguished. */
const DELAY_MS = 5

export async function measurePlan(bench: Bench): Promise<Figure> {
  const { world, size } = bench
  const redis = await startRedis(world.laboratory.folder)
  const dnsTap = await startDnsTap(world.resolverPort, DELAY_MS, isOfMessages)
  const redisTap = await startRedisTap(redis.port, DELAY_MS, isFact)
  const cache = ['[cache]', 'entries = 100000']
  const use = (port: number): readonly string[] => [
    '[redis]',
    `url = redis://127.0.0.1:${port}`,
    'timeout = 1s',
  ]
  const domains = world.domains.slice(0, size.samples)
  const alone = await world.startRelay({ daneIni: cache })
  const sharing = await world.startRelay({ daneIni: [...cache, ...use(redis.port)] })
  const tapped = await world.startRelay({ daneIni: cache, resolverPort: dnsTap.port })
  const tappedRedis = await world.startRelay({ daneIni: [...cache, ...use(redisTap.port)] })
  try {
    // Everything is compiled, resolver and Redis have everything cached.
    for (const relay of [alone, sharing]) for (let i = 0; i < 3; i++) await planned(relay, domains)
    const runs: Record<string, Times[]> = { cold: [], 'in process': [], 'from Redis': [] }
    for (let pair = 0; pair < size.pairs; pair++) {
      await alone.forget()
      await alone.plan([world.other])
      runs['cold']?.push(await planned(alone, domains))
      // A reload creates functions that are compiled again after some use.
      for (let i = 0; i < 5; i++) await planned(alone, domains)
      runs['in process']?.push(await planned(alone, domains))
      await sharing.forget()
      await sharing.plan([world.other])
      runs['from Redis']?.push(await planned(sharing, domains))
      bench.note(`plan: ${pair + 1} of ${size.pairs}`)
    }
    if (bench.profiles !== undefined) {
      const profile = (name: string, relay: Relay, plans: readonly string[]): Promise<Times> =>
        relay.profiled(path.join(bench.profiles ?? '', `plan-${name}.cpuprofile`), () =>
          planned(relay, plans),
        )
      for (const [name, relay] of [
        ['cold', alone],
        ['from-Redis', sharing],
      ] as const) {
        await relay.forget()
        await relay.plan([world.other])
        await profile(name, relay, domains)
      }
      const often = Array.from({ length: 20_000 }, (_, i) => domains[i % domains.length] ?? '')
      await profile('in-process', alone, often)
    }
    const counts = {
      cold: await countOne(tapped, dnsTap, world.other, domains),
      'in process': await countAgain(tapped, dnsTap, domains),
      'from Redis': await countOne(tappedRedis, redisTap, world.other, domains),
    }
    return planFigure(runs, counts, domains.length)
  } finally {
    for (const relay of [alone, sharing, tapped, tappedRedis]) await relay.haraka.stop()
    dnsTap.close()
    redisTap.close()
    await redis.child.stop()
  }
}

/** Excludes probes of the resolver. */
export const isOfMessages = (question: string): boolean => question.endsWith('.signed.example')
/** Excludes reads of the epoch and the commands that open a connection. */
export const isFact = (command: string): boolean =>
  /1:(claim:)?(MX|A|AAAA|CNAME|TLSA):/.test(command)

export async function planned(relay: Relay, domains: readonly string[]): Promise<Times> {
  const { microseconds, ownMicroseconds, refused, cpuSeconds } = await relay.timedPlan(domains)
  assert.equal(refused, 0)
  return {
    ownMedianMicroseconds: quantileOf(ownMicroseconds, 0.5),
    ownP99Microseconds: quantileOf(ownMicroseconds, 0.99),
    medianMicroseconds: quantileOf(microseconds, 0.5),
    p99Microseconds: quantileOf(microseconds, 0.99),
    cpuMicroseconds: (cpuSeconds * 1e6) / domains.length,
  }
}

/** The queries of one plan with open connections and a new domain. */
export async function countOne(
  relay: Relay,
  tap: Tap,
  other: string,
  domains: readonly string[],
): Promise<Count> {
  await relay.plan([other])
  tap.take()
  await planned(relay, domains.slice(0, 1))
  return tap.take()
}

export async function countAgain(
  relay: Relay,
  tap: Tap,
  domains: readonly string[],
): Promise<Count> {
  tap.take()
  await planned(relay, domains.slice(0, 1))
  return tap.take()
}

export function planFigure(
  runs: Readonly<Record<string, readonly Times[]>>,
  counts: Readonly<Record<string, Count>>,
  plans: number,
): Figure {
  const kinds = Object.entries(runs).map(([name, own]) => {
    const median = (pick: (times: Times) => number): number => quantileOf(own.map(pick), 0.5)
    return {
      name,
      ownMedianMicroseconds: median((each) => each.ownMedianMicroseconds),
      ownP99Microseconds: median((each) => each.ownP99Microseconds),
      medianMicroseconds: median((each) => each.medianMicroseconds),
      p99Microseconds: median((each) => each.p99Microseconds),
      cpuMicroseconds: median((each) => each.cpuMicroseconds),
      runs: own,
      ...counts[name],
    }
  })
  return {
    data: { plans, kinds },
    text: [
      `hook to plan, ${plans} plans in each of ${kinds[0]?.runs.length ?? 0} runs, medians of the runs`,
      tableText([
        ['', 'hook µs', 'p99', 'until Haraka has it µs', 'p99', 'CPU µs', 'rounds', 'questions'],
        ...kinds.map((each) => [
          each.name,
          each.ownMedianMicroseconds.toFixed(0),
          each.ownP99Microseconds.toFixed(0),
          each.medianMicroseconds.toFixed(0),
          each.p99Microseconds.toFixed(0),
          each.cpuMicroseconds.toFixed(0),
          String(each.rounds ?? ''),
          String(each.questions ?? ''),
        ]),
      ]),
    ].join('\n'),
  }
}
