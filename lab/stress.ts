/**
 * Checks that every message is accounted for, whatever hosts do and however often Haraka dies.
 *
 * Sixty destinations, half of them with DANE: good, slow, refusing temporarily or
 * permanently, resetting, and those to which DANE must not deliver. While messages are
 * submitted, Haraka is killed and restarted at random. Every message acknowledged with 250
 * must be delivered, or bounced with a reason, according to its destination; what counts
 * are the mail hosts' own records.
 *
 * A duplicate is allowed if the kill came between the host's reply to DATA
 * and Haraka's record of it (RFC 5321 §4.1.1.4, RFC 1047); duplicates are counted.
 */
import { readdirSync } from 'node:fs'
import path from 'node:path'
import { until } from './child.js'
import { destination } from './destination.js'
import type { DestinationOptions } from './destination.js'
import type { Haraka } from './haraka.js'
import { createAuthority, startLaboratory } from './laboratory.js'
import type { Laboratory } from './laboratory.js'
import type { Misbehavior } from './mx-dialog.js'
import { PLACE } from './rows.js'

export type StressOptions = {
  readonly messages: number
  readonly kills: number
  readonly log: (line: string) => void
}

/** The required outcome of a message. */
type Wanted =
  | { readonly kind: 'delivered' }
  /** Bounced, after all retries, with this in its Status line. */
  | { readonly kind: 'returned'; readonly status: RegExp }

type Kind = {
  readonly name: string
  /** The number of destinations of this kind. */
  readonly count: number
  readonly isProtected: boolean
  readonly options: DestinationOptions
  readonly wanted: Wanted
}

const DELIVERED: Wanted = { kind: 'delivered' }
const returned = (status: RegExp): Wanted => ({ kind: 'returned', status })
const TRIED_ALL = /Tried all MXs/

const behaving = (misbehavior: Misbehavior): DestinationOptions => ({ host: { misbehavior } })

/** With DANE 30, without 30. */
const KINDS: readonly Kind[] = [
  ...(
    [
      ['good', 11, {}, DELIVERED],
      ['slow', 4, behaving('slow'), DELIVERED],
      ['refuses for now', 2, behaving('rcpt-450'), returned(/5\.2\.0/)],
      ['refuses for good', 2, behaving('rcpt-550'), returned(/5\.1\.1/)],
      ['resets after TLS', 2, behaving('reset-after-tls'), returned(TRIED_ALL)],
      ['resets at DATA', 2, behaving('data-reset'), returned(TRIED_ALL)],
      ['wrong certificate', 3, { tlsa: 'wrong' }, returned(/5\.7\.5 .*certificate-mismatch/)],
      ['STARTTLS stripped', 2, behaving('no-starttls'), returned(/5\.7\.4 .*starttls-not-offered/)],
      [
        'no handshake',
        1,
        behaving('starttls-garbage'),
        returned(/5\.7\.5 .*(tls-handshake-failed|protocol-violation)/),
      ],
      ['bogus TLSA', 1, { isTlsaBogus: true }, returned(/5\.4\.3 .*tlsa-bogus/)],
    ] satisfies readonly (readonly [string, number, DestinationOptions, Wanted])[]
  ).map(([name, count, options, wanted]) => ({ name, count, options, wanted, isProtected: true })),
  ...(
    [
      ['good', 13, {}, DELIVERED],
      ['slow', 4, behaving('slow'), DELIVERED],
      ['speaks no TLS', 4, behaving('no-starttls'), DELIVERED],
      ['refuses for now', 3, behaving('rcpt-450'), returned(/5\.2\.0/)],
      ['refuses for good', 3, behaving('rcpt-550'), returned(/5\.1\.1/)],
      ['resets at DATA', 3, behaving('data-reset'), returned(TRIED_ALL)],
    ] satisfies readonly (readonly [string, number, DestinationOptions, Wanted])[]
  ).map(([name, count, options, wanted]) => ({
    name,
    count,
    wanted,
    isProtected: false,
    options: { ...options, place: PLACE.unsigned, tlsa: 'none' } as const,
  })),
]

type Place = { readonly kind: Kind; readonly domain: string; readonly host: string }

export type Tally = {
  readonly kind: string
  readonly isProtected: boolean
  accepted: number
  delivered: number
  returned: number
  /** Duplicates. */
  extra: number
}

