/** Where each limit of path.ts's budget lies: what is just inside it, and one more. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { tlsaFor } from '../../lab/certificates.js'
import { BUDGET } from '../../src/verify/path.js'
import { judge, word } from '../support/chains.js'
import {
  build,
  CN,
  dn,
  dns,
  ecKeys,
  excluded,
  extensions,
  permitted,
} from '../support/der-builder.js'
import type { Built, Der, KeyPair } from '../support/der-builder.js'

const MX = 'mx.example.org'
const ROOT = dn([[CN, 'Root']])
const MIDDLE = dn([[CN, 'Middle']])
const rootKeys = ecKeys()
const middleKeys = ecKeys()
const leafKeys = ecKeys()
const root = build({ subject: ROOT, keys: rootKeys, extensions: [extensions.ca()] })

const many = <T>(count: number, make: (index: number) => T): readonly T[] =>
  Array.from({ length: count }, (_, index) => make(index))
const leafOf = (names: readonly string[]): Built =>
  build({
    issuer: MIDDLE,
    keys: leafKeys,
    signedBy: middleKeys,
    extensions: [extensions.names(...names.map(dns))],
  })
/** Intermediates of one name and key, `count` of them. */
const middles = (count: number, keys: KeyPair = middleKeys): readonly Built[] =>
  many(count, (serial) =>
    build({
      subject: MIDDLE,
      issuer: ROOT,
      keys,
      signedBy: rootKeys,
      serial,
      extensions: [extensions.ca()],
    }),
  )
const strangers = (count: number, subject: Der): readonly Built[] => {
  const keys = ecKeys()
  return many(count, (serial) => build({ subject, keys, serial, extensions: [extensions.ca()] }))
}
const verdictOn = (records: readonly string[], ...list: readonly [Built, ...Built[]]): string => {
  const [first, ...others] = list
  return word(judge(records, [first.der, ...others.map(({ der }) => der)]))
}

const leaf = leafOf([MX])
const byRoot = [tlsaFor(2, 0, 1, root)]

/** What is just inside, and what one more of the same comes to. */
const cases: readonly (readonly [keyof typeof BUDGET, string, (more: number) => string])[] = [
  [
    'certificates',
    'authenticated at 2',
    (more) => {
      const crowd = strangers(BUDGET.certificates - 2 + more, dn([[CN, 'Stranger']]))
      return verdictOn(byRoot, leaf, ...crowd, ...middles(1), root)
    },
  ],
  [
    'signatures',
    'certificate-mismatch',
    (more) => {
      // Each of the two that fit is tried with each of the roots: 60 + 2 * 50.
      const wrong = middles(58 + more, ecKeys())
      const roots = strangers(50, ROOT)
      assert.equal(58 + 2 + 2 * roots.length, BUDGET.signatures)
      return verdictOn(byRoot, leaf, ...wrong, ...middles(2), ...roots)
    },
  ],
  [
    'keySignatures',
    'certificate-mismatch',
    (more) => {
      const keys = many(BUDGET.keySignatures + more, () => build({ keys: ecKeys() }))
      return verdictOn(
        keys.map((each) => tlsaFor(2, 1, 0, each)),
        leaf,
      )
    },
  ],
  [
    'paths',
    'name-mismatch',
    (more) => verdictOn(byRoot, leafOf(['other.example']), ...middles(BUDGET.paths + more), root),
  ],
  [
    'comparisons',
    'authenticated at 2',
    (more) => {
      // Each name and the reference name against each constraint: 1000 * 100.
      const bases = many(100, (index) => dns(`c${index}.invalid`))
      const constrained = build({
        subject: ROOT,
        keys: rootKeys,
        extensions: [extensions.ca(), extensions.nameConstraints(excluded(...bases))],
      })
      const names = [MX, ...many(998 + more, (index) => `n${index}.example`)]
      assert.equal((999 + 1) * bases.length, BUDGET.comparisons)
      return verdictOn([tlsaFor(2, 0, 1, constrained)], leafOf(names), ...middles(1), constrained)
    },
  ],
]

describe('each limit [DERIVED-chain-c]', () => {
  for (const [limit, wanted, verdict] of cases) {
    test(`${limit}: ${BUDGET[limit]} are judged`, () => assert.equal(verdict(0), wanted))
    test(`${limit}: one more is too many`, () => assert.equal(verdict(1), 'budget-exhausted'))
  }

  test('depth: an anchor above as many certificates as that is found, a deeper one is not', () => {
    const height = BUDGET.depth + 1
    const keys = many(height + 1, ecKeys)
    const name = (index: number): Der => dn([[CN, `CA ${index}`]])
    const at = (index: number): KeyPair => keys[index] ?? leafKeys
    const links = many(height, (index) =>
      build({
        subject: name(index),
        issuer: name(index + 1),
        keys: at(index),
        signedBy: at(index + 1),
        extensions: [extensions.ca()],
      }),
    )
    const end = build({
      issuer: name(0),
      keys: leafKeys,
      signedBy: at(0),
      extensions: [extensions.names(dns(MX))],
    })
    const anchor = (depth: number): readonly string[] => {
      const link = links[depth - 1]
      assert.ok(link)
      return [tlsaFor(2, 0, 1, link)]
    }
    assert.equal(verdictOn(anchor(BUDGET.depth), end, ...links), `authenticated at ${BUDGET.depth}`)
    assert.equal(verdictOn(anchor(BUDGET.depth + 1), end, ...links), 'certificate-mismatch')
  })
})

describe('the order of a search that ends early', () => {
  test('more keys in DNS than are tried: the order of records changes nothing', () => {
    const right = build({ keys: middleKeys })
    const others = many(BUDGET.keySignatures + 20, () => build({ keys: ecKeys() }))
    const verdicts = [
      [right, ...others],
      [...others, right],
    ].map((all) =>
      verdictOn(
        all.map((each) => tlsaFor(2, 1, 0, each)),
        leaf,
      ),
    )
    assert.equal(verdicts[0], verdicts[1])
  })

  test('more paths than are judged: the order of the list changes nothing', () => {
    const narrow = build({
      subject: MIDDLE,
      issuer: ROOT,
      keys: middleKeys,
      signedBy: rootKeys,
      extensions: [extensions.ca()],
    })
    const blind = many(BUDGET.paths + 10, (serial) =>
      build({
        subject: MIDDLE,
        issuer: ROOT,
        keys: middleKeys,
        signedBy: rootKeys,
        serial: serial + 2,
        extensions: [extensions.ca(), extensions.nameConstraints(permitted(dns('example.net')))],
      }),
    )
    const verdicts = [
      [narrow, ...blind],
      [...blind, narrow],
    ].map((all) => verdictOn(byRoot, leaf, ...all, root))
    assert.equal(verdicts[0], verdicts[1])
  })
})
