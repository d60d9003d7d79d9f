/**
 * Properties of every chain and record: nothing that an attacker can change turns a
 * refusal into an authentication, order does not matter, and any bytes result in a
 * verdict.
 */
import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'
import fc from 'fast-check'
import { NOON, tlsaFor } from '../../lab/certificates.js'
import { filterTlsa } from '../../src/tlsa.js'
import type { PeerChain, Verdict } from '../../src/verdict.js'
import { verify } from '../../src/verify/verify.js'
import { expectation, published, word } from '../support/chains.js'
import { name } from '../support/names.js'
import { mintShapes } from '../support/shapes.js'
import type { Shape } from '../support/shapes.js'

/** One shape against one set of records. */
type Case = {
  readonly title: string
  readonly chain: PeerChain
  readonly records: readonly { readonly rdata: Buffer }[]
  readonly verdict: Verdict
  /** The path leads to the anchor's key; only the fields of its certificate prevent success. */
  readonly hangsOnAnchor: boolean
}

let refusedCases: readonly Case[]
let authenticatedCases: readonly Case[]

before(async () => {
  const cases = (await mintShapes()).flatMap(casesOf)
  refusedCases = cases.filter(({ verdict }) => verdict.kind === 'refused')
  authenticatedCases = cases.filter(({ verdict }) => verdict.kind === 'authenticated')
  assert.ok(refusedCases.length > 100 && authenticatedCases.length > 100)
})

function casesOf({ name: shape, sent, leaf, intermediate, root }: Shape): readonly Case[] {
  const [first, ...others] = sent
  const chain: PeerChain = [first.der, ...others.map(({ der }) => der)]
  const sets: readonly (readonly string[])[] = [
    [tlsaFor(3, 1, 1, leaf)],
    [tlsaFor(3, 0, 0, leaf)],
    [tlsaFor(3, 1, 1, intermediate)],
    [tlsaFor(2, 0, 1, root)],
    [tlsaFor(2, 1, 1, root)],
    [tlsaFor(2, 0, 0, root)],
    [tlsaFor(2, 1, 0, root)],
    [tlsaFor(2, 0, 1, intermediate)],
    [tlsaFor(2, 1, 1, intermediate)],
    [tlsaFor(3, 1, 1, intermediate), tlsaFor(2, 0, 1, root), tlsaFor(2, 1, 2, leaf)],
  ]
  const byKey = judge(chain, [published(tlsaFor(2, 1, 0, root))])
  return sets.map((set) => {
    const records = set.map(published)
    return {
      title: `${shape}: ${set.map((text) => text.slice(0, 12)).join(', ')}`,
      chain,
      records,
      verdict: judge(chain, records),
      hangsOnAnchor: byKey.kind === 'authenticated',
    }
  })
}

/** Undefined if no record is usable, which means no authentication. */
function judge(chain: PeerChain, records: readonly { readonly rdata: Buffer }[]): Verdict {
  const { usable, unusable } = filterTlsa(records)
  const [first, ...rest] = usable
  if (first === undefined) return { kind: 'encrypted' }
  const base = expectation([tlsaFor(3, 1, 1, { der: Buffer.alloc(1), spki: Buffer.alloc(1) })])
  return verify({ ...base, records: [first, ...rest], unusable }, chain, NOON.getTime())
}

/**
 * 2 0 0: only the zone signs the record (an anchor's own signature is not checked, RFC 5280
 * §6.1).
 */
function isWholeAnchor(rdata: Buffer | undefined): boolean {
  return rdata?.subarray(0, 3).equals(Buffer.from([2, 0, 0])) ?? false
}

function flip(bytes: Buffer, bit: number): Buffer {
  const copy = Buffer.from(bytes)
  const at = Math.floor(bit / 8) % Math.max(1, copy.length)
  copy[at] = (copy[at] ?? 0) ^ (1 << (bit % 8))
  return copy
}

const RUNS = { numRuns: 2000 }
const which = fc.nat({ max: 1_000_000 })

const pick = <T>(items: readonly T[], at: number): T => {
  const item = items[at % items.length]
  assert.ok(item !== undefined)
  return item
}