export type StressResult = {
  readonly tallies: readonly Tally[]
  readonly kills: number
  readonly seconds: number
  /** Messages that were not acknowledged with 250. */
  readonly unacknowledged: number
  /** Empty if everything is as required. */
  readonly complaints: readonly string[]
}

export async function stress(options: StressOptions): Promise<StressResult> {
  const places: Place[] = []
  const { laboratory } = await startLaboratory(async (port) => {
    const authority = await createAuthority()
    const all = KINDS.flatMap((kind, number) =>
      Array.from({ length: kind.count }, async (_, index) => {
        const made = await destination(port, authority, `d${number}-${index}`, kind.options)
        places.push({ kind, domain: made.domain, host: made.host })
        return made.row
      }),
    )
    const sender = { place: PLACE.unsigned, tlsa: 'none' } as const
    return [...(await Promise.all(all)), (await destination(port, authority, 'sender', sender)).row]
  })
  try {
    return await run(laboratory, places, options)
  } finally {
    await laboratory.stop()
  }
}

async function run(
  laboratory: Laboratory,
  places: readonly Place[],
  { messages, kills, log }: StressOptions,
): Promise<StressResult> {
  const startedAt = Date.now()
  const relay = await laboratory.startRelay(
    'dane',
    { files: { 'outbound.ini': 'local_mx_ok=true\nconnect_timeout=5\ntemp_fail_intervals=5s*3' } },
    '',
  )
  let submitted = 0
  const { accepted, unacknowledged } = await whileKilled(
    relay,
    kills,
    () => submitted / messages,
    log,
    () =>
      submitAll(relay, places, messages, () => {
        submitted += 1
      }),
  )
  log(`${accepted.size} messages accepted after ${seconds(startedAt)} s, waiting for the queue`)
  await until('an empty queue', () => queueLength(relay) === 0, { timeoutMs: 900_000 })
  // QUIT, and the host's record of it, are still in flight.
  await new Promise((resolve) => setTimeout(resolve, 1_000))
  return {
    ...judge(laboratory, places, accepted, relay),
    kills,
    unacknowledged,
    seconds: seconds(startedAt),
  }
}

/** Runs the work while Haraka is killed at random points of its progress. */
async function whileKilled<T>(
  relay: Haraka,
  kills: number,
  progress: () => number,
  log: (line: string) => void,
  work: () => Promise<T>,
): Promise<T> {
  const moments = Array.from({ length: kills }, () => Math.random()).sort((a, b) => a - b)
  const killing = (async () => {
    for (const moment of moments) {
      await until('progress', () => progress() >= moment, { timeoutMs: 900_000 })
      await relay.restart('SIGKILL')
      log(`killed and started again after ${Math.round(progress() * 100)} % of the messages`)
    }
  })()
  const [result] = await Promise.all([work(), killing])
  return result
}

/** The acknowledged messages by recipient. Each attempt has its own recipient. */
async function submitAll(
  relay: Haraka,
  places: readonly Place[],
  messages: number,
  done: () => void,
): Promise<{ readonly accepted: ReadonlyMap<string, Place>; readonly unacknowledged: number }> {
  const accepted = new Map<string, Place>()
  let unacknowledged = 0
  let next = 0
  const worker = async (): Promise<void> => {
    while (next < messages) {
      const number = next++
      const place = places[number % places.length]
      if (place === undefined) return
      for (let attempt = 0; ; attempt++) {
        const recipient = `m${number}-${attempt}@${place.domain}`
        try {
          await relay.submit(recipient, `me@sender.${PLACE.unsigned}`)
          accepted.set(recipient, place)
          break
        } catch {
          unacknowledged += 1
          await new Promise((resolve) => setTimeout(resolve, 200))
        }
      }
      done()
    }
  }
  await Promise.all(Array.from({ length: 20 }, worker))
  return { accepted, unacknowledged }
}

function queueLength(relay: Haraka): number {
  return readdirSync(path.join(relay.folder, 'queue'), {
    recursive: true,
    withFileTypes: true,
  }).filter((entry) => entry.isFile()).length
}

