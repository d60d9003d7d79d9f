/**
 * What own validation costs: `validation = own` compared with `resolver` and plain Haraka.
 *
 * Every destination is in a signed zone of its own below one TLD, so a cold one needs its
 * own DS and DNSKEY. "Cold" means that root and TLD are known, as they nearly always are,
 * and nothing below. All contestants use the same validating Unbound, which has everything
 * cached, DS and DNSKEY too. Rounds and queries are counted at a tap before it.
 */
import type { Bench, Figure } from '../figure.js'
import { startDnsTap } from '../taps.js'
import type { Relay } from '../steward.js'
import { startWorld } from '../world.js'
import type { World } from '../world.js'
import { countAgain, countOne, planFigure, planned } from './plan.js'
import type { Times } from './plan.js'
import { compareRivals, PLAIN } from './throughput.js'
import type { Rival } from './throughput.js'

/** Zones take a while to sign, one after the other. */
const MOST_ZONES = 500
const DELAY_MS = 5
const CACHE = ['[cache]', 'entries = 100000', '[resolver]']

export async function measureValidation(bench: Bench): Promise<Figure> {
  bench.note('validation: signing zones')
  const count = Math.min(MOST_ZONES, bench.size.messages)
  const world = await startWorld(count, 'zone each')
  try {
    const own = { ...bench, world }
    const plans = await comparePlans(own)
    const mail = await compareMail(own)
    return {
      data: { plans: plans.data, mail: mail.data },
      text: `each destination in a zone of its own\n${plans.text}\n\n${mail.text}`,
    }
  } finally {
    await world.stop()
  }
}

function startOwn(world: World, resolverPort = world.resolverPort): Promise<Relay> {
  const anchors = `trust_anchors = ${world.laboratory.names.trustAnchorFile}`
  const resolverLines = ['validation = own', anchors]
  return world.startRelay({ daneIni: withServer(resolverPort), resolverPort, resolverLines })
}

function startBelieving(world: World, resolverPort = world.resolverPort): Promise<Relay> {
  const resolverLines = ['validation = resolver']
  return world.startRelay({ daneIni: withServer(resolverPort), resolverPort, resolverLines })
}

function withServer(port: number): readonly string[] {
  return [...CACHE, `server[] = 127.0.0.1:${port}`]
}

/** Empties the cache; then the resolver is probed, and root and TLD are known. */
async function cool(relay: Relay, world: World): Promise<void> {
  await relay.forget()
  await relay.plan([world.other])
}

async function comparePlans({ world, size, note }: Bench): Promise<Figure> {
  const tap = await startDnsTap(world.resolverPort, DELAY_MS, isOfMessages)
  const relays = {
    own: await startOwn(world),
    resolver: await startBelieving(world),
    'own, tapped': await startOwn(world, tap.port),
    'resolver, tapped': await startBelieving(world, tap.port),
  }
  try {
    // Everything is compiled, and the resolver has all of it cached.
    for (const relay of [relays.own, relays.resolver]) {
      for (let i = 0; i < 3; i++) {
        await cool(relay, world)
        await planned(relay, world.domains)
      }
    }
    const runs: Record<string, Times[]> = {}
    for (let pair = 0; pair < size.pairs; pair++) {
      for (const mode of ['own', 'resolver'] as const) {
        const relay = relays[mode]
        await cool(relay, world)
        const cold = await planned(relay, world.domains)
        for (let i = 0; i < 5; i++) await planned(relay, world.domains)
        const warm = await planned(relay, world.domains)
        ;(runs[`${mode}, cold`] ??= []).push(cold)
        ;(runs[`${mode}, in process`] ??= []).push(warm)
      }
      note(`validation: plans ${pair + 1} of ${size.pairs}`)
    }
    const counts = {
      'own, cold': await countOne(relays['own, tapped'], tap, world.other, world.domains),
      'own, in process': await countAgain(relays['own, tapped'], tap, world.domains),
      'resolver, cold': await countOne(relays['resolver, tapped'], tap, world.other, world.domains),
      'resolver, in process': await countAgain(relays['resolver, tapped'], tap, world.domains),
    }
    return planFigure(runs, counts, world.domains.length)
  } finally {
    for (const relay of Object.values(relays)) await relay.haraka.stop()
    tap.close()
  }
}

/** Excludes probes of the resolver, which ask about the root. */
const isOfMessages = (question: string): boolean => question.endsWith('example')

async function compareMail(bench: Bench): Promise<Figure> {
  const { world } = bench
  const plain = await world.startRelay({ daneIni: undefined })
  const own = await startOwn(world)
  const believing = await startBelieving(world)
  const known = async (relay: Relay): Promise<void> => {
    await relay.plan(world.domains, 50)
  }
  const rival = (name: string, relay: Relay, prepare: () => Promise<void>): Rival => ({
    name,
    prepare,
    deliver: relay.deliver,
    verified: () => relay.count('TLS success'),
    relay,
  })
  const nothing = (): Promise<void> => Promise.resolve()
  try {
    return await compareRivals(bench, world.domains, [
      { name: PLAIN, prepare: nothing, deliver: plain.deliver, verified: undefined, relay: plain },
      rival('own, cold', own, () => cool(own, world)),
      rival('resolver, cold', believing, () => cool(believing, world)),
      rival('own, warm', own, () => known(own)),
      rival('resolver, warm', believing, () => known(believing)),
    ])
  } finally {
    for (const relay of [plain, own, believing]) await relay.haraka.stop()
  }
}
