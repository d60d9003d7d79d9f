/**
 * Damaged DNS replies: a hundred thousand of them, derived from valid ones, for a TLSA
 * lookup through the whole stub.
 *
 * A second, independent parser (`walk`, below) decides what is allowed: absence only from
 * a complete message without TLSA records; security only with AD; data only as it is in
 * the message, and no other than the original unless the damage hit the data itself,
 * which only the channel can detect.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createAsk } from '../../src/dns/ask.js'
import { createStub } from '../../src/dns/stub.js'
import type { Exchange, Transport } from '../../src/dns/transport.js'
import type { Lookup } from '../../src/lookup.js'
import { ANSWERED, FLAG, reply, rr, TYPE, u16, wireName } from '../support/dns-message.js'
import type { Reply, Rr } from '../support/dns-message.js'
import { name } from '../support/names.js'

const OWNER = '_25._tcp.mx.example.org'
/** The query that the stub sends if every random octet is zero. */
const ID = 0
const question = { name: OWNER, type: TYPE.TLSA }
const first = rr.tlsa(OWNER, `030101${'ab'.repeat(32)}`)
const second = rr.tlsa(OWNER, `020101${'cd'.repeat(32)}`)
const soa = rr.soa('example.org', 300)
const rrsig: Rr = {
  owner: OWNER,
  type: TYPE.RRSIG,
  rdata: Buffer.concat([
    u16(TYPE.TLSA),
    Buffer.alloc(16, 9),
    wireName('example.org'),
    Buffer.alloc(64, 8),
  ]),
}
const nsec: Rr = { owner: OWNER, type: TYPE.NSEC, rdata: Buffer.from('00000601', 'hex') }
/** A pointer to the name in the question (RFC 1035 §4.1.4). */
const pointer = Buffer.from([0xc0, 12])

const SEEDS: readonly (readonly [string, Reply])[] = (
  [
    ['records', { answer: [first, second] }],
    ['records under a pointer', { answer: [{ ...first, owner: pointer }] }],
    ['records with signatures', { answer: [first, rrsig], additional: [rr.opt()] }],
    [
      'an alias',
      { answer: [rr.cname(OWNER, 'tlsa.example.org'), { ...first, owner: 'tlsa.example.org' }] },
    ],
    ['NODATA', { authority: [soa, nsec] }],
    ['NXDOMAIN', { rcode: 3, authority: [soa] }],
    ['SERVFAIL', { rcode: 2, additional: [rr.opt([[6, 'bogus']])] }],
    ['BADVERS', { additional: [rr.opt([], 1)] }],
  ] as const
).flatMap(([title, parts]) => [
  [`${title}, AD`, { id: ID, question, flags: ANSWERED | FLAG.AD, ...parts }] as const,
  [title, { id: ID, question, ...parts }] as const,
])

/** A small pseudo-random generator that is repeatable (mulberry32). */
function chance(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below
  }
}

type Mutation = (bytes: Buffer, below: (most: number) => number) => Buffer

const MUTATIONS: Readonly<Record<string, Mutation>> = {
  'bit flips': (bytes, below) => {
    const copy = Buffer.from(bytes)
    for (let left = 1 + below(8); left > 0; left--) {
      const at = below(copy.length)
      copy[at] = (copy[at] ?? 0) ^ (1 << below(8))
    }
    return copy
  },
  'header only': (bytes, below) => {
    const copy = Buffer.from(bytes)
    copy.writeUInt16BE(below(0x10000) & ~FLAG.AD, 2)
    return copy
  },
  truncated: (bytes, below) => bytes.subarray(0, below(bytes.length)),
  grown: (bytes, below) =>
    Buffer.concat([bytes, Buffer.from(Array.from({ length: 1 + below(40) }, () => below(256)))]),
  'wrong counts': (bytes, below) => {
    const copy = Buffer.from(bytes)
    copy.writeUInt16BE(below(3) === 0 ? below(0x10000) : below(6), 6 + 2 * below(3))
    return copy
  },
  'wrong pointers': (bytes, below) => {
    const copy = Buffer.from(bytes)
    for (let left = 1 + below(3); left > 0; left--) {
      copy.writeUInt16BE(
        0xc000 | below(below(2) === 0 ? 0x4000 : copy.length),
        12 + below(copy.length - 13),
      )
    }
    return copy
  },
  'octets removed': (bytes, below) => {
    const at = 12 + below(bytes.length - 12)
    return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + below(20))])
  },
  'octets duplicated': (bytes, below) => {
    const at = 12 + below(bytes.length - 12)
    return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at - below(12))])
  },
  'random after the question': (bytes, below) => {
    const end = 12 + wireName(OWNER).length + 4
    const random = Array.from({ length: below(120) }, () => below(256))
    return Buffer.concat([bytes.subarray(0, end), Buffer.from(random)])
  },
  'entirely random': (_, below) =>
    Buffer.from(Array.from({ length: below(200) }, () => below(256))),
}

/** Mutations that leave every octet of RDATA and the AD bit as they were. */
const KEEPS_DATA = new Set(['header only', 'truncated', 'grown', 'wrong counts'])

