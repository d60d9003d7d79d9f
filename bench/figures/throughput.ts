/**
 * How many messages a second leave a full queue, and what CPU time does each cost?
 *
 * The same messages to the same destinations in turn: by Haraka without the plugin
 * (opportunistic TLS), and with it when nothing is cached, when the process has
 * everything in memory, and when only Redis does. Every destination has DANE, and every
 * message sent with the plugin is checked to be verified. Haraka without the plugin looks
 * up MX, A and AAAA for every message, at a resolver that has them cached.
 */
import assert from 'node:assert/strict'
import path from 'node:path'
import { startRedis } from '../../lab/redis.js'
import type { Bench, Figure } from '../figure.js'
import { spreadOf, spreadText, tableText } from '../statistics.js'
import type { Spread } from '../statistics.js'
import type { Delivery, Relay } from '../steward.js'
import { AT_ONCE } from '../world.js'
import type { World } from '../world.js'
import { startPostfix } from './postfix.js'

/** One way to send mail, prepared before each run. */
export type Rival = {
  readonly name: string
  readonly prepare: () => Promise<void>
  readonly deliver: (domains: readonly string[]) => Promise<Delivery>
  /** Messages verified so far according to its log; undefined: it verifies nothing. */
  readonly verified: (() => number) | undefined
  readonly relay: Relay | undefined
}

type Run = { readonly perSecond: number; readonly cpuMilliseconds: number }

export async function measureThroughput(bench: Bench): Promise<Figure> {
  const { world, size } = bench
  const domains = world.domains.slice(0, size.messages)
  const { rivals, stop } = await startRivals(world, domains)
  try {
    return await compareRivals(bench, domains, rivals)
  } finally {
    await stop()
  }
}

/** Lets them send the same messages in turn. The figure compares each with the first one. */
export async function compareRivals(
  bench: Bench,
  domains: readonly string[],
  rivals: readonly Rival[],
): Promise<Figure> {
  const { world, size } = bench
  const runs = new Map<string, Run[]>(rivals.map(({ name }) => [name, []]))
  for (let round = -1; round < size.pairs; round++) {
    // Each round in a different order; the first is a warm-up and not measured.
    const shift = (round + 1) % rivals.length
    for (const rival of [...rivals.slice(shift), ...rivals.slice(0, shift)]) {
      const run = await once(world, rival, domains)
      if (round >= 0) runs.get(rival.name)?.push(run)
      bench.note(
        `${rival.name} ${run.perSecond.toFixed(0)}/s, ${run.cpuMilliseconds.toFixed(2)} ms`,
      )
    }
  }
  if (bench.profiles !== undefined) {
    for (const { name, relay, prepare, deliver } of rivals) {
      if (relay === undefined) continue
      await prepare()
      const file = path.join(bench.profiles, `${name.replaceAll(/\W+/g, '-')}.cpuprofile`)
      await relay.profiled(file, () => deliver(domains))
    }
  }
  return report(runs, domains.length)
}

async function once(world: World, rival: Rival, domains: readonly string[]): Promise<Run> {
  await rival.prepare()
  world.sink.forget()
  const before = rival.verified?.() ?? 0
  const { delivered, deferred, bounced, seconds, cpuSeconds } = await rival.deliver(domains)
  assert.deepEqual(
    { delivered, deferred, bounced },
    { delivered: domains.length, deferred: 0, bounced: 0 },
  )
  const taken = world.sink.sessions.filter((session) => session.delivered.length > 0)
  assert.equal(taken.length, domains.length)
  assert.ok(taken.every(({ mails }) => mails.every(({ isEncrypted }) => isEncrypted)))
  if (rival.verified)
    assert.equal(rival.verified() - before, domains.length, `${rival.name}: all verified`)
  return {
    perSecond: domains.length / seconds,
    cpuMilliseconds: (cpuSeconds * 1000) / domains.length,
  }
}

async function startRivals(
  world: World,
  domains: readonly string[],
): Promise<{ readonly rivals: readonly Rival[]; readonly stop: () => Promise<void> }> {
  const redis = await startRedis(world.laboratory.folder)
  const cache = ['[cache]', 'entries = 100000']
  const plain = await world.startRelay({ daneIni: undefined })
  const alone = await world.startRelay({ daneIni: cache })
  const sharing = await world.startRelay({
    daneIni: [...cache, '[redis]', `url = redis://127.0.0.1:${redis.port}`],
  })
  const postfix = await startPostfix(world)
  const verifiedBy = (relay: Relay) => () => relay.count('TLS success')
  const nothing = (): Promise<void> => Promise.resolve()
  const known = async (relay: Relay): Promise<void> => {
    const { refused } = await relay.plan(domains, 50)
    assert.equal(refused, 0)
  }
  /** Waits until the resolver is probed and Redis connected. */
  const awake = async (relay: Relay): Promise<void> => {
    await relay.forget()
    await relay.plan([world.other])
  }
  await known(sharing)
  const rivals: readonly Rival[] = [
    { name: PLAIN, prepare: nothing, deliver: plain.deliver, verified: undefined, relay: plain },
    {
      name: 'plugin, cold',
      prepare: () => awake(alone),
      deliver: alone.deliver,
      verified: verifiedBy(alone),
      relay: alone,
    },
    {
      name: 'plugin, warm in process',
      prepare: () => known(alone),
      deliver: alone.deliver,
      verified: verifiedBy(alone),
      relay: alone,
    },
    {
      name: 'plugin, warm in Redis only',
      prepare: () => awake(sharing),
      deliver: sharing.deliver,
      verified: verifiedBy(sharing),
      relay: sharing,
    },
    ...(postfix
      ? [
          {
            name: 'Postfix, level dane',
            prepare: nothing,
            deliver: postfix.deliver,
            verified: postfix.verified,
            relay: undefined,
          },
        ]
      : []),
  ]
  return {
    rivals,
    async stop() {
      await postfix?.stop()
      for (const relay of [plain, alone, sharing]) await relay.haraka.stop()
      await redis.child.stop()
    },
  }
}

export const PLAIN = 'plain Haraka'

function report(runs: ReadonlyMap<string, readonly Run[]>, messages: number): Figure {
  const first = [...runs.values()][0] ?? []
  const rivals = [...runs].map(([name, own]) => {
    const against = (pick: (run: Run) => number): Spread =>
      spreadOf(own.map((run, at) => pick(run) / pick(first[at] ?? run)))
    return {
      name,
      perSecond: spreadOf(own.map(({ perSecond }) => perSecond)),
      cpuMillisecondsPerMessage: spreadOf(own.map(({ cpuMilliseconds }) => cpuMilliseconds)),
      perSecondToFirst: against(({ perSecond }) => perSecond),
      cpuToFirst: against(({ cpuMilliseconds }) => cpuMilliseconds),
    }
  })
  return {
    data: { messages, atOnce: AT_ONCE, rivals },
    text: [
      `${messages} messages from a filled queue, ${AT_ONCE} at a time; medians and range of ${first.length} rounds`,
      tableText([
        ['', 'messages/s', 'to the first', 'CPU ms/message', 'to the first'],
        ...rivals.map((each) => [
          each.name,
          spreadText(each.perSecond, 0),
          spreadText(each.perSecondToFirst),
          spreadText(each.cpuMillisecondsPerMessage),
          spreadText(each.cpuToFirst),
        ]),
      ]),
    ].join('\n'),
  }
}
