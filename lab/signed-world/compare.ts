/**
 * Asks this validator, Unbound and BIND the same questions through the same resolver, and
 * compares what they say.
 */
import { wireNameFromOctets } from '../../src/wire-name.js'
import { createMemoryZones } from '../../src/validate/zone-store.js'
import type { ZoneStore } from '../../src/validate/zone-store.js'
import type { SignedWorld } from './build.js'
import { openDnsClient } from './dns-client.js'
import { explanationOf } from './explained.js'
import type { Seen } from './explained.js'
import { anchorsOf, answerOf, lookupAt, validatorOn } from './ours.js'
import type { FetchOctets } from './ours.js'
import { takeApart } from './message-parts.js'
import type { Question } from './questions.js'
import { answerAt, side } from './references.js'
import type { Answer, Status } from './references.js'
import { startBindValidator, startUnboundValidator } from './servers.js'

export type Compared = {
  readonly question: Question
  readonly ours: Status
  /** Why it is bogus here, in words. */
  readonly detail: string
  readonly unbound: Status
  readonly bind: Status
  /** The records found here, as text. */
  readonly content: string
  /** All three found records that are secure, but not the same ones. */
  readonly isOtherContent: boolean
  /** Of a difference. */
  readonly explanation: string | undefined
}

export type Upstream = { readonly port: number; readonly fetch: FetchOctets }

/** The references are started for this, with empty caches. */
export async function compare(
  folder: string,
  world: SignedWorld,
  upstream: Upstream,
  questions: readonly Question[],
): Promise<readonly Compared[]> {
  const ours = await askOurs(world, upstream, questions)
  const once = async (timeoutMs: number, some: readonly Own[]): Promise<readonly Compared[]> =>
    compared(some, await references(folder, world, upstream, some, timeoutMs))
  const all = [...(await once(4_000, ours))]
  // On a busy machine a reference may have run out of time. Again, with nothing else asked.
  const open = [...all.entries()].filter(([, each]) => isOpen(each)).map(([index]) => index)
  const again = await once(
    10_000,
    ours.filter((_, index) => open.includes(index)),
  )
  for (const [at, each] of again.entries()) all[open[at] ?? 0] = each
  return all
}

function isOpen({ ours, unbound, bind, explanation }: Compared): boolean {
  return explanation === undefined && !(isEqual(ours, unbound) && isEqual(ours, bind))
}

function compared(
  ours: readonly Own[],
  [unbound, bind]: readonly [readonly Answer[], readonly Answer[]],
): readonly Compared[] {
  return ours.map(({ question, answer, detail, ...circumstances }, index) => {
    const said = { unbound: unbound[index] ?? NO_ANSWER, bind: bind[index] ?? NO_ANSWER }
    const statuses = {
      ours: answer.status,
      unbound: said.unbound.status,
      bind: said.bind.status,
    }
    const others = [said.unbound, said.bind]
    const isSame = others.every(({ status }) => isEqual(answer.status, status))
    return {
      question,
      ...statuses,
      detail,
      content: answer.content,
      isOtherContent:
        answer.status === 'secure found' &&
        isSame &&
        others.some(({ content }) => content !== answer.content),
      explanation: isSame
        ? undefined
        : explanationOf({ ...question, ...statuses, ...circumstances, detail }),
    }
  })
}

const NO_ANSWER: Answer = { status: 'failed', content: '' }

/** A failure is a failure: references answer SERVFAIL whatever made them fail. */
export function isEqual(one: Status, other: Status): boolean {
  return word(one) === word(other)
}

function word(status: Status): string {
  return status === 'failed' ? 'bogus' : status
}

async function references(
  folder: string,
  world: SignedWorld,
  { port }: Upstream,
  questions: readonly { readonly question: Question }[],
  timeoutMs: number,
): Promise<readonly [readonly Answer[], readonly Answer[]]> {
  const servers = [
    await startUnboundValidator(folder, world, port),
    await startBindValidator(folder, world, port, timeoutMs),
  ] as const
  try {
    const [unbound, bind] = await Promise.all(
      servers.map(async (server) => {
        const client = await openDnsClient(server.port)
        try {
          return await side(questions, WIDTH, ({ question }) => answerAt(client, question))
        } finally {
          client.close()
        }
      }),
    )
    return [unbound ?? [], bind ?? []]
  } finally {
    await Promise.all(servers.map(({ child }) => child.stop()))
  }
}