type Walked = {
  readonly ad: boolean
  readonly rcode: number
  readonly answers: readonly { type: number; rdata: Buffer }[]
}

/** An independent parser for this test: it accepts a message completely or not at all. */
function walk(bytes: Buffer): Walked | undefined {
  let at = 12
  const skipName = (): boolean => {
    for (let steps = 0; steps < 130; steps++) {
      const length = bytes[at]
      if (length === undefined) return false
      if (length >= 0xc0) {
        at += 2
        return at <= bytes.length
      }
      at += 1 + length
      if (length === 0) return true
    }
    return false
  }
  if (bytes.length < 12) return undefined
  const [questions, ...sections] = [4, 6, 8, 10].map((place) => bytes.readUInt16BE(place))
  for (let left = questions ?? 0; left > 0; left--) {
    if (!skipName()) return undefined
    at += 4
  }
  const answers: { type: number; rdata: Buffer }[] = []
  for (const [section, count] of sections.entries()) {
    for (let left = count; left > 0; left--) {
      if (!skipName() || at + 10 > bytes.length) return undefined
      const type = bytes.readUInt16BE(at)
      const end = at + 10 + bytes.readUInt16BE(at + 8)
      if (end > bytes.length) return undefined
      if (section === 0) answers.push({ type, rdata: bytes.subarray(at + 10, end) })
      at = end
    }
  }
  if (at !== bytes.length) return undefined
  const flags = bytes.readUInt16BE(2)
  return { ad: (flags & FLAG.AD) !== 0, rcode: flags & 0xf, answers }
}

const hex = (lookup: Lookup): readonly string[] =>
  lookup.kind === 'found'
    ? lookup.records.map((record) =>
        record.type === 'TLSA' ? record.rdata.toString('hex') : record.type,
      )
    : []

test(
  '120,000 damaged replies [DERIVED-dns-d R7672-2.1.1-e]',
  { timeout: 120_000 },
  async (context) => {
    let reply_: Buffer = Buffer.alloc(0)
    // As in the real transports: anything that is not a reply to the question is ignored.
    const transport: Transport = (_, isReply) =>
      Promise.resolve<Exchange>(
        isReply(reply_) ? { kind: 'reply', bytes: reply_ } : { kind: 'timeout', strays: 1 },
      )
    const stub = createStub({
      server: 'here',
      ask: createAsk({
        server: 'here',
        udp: transport,
        stream: transport,
        isCaseMixed: true,
        now: () => 0,
        entropy: (octets) => Buffer.alloc(octets),
      }),
      isTrusted: true,
      now: () => 0,
      observe: () => undefined,
    })
    const seed = Date.now() & 0x7fffffff
    const below = chance(seed)
    const counts = new Map<string, number>()
    const perSeed = Math.ceil(120_000 / SEEDS.length / Object.keys(MUTATIONS).length)
    let total = 0
    for (const [title, parts] of SEEDS) {
      const whole = reply(parts)
      reply_ = whole
      const good = hex(await stub.lookup(name(OWNER), 'TLSA', 1_000))
      for (const [mutation, mutate] of Object.entries(MUTATIONS)) {
        for (let left = perSeed; left > 0; left--) {
          reply_ = mutate(whole, below)
          const where = `seed ${seed}, ${title}, ${mutation}: ${reply_.toString('hex')}`
          const lookup = await stub.lookup(name(OWNER), 'TLSA', 1_000)
          judge(lookup, walk(reply_), where)
          if (lookup.kind === 'found' && KEEPS_DATA.has(mutation)) {
            assert.ok(
              hex(lookup).every((each) => good.includes(each)),
              where,
            )
          }
          const word =
            lookup.kind === 'failed'
              ? `failed ${lookup.cause}`
              : `${lookup.kind} ${lookup.security}`
          counts.set(word, (counts.get(word) ?? 0) + 1)
          total++
        }
      }
    }
    const sorted = [...counts].sort(([, a], [, b]) => b - a)
    context.diagnostic(
      `${total} replies, chance ${seed}: ${sorted.map(([word, n]) => `${n} ${word}`).join(', ')}`,
    )
    assert.ok(total >= 100_000)
    // The damage must not be so great that no reply is ever accepted.
    for (const word of ['found secure', 'absent secure', 'failed malformed'])
      assert.ok(counts.has(word), word)
  },
)

function judge(lookup: Lookup, walked: Walked | undefined, where: string): void {
  if (lookup.kind === 'failed') return
  assert.ok(walked, `an answer from a message that is not whole: ${where}`)
  assert.ok(walked.rcode === 0 || walked.rcode === 3, where)
  if (lookup.security === 'secure') assert.ok(walked.ad, `secure without AD: ${where}`)
  const there = walked.answers.filter(({ type }) => type === TYPE.TLSA)
  if (lookup.kind === 'absent') {
    assert.deepEqual(there, [], `absent, and yet there: ${where}`)
    return
  }
  for (const each of hex(lookup)) {
    assert.ok(
      there.some(({ rdata }) => rdata.toString('hex') === each),
      `data from nowhere: ${where}`,
    )
  }
}
