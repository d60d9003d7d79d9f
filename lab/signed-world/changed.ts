/** Compares the validators where replies are changed on the way: the same change for each. */
import type { SignedWorld } from './build.js'
import { changeReply, CHANGES } from './changes.js'
import type { Change } from './changes.js'
import { compare, isLooser } from './compare.js'
import type { Compared } from './compare.js'
import { openDnsClient } from './dns-client.js'
import { explanationOfChanged } from './explained.js'
import { putTogether, takeApart } from './message-parts.js'
import type { Parts } from './message-parts.js'
import { startProxy } from './proxy.js'
import type { Asked } from './proxy.js'
import type { Question } from './questions.js'
import { randomFrom, seedOf } from './random.js'
import { side } from './references.js'
import { nameOctets, TYPE_NUMBERS, typeNumber } from './wire.js'

export type ComparedChange = Compared & {
  /** How the reply to the question was changed; undefined: only others that it needs were. */
  readonly change: Change | undefined
}

/**
 * `which`: the replies to the questions themselves, or also one in five of all others,
 * such as those about DS and DNSKEY.
 */
export async function compareChanged(
  folder: string,
  world: SignedWorld,
  resolver: number,
  questions: readonly Question[],
  which: 'answers' | 'any',
): Promise<readonly ComparedChange[]> {
  const others = await repliesTo(resolver, questions.slice(0, 400))
  const asked = new Set(questions.map(keyOf))
  const changes = new Map<string, Change>()
  const change = (about: Asked, parts: Parts): Parts => {
    const key = `${about.type} ${about.name}`
    const random = randomFrom(seedOf(key))
    const isChain = about.type === TYPE_NUMBERS['DS'] || about.type === TYPE_NUMBERS['DNSKEY']
    const isChanged = which === 'answers' ? asked.has(key) : isChain && random.chance(0.2)
    // The root's own keys would change everything below it at once.
    if (!isChanged || about.name.length < 4) return parts
    for (let tries = 0; tries < 40; tries++) {
      const picked = random.pick(CHANGES)
      const changed = changeReply(parts, picked, others, random)
      if (putTogether(changed).equals(putTogether(parts))) continue
      changes.set(key, picked)
      return changed
    }
    return parts
  }
  const once = async (some: readonly Question[]): Promise<readonly Compared[]> => {
    const proxy = await startProxy(resolver, change)
    try {
      return await compare(folder, world, { port: proxy.port, fetch: proxy.reply }, some)
    } finally {
      proxy.close()
    }
  }
  const all = [...(await once(questions))]
  const open = all.filter((compared) => compared.explanation === undefined && isLooser(compared))
  const honest = await compareHonest(folder, world, resolver, open)
  for (const [index, compared] of all.entries()) {
    const whole = honest.get(keyOf(compared.question))
    if (whole === undefined) continue
    all[index] = { ...compared, explanation: explanationOfChanged(compared, whole) }
  }
  return all.map((compared) => ({ ...compared, change: changes.get(keyOf(compared.question)) }))
}

/** What is said about the same questions if nothing is changed. */
async function compareHonest(
  folder: string,
  world: SignedWorld,
  resolver: number,
  some: readonly Compared[],
): Promise<ReadonlyMap<string, Compared>> {
  const proxy = await startProxy(resolver, (_, parts) => parts)
  try {
    const upstream = { port: proxy.port, fetch: proxy.reply }
    const questions = some.map(({ question }) => question)
    const all = await compare(folder, world, upstream, questions)
    return new Map(all.map((each) => [keyOf(each.question), each]))
  } finally {
    proxy.close()
  }
}

async function repliesTo(
  resolver: number,
  questions: readonly Question[],
): Promise<readonly Parts[]> {
  const client = await openDnsClient(resolver)
  try {
    const replies = await side(questions, 20, ({ name, type }) =>
      client.askOctets(nameOctets(name), typeNumber(type), 20_000),
    )
    return replies.flatMap((octets) => (octets === undefined ? [] : [takeApart(octets)]))
  } finally {
    client.close()
  }
}

function keyOf({ name, type }: Question): string {
  return `${typeNumber(type)} ${nameOctets(name).toString('latin1')}`
}
