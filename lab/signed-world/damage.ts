/**
 * Damages octets of replies at random and sees what the validator makes of them.
 *
 * The replies were kept, so that hardly anything is sent. Most damage is to the reply to the question
 * itself, with the zones above known; the rest is to any reply of the chain.
 */
import { isDeepStrictEqual } from 'node:util'
import type { Lookup } from '../../src/lookup.js'
import { createMemoryZones } from '../../src/validate/zone-store.js'
import type { ZoneStore } from '../../src/validate/zone-store.js'
import { anchorsOf, lookupAt, validatorOn } from './ours.js'
import type { FetchOctets } from './ours.js'
import type { Question } from './questions.js'
import type { Random } from './random.js'

export type DamageResult = {
  readonly damaged: number
  readonly threw: readonly string[]
  /** No result within ten seconds. */
  readonly hung: readonly string[]
  /** Secure, or insecure, where the whole replies do not show that, or with other records. */
  readonly believed: readonly string[]
  readonly statuses: Readonly<Record<string, number>>
}

type Kept = {
  readonly question: Question
  readonly lookup: Lookup
  /** What was asked for it with nothing known, the reply to the question first. */
  readonly replies: readonly (readonly [string, Buffer])[]
}

/**
 * `weak`: zones with so many NSEC3 iterations that nothing they deny is proved, so that
 * dropping a signature makes a name in them insecure (RFC 9276 §3.2).
 */
export async function damageReplies(
  anchorDs: string,
  fetch: FetchOctets,
  questions: readonly Question[],
  count: number,
  random: Random,
  weak: readonly string[] = [],
): Promise<DamageResult> {
  const anchors = anchorsOf(anchorDs)
  const known = createMemoryZones()
  const kept: Kept[] = []
  for (const question of questions) {
    const replies = new Map<string, Buffer>()
    const noting: FetchOctets = async (asked) => {
      const octets = await fetch(asked)
      if (octets !== undefined) replies.set(keyOf(asked), octets)
      return octets
    }
    const lookup = await lookupAt(validatorOn(noting, anchors), question)
    await lookupAt(validatorOn(fetch, anchors, known), question)
    kept.push({ question, lookup, replies: [...replies] })
  }
  // What is learned from damaged replies is not kept for the next.
  const readOnly: ZoneStore = { ...known, put: () => undefined }
  const threw: string[] = []
  const hung: string[] = []
  const believed: string[] = []
  const statuses: Record<string, number> = {}
  for (let done = 0; done < count; done++) {
    const { question, lookup, replies } = random.pick(kept)
    const isChain = random.chance(0.1)
    const [target, octets] = isChain ? random.pick(replies) : (replies[0] ?? random.pick(replies))
    const changed = damage(octets, random)
    const all = new Map(replies).set(target, changed)
    // Damage can lead to questions that were not needed before.
    const answer: FetchOctets = (asked) => Promise.resolve(all.get(keyOf(asked)) ?? fetch(asked))
    const validator = validatorOn(answer, anchors, isChain ? createMemoryZones() : readOnly)
    const what = `${question.name} ${question.type}: ${changed.toString('hex')}`
    try {
      const found = await withinTenSeconds(lookupAt(validator, question))
      if (found === undefined) {
        hung.push(what)
        continue
      }
      const word = found.kind === 'failed' ? found.cause : `${found.security} ${found.kind}`
      statuses[word] = (statuses[word] ?? 0) + 1
      const isExcused = isInsecure(found) && isWithin([question, lookup, found], weak)
      if (!isExcused && !isBorneOut(found, lookup))
        believed.push(`${word}, not ${JSON.stringify(lookup)}: ${what}`)
    } catch (error) {
      threw.push(`${String(error)}: ${what}`)
    }
  }
  return { damaged: count, threw, hung, believed, statuses }
}

/** Whether the damaged replies made nothing of it that the whole ones do not show. */
function isBorneOut(found: Lookup, whole: Lookup): boolean {
  if (found.kind === 'failed') return true
  // An insecure answer can be changed to anything.
  if (found.security === 'insecure') return whole.kind !== 'failed' && whole.security === 'insecure'
  return isDeepStrictEqual(essence(found), essence(whole))
}

function isInsecure(lookup: Lookup): boolean {
  return lookup.kind !== 'failed' && lookup.security === 'insecure'
}

/** Whether a name of the question or of an answer is in one of the zones. */
function isWithin(
  [question, ...lookups]: readonly [Question, ...Lookup[]],
  origins: readonly string[],
): boolean {
  const names = lookups.flatMap((lookup) =>
    lookup.kind === 'failed' ? [] : [lookup.canonicalName, ...lookup.aliases],
  )
  return [question.name, ...names].some((name) =>
    origins.some((origin) => name === origin || name.endsWith(`.${origin}`)),
  )
}

function essence(lookup: Lookup): unknown {
  if (lookup.kind === 'failed') return lookup.kind
  const { kind, security, canonicalName } = lookup
  const texts =
    lookup.kind === 'found' ? lookup.records.map((record) => JSON.stringify(record)) : []
  return { kind, security, canonicalName, records: texts.sort() }
}

/** One to four octets changed, or some lost, or some repeated. */
function damage(octets: Buffer, random: Random): Buffer {
  const changed = Buffer.from(octets)
  for (let left = 1 + random.below(4); left > 0; left--) {
    changed[2 + random.below(changed.length - 2)] = random.below(256)
  }
  if (random.chance(0.9)) return changed
  const from = random.below(changed.length)
  const to = from + random.below(changed.length - from)
  return random.chance(0.5)
    ? Buffer.concat([changed.subarray(0, from), changed.subarray(to)])
    : Buffer.concat([changed.subarray(0, to), changed.subarray(from)])
}

async function withinTenSeconds<T>(work: Promise<T>): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), 10_000)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}

function keyOf({ name, type }: { readonly name: string; readonly type: number }): string {
  return `${type} ${name}`
}