describe('nothing turns a refusal into an authentication', () => {
  test('flipping a bit of a certificate', () => {
    fc.assert(
      fc.property(which, which, which, (caseAt, certificateAt, bit) => {
        const { title, chain, records } = pick(refusedCases, caseAt)
        const at = certificateAt % chain.length
        const [first, ...others] = chain.map((der, index) => (index === at ? flip(der, bit) : der))
        assert.ok(first)
        assert.notEqual(judge([first, ...others], records).kind, 'authenticated', title)
      }),
      RUNS,
    )
  })

  test('flipping a bit of a record', () => {
    fc.assert(
      fc.property(which, which, which, (caseAt, recordAt, bit) => {
        const { title, chain, records, hangsOnAnchor } = pick(refusedCases, caseAt)
        const at = recordAt % records.length
        const changed = records.map(({ rdata }, index) => ({
          rdata: index === at ? flip(rdata, bit) : rdata,
        }))
        const verdict = judge(chain, changed)
        // A flipped bit of usage, selector or matching type makes another record, which may match.
        const isParameter = Math.floor(bit / 8) % (records[at]?.rdata.length ?? 1) < 3
        // A Full(0) certificate in DNS is trusted: with a bit of its constraints or dates flipped it is another valid anchor.
        const isAnchor = hangsOnAnchor && isWholeAnchor(records[at]?.rdata)
        assert.ok(verdict.kind !== 'authenticated' || isParameter || isAnchor, title)
      }),
      RUNS,
    )
  })

  test('removing a certificate other than the leaf', () => {
    for (const { title, chain, records } of refusedCases) {
      const [leaf, ...others] = chain
      for (const [index] of others.entries()) {
        const verdict = judge([leaf, ...others.filter((_, other) => other !== index)], records)
        assert.notEqual(verdict.kind, 'authenticated', title)
      }
    }
  })
})

test('the order of the rest of the list and of the records does not matter [DERIVED-chain-a]', () => {
  fc.assert(
    fc.property(
      which,
      fc.boolean(),
      fc.array(which, { minLength: 30, maxLength: 30 }),
      (caseAt, isGood, lots) => {
        const { title, chain, records, verdict } = pick(
          isGood ? authenticatedCases : refusedCases,
          caseAt,
        )
        const shuffled = <T>(items: readonly T[]): readonly T[] =>
          items
            .map((item, index) => ({ item, lot: pick(lots, index) }))
            .sort((a, b) => a.lot - b.lot)
            .map(({ item }) => item)
        const [leaf, ...others] = chain
        const again = judge(
          [leaf, ...shuffled(others), ...shuffled(others).slice(0, 2)],
          shuffled(records),
        )
        assert.equal(word(again), word(verdict), title)
      },
    ),
    { numRuns: 1000 },
  )
})

describe('any bytes result in a verdict', () => {
  const bytes = fc.uint8Array({ maxLength: 400 }).map((array) => Buffer.from(array))

  test('as a record', () => {
    fc.assert(
      fc.property(fc.array(bytes, { maxLength: 8 }), which, (all, caseAt) => {
        const { chain } = pick(refusedCases, caseAt)
        assert.notEqual(
          judge(
            chain,
            all.map((rdata) => ({ rdata })),
          ).kind,
          'authenticated',
        )
      }),
      RUNS,
    )
  })

  test('as certificates', () => {
    fc.assert(
      fc.property(bytes, fc.array(bytes, { maxLength: 5 }), which, (leaf, others, caseAt) => {
        const { records } = pick(authenticatedCases, caseAt)
        assert.notEqual(judge([leaf, ...others], records).kind, 'authenticated')
      }),
      RUNS,
    )
  })

  test('truncated or extended anywhere', () => {
    fc.assert(
      fc.property(which, which, bytes, (caseAt, cutAt, more) => {
        const { title, chain, records } = pick(refusedCases, caseAt)
        const [leaf, ...others] = chain
        const cut = Buffer.concat([leaf.subarray(0, cutAt % leaf.length), more])
        assert.notEqual(judge([cut, ...others], records).kind, 'authenticated', title)
      }),
      RUNS,
    )
  })
})

test('a name is never mistaken for another', () => {
  const label = fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?$/)
  const domain = fc
    .array(label, { minLength: 1, maxLength: 3 })
    .map((labels) => name([...labels, 'example'].join('.')))
  fc.assert(
    fc.property(domain, which, (reference, caseAt) => {
      const good = authenticatedCases.filter(
        ({ verdict }) => verdict.kind === 'authenticated' && verdict.name !== undefined,
      )
      const { chain, records } = pick(good, caseAt)
      const base = expectation(['3 1 1 ' + '00'.repeat(32)], [reference])
      const [first, ...rest] = filterTlsa(records).usable.filter(({ usage }) => usage === 2)
      assert.ok(first)
      assert.equal(
        word(verify({ ...base, records: [first, ...rest] }, chain, NOON.getTime())),
        'name-mismatch',
      )
    }),
    { numRuns: 500 },
  )
})