/** Questions at a time: BIND spends most of its time waiting. */
const WIDTH = 100
const NOTHING = { answer: [], authority: [] }

type Own = {
  readonly question: Question
  readonly answer: Answer
  readonly detail: string
} & Pick<Seen, 'zones' | 'answering' | 'insecure'>

async function askOurs(
  world: SignedWorld,
  { fetch }: Upstream,
  questions: readonly Question[],
): Promise<readonly Own[]> {
  // Keys of zones are kept from question to question, as in a relay; each notes what it asks.
  const notes: Set<string>[] = []
  const noting: FetchOctets = async (asked) => {
    const octets = await fetch(asked)
    // Aliases lead to zones that the resolver has looked up by itself.
    const { answer, authority } = octets === undefined ? NOTHING : takeApart(octets)
    for (const note of notes) {
      note.add(asked.name)
      for (const { owner } of [...answer, ...authority])
        note.add(owner.toString('latin1').toLowerCase())
    }
    return octets
  }
  const kept = createMemoryZones()
  const validator = validatorOn(noting, anchorsOf(world.anchorDs), kept)
  const results: Own[] = []
  for (const question of questions) {
    const note = new Set([wireName(question.name)])
    notes.splice(0, 1, note)
    const lookup = await lookupAt(validator, question)
    results.push({
      question,
      answer: answerOf(lookup),
      detail: lookup.kind === 'failed' ? `${lookup.cause}, ${lookup.detail}` : '',
      ...zonesOf(world, note, kept),
    })
  }
  return results
}

/** The zones that hold one of the names, and what is known of them here. */
function zonesOf(
  { zones }: SignedWorld,
  names: ReadonlySet<string>,
  kept: ZoneStore,
): Pick<Seen, 'zones' | 'answering' | 'insecure'> {
  const holding = zones.filter(({ spec }) => {
    const apex = wireName(spec.origin)
    return [...names].some((name) => name.endsWith(apex))
  })
  const answering = new Set(
    [...names].flatMap((name) => {
      const above = holding.filter(({ spec }) => name.endsWith(wireName(spec.origin)))
      return above.sort((a, b) => b.spec.origin.length - a.spec.origin.length).slice(0, 1)
    }),
  )
  const insecure = holding.flatMap(({ spec: { origin } }) => {
    const apex = wireNameFromOctets(Buffer.from(wireName(origin), 'latin1'))
    const zone = apex && kept.get(apex)
    return zone?.keys === undefined && zone !== undefined ? [[origin, zone.detail] as const] : []
  })
  return { zones: holding, answering: [...answering], insecure: new Map(insecure) }
}

function wireName(text: string): string {
  const labels = text.split('.').filter(Boolean)
  return `${labels.map((label) => String.fromCharCode(label.length) + label).join('')}\0`
}

/** Whether ours trusts more than one of the references does. */
export function isLooser({ ours, unbound, bind }: Compared): boolean {
  return [unbound, bind].some((other) => trust(ours) > trust(other))
}

/** Neither reference says `secure`, or not both. */
export function isWronglySecure({ ours, unbound, bind }: Compared): boolean {
  return ours.startsWith('secure') && !(unbound.startsWith('secure') && bind.startsWith('secure'))
}

function trust(status: Status): number {
  return status.startsWith('secure') ? 2 : status.startsWith('insecure') ? 1 : 0
}

/** Counts of each combination, the most frequent first. */
export function tableOf(all: readonly Compared[]): readonly string[] {
  const counts = new Map<string, number>()
  for (const { ours, unbound, bind } of all) {
    const row = [ours, unbound, bind].map((status) => status.padEnd(18)).join(' ')
    counts.set(row, (counts.get(row) ?? 0) + 1)
  }
  const rows = [...counts].sort((a, b) => b[1] - a[1])
  return [
    `${['ours', 'Unbound', 'BIND'].map((title) => title.padEnd(18)).join(' ')} questions`,
    ...rows.map(([row, count]) => `${row} ${String(count).padStart(9)}`),
  ]
}