function judge(
  laboratory: Laboratory,
  places: readonly Place[],
  accepted: ReadonlyMap<string, Place>,
  relay: Haraka,
): Pick<StressResult, 'tallies' | 'complaints'> {
  const complaints: string[] = []
  const tallies = new Map<Kind, Tally>(
    KINDS.map((kind) => [
      kind,
      {
        kind: kind.name,
        isProtected: kind.isProtected,
        accepted: 0,
        delivered: 0,
        returned: 0,
        extra: 0,
      },
    ]),
  )
  const copies = count(
    places.flatMap(({ host }) =>
      (laboratory.hosts.get(host)?.sessions ?? []).flatMap(({ delivered }) => delivered),
    ),
  )
  const bounces = bouncesAt(laboratory)
  for (const [recipient, { kind }] of accepted) {
    const tally = tallies.get(kind)
    if (tally === undefined) continue
    const arrived = copies.get(recipient) ?? 0
    const bounced = bounces.get(recipient) ?? []
    tally.accepted += 1
    tally.delivered += Math.min(arrived, 1)
    tally.returned += Math.min(bounced.length, 1)
    tally.extra += Math.max(arrived - 1, 0) + Math.max(bounced.length - 1, 0)
    complaints.push(...complaintsOf(recipient, kind, arrived, bounced))
  }
  for (const { kind, host } of places.filter((place) => place.kind.isProtected)) {
    const mails = (laboratory.hosts.get(host)?.sessions ?? []).flatMap((session) => session.mails)
    const isForbidden =
      kind.wanted.kind === 'returned' &&
      /certificate|starttls|handshake|tlsa/.test(kind.wanted.status.source)
    if (mails.some(({ isEncrypted }) => !isEncrypted)) complaints.push(`${host}: clear text`)
    if (isForbidden && mails.length > 0) complaints.push(`${host}: an envelope, unverified`)
  }
  const bugs = relay.log().filter((line) => /unexpected error|internal-error|CRIT/.test(line))
  complaints.push(...bugs.slice(0, 5).map((line) => `log: ${line}`))
  return { tallies: [...tallies.values()], complaints }
}

function complaintsOf(
  recipient: string,
  { name, wanted }: Kind,
  arrived: number,
  bounced: readonly string[],
): readonly string[] {
  if (arrived === 0 && bounced.length === 0) return [`${recipient} (${name}): lost`]
  if (wanted.kind === 'delivered') {
    return bounced.length > 0 ? [`${recipient} (${name}): returned: ${bounced[0] ?? ''}`] : []
  }
  return [
    ...(arrived > 0 ? [`${recipient} (${name}): delivered`] : []),
    ...bounced
      .filter((status) => !wanted.status.test(status))
      .map((status) => `${recipient} (${name}): returned for another reason: ${status}`),
  ]
}

/** The Status lines of bounces by recipient. */
function bouncesAt(laboratory: Laboratory): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, string[]>()
  const sessions = laboratory.hosts.get(`mx-sender.${PLACE.unsigned}`)?.sessions ?? []
  for (const text of sessions.flatMap(({ messages }) => messages)) {
    const recipient = /^Final-Recipient: rfc822;(\S+)$/m.exec(text)?.[1] ?? ''
    const status = /^Status: .*(?:\n[ \t].*)*/m.exec(text)?.[0] ?? ''
    found.set(recipient, [...(found.get(recipient) ?? []), status])
  }
  return found
}

function count(all: readonly string[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>()
  for (const each of all) counts.set(each, (counts.get(each) ?? 0) + 1)
  return counts
}

function seconds(startedAt: number): number {
  return Math.round((Date.now() - startedAt) / 1000)
}

/** The result as a table. */
export function stressText({
  tallies,
  kills,
  seconds: took,
  unacknowledged,
}: StressResult): string {
  const rows = tallies.map(({ kind, isProtected, accepted, delivered, returned: back, extra }) =>
    [
      (isProtected ? 'DANE' : '-').padEnd(5),
      kind.padEnd(18),
      ...[accepted, delivered, back, extra].map((figure) => String(figure).padStart(9)),
    ].join(' '),
  )
  const sum = (key: 'accepted' | 'delivered' | 'returned' | 'extra'): number =>
    tallies.reduce((all, tally) => all + tally[key], 0)
  return [
    `${''.padEnd(5)} ${'hosts that'.padEnd(18)}  accepted delivered  returned    copies more`,
    ...rows,
    `${sum('accepted')} accepted, ${sum('delivered')} delivered, ${sum('returned')} returned, ` +
      `${sum('extra')} copies more than one; killed ${kills} times, ` +
      `${unacknowledged} submissions broken off; ${took} s`,
  ].join('\n')
}
