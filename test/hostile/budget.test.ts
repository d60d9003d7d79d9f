/** The limits of budget.ts: what is just within each of them, and one more. */
import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { describe, test } from 'node:test'
import { NOON, tlsaFor } from '../../lab/certificates.js'
import { Allowance, BUDGET, COST } from '../../src/verify/budget.js'
import { verify } from '../../src/verify/verify.js'
import { expectation, judge, word } from '../support/chains.js'
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
/** `count` intermediates with the same name and key. */
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

/** The verdict just within the limit, and with one more. */
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
      // Each of the two that match is tried with each of the roots: 32 + 2 * 20.
      const wrong = middles(30 + more, ecKeys())
      const roots = strangers(20, ROOT)
      assert.equal(30 + 2 + 2 * roots.length, BUDGET.signatures)
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
      // Each name and the reference name against each constraint: 500 * 100.
      const bases = many(100, (index) => dns(`c${index}.invalid`))
      const constrained = build({
        subject: ROOT,
        keys: rootKeys,
        extensions: [extensions.ca(), extensions.nameConstraints(excluded(...bases))],
      })
      const names = [MX, ...many(498 + more, (index) => `n${index}.example`)]
      assert.equal((499 + 1) * bases.length, BUDGET.comparisons)
      return verdictOn([tlsaFor(2, 0, 1, constrained)], leafOf(names), ...middles(1), constrained)
    },
  ],
]

describe('each limit [DERIVED-chain-c]', () => {
  for (const [limit, wanted, verdict] of cases) {
    test(`${limit}: ${BUDGET[limit]} are accepted`, () => assert.equal(verdict(0), wanted))
    test(`${limit}: one more is too many`, () => assert.equal(verdict(1), 'budget-exhausted'))
  }

  test('depth: an anchor at the limit is found, a deeper one is not', () => {
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

describe('the budget of an attempt, over all its hosts and addresses', () => {
  const chainOf = (): readonly [Buffer, ...Buffer[]] => [
    leaf.der,
    ...middles(1).map(({ der }) => der),
    root.der,
  ]
  /** Twice the cost allowed for an ordinary verdict, and still within the budget of one verdict. */
  const heavy = (): readonly [Buffer, ...Buffer[]] => [
    leafOf([MX]).der,
    ...many(60, (serial) =>
      build({ subject: MIDDLE, issuer: ROOT, keys: ecKeys(), signedBy: rootKeys, serial }),
    ).map(({ der }) => der),
    ...middles(1).map(({ der }) => der),
    root.der,
  ]
  const at = (allowance: Allowance, chain: readonly [Buffer, ...Buffer[]]): string =>
    word(verify(expectation(byRoot), chain, NOON.getTime(), allowance))

  test('16 addresses with different ordinary chains, each verified twice', () => {
    const allowance = new Allowance()
    for (const keys of many(16, ecKeys)) {
      const subject = dn([[CN, 'Own root']])
      const own = build({ subject, keys, extensions: [extensions.ca()] })
      const signedBy = ecKeys()
      const middle = build({
        subject: MIDDLE,
        issuer: subject,
        keys: signedBy,
        signedBy: keys,
        extensions: [extensions.ca()],
      })
      const end = build({
        issuer: MIDDLE,
        keys: leafKeys,
        signedBy,
        extensions: [extensions.names(dns(MX))],
      })
      const chain = [end.der, middle.der, own.der] as const
      const once = expectation([tlsaFor(2, 0, 1, own)])
      for (let look = 0; look < 2; look++) {
        const found = verify(once, chain, NOON.getTime(), allowance)
        assert.equal(word(found), 'authenticated at 2')
      }
    }
    assert.ok(allowance.share === COST.verdict, 'hardly touched')
  })

  test('hostile hosts use it up, and the next expensive chain is refused', () => {
    const allowance = new Allowance()
    const found = many(40, () => at(allowance, heavy()))
    assert.equal(found[0], 'authenticated at 2')
    assert.equal(found.at(-1), 'budget-exhausted')
    assert.equal(allowance.share, COST.ordinary)
    assert.equal(at(new Allowance(), heavy()), 'authenticated at 2', 'at the next attempt')
  })

  test('an ordinary chain is verified whatever earlier hosts have cost', () => {
    const allowance = new Allowance()
    allowance.take(100 * COST.attempt)
    assert.equal(at(allowance, chainOf()), 'authenticated at 2')
  })

  test('results remembered from an earlier verdict cost the attempt little', () => {
    const chain = heavy()
    const allowance = new Allowance()
    assert.equal(at(allowance, chain), 'authenticated at 2')
    for (let look = 0; look < 16; look++) at(allowance, chain)
    assert.equal(allowance.share, COST.verdict)
  })

  test('a verdict does not depend on whether the certificates were seen before', () => {
    // Each attempt would remember more signatures and get further.
    const slow = many(14, (serial) =>
      build({
        subject: MIDDLE,
        issuer: ROOT,
        keys: generateKeyPairSync('ec', { namedCurve: 'P-521' }),
        signedBy: rootKeys,
        serial,
      }),
    )
    const chain = [leaf.der, ...slow.map(({ der }) => der), root.der] as const
    for (let look = 0; look < 4; look++) {
      assert.equal(at(new Allowance(), chain), 'budget-exhausted')
    }
  })
})

describe('order in a search that ends early', () => {
  test('more keys in DNS than are tried: the order of records does not matter', () => {
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

  test('more paths than are checked: the order of the list does not matter', () => {
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
