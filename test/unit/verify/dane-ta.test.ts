/** DANE-TA(2): a path to the anchor, wherever the anchor and the issuers come from. */
import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'
import { mint } from '../../../lab/certificates.js'
import type { Minted } from '../../../lab/certificates.js'
import { chainOf, judge, tlsaFor, word } from '../../support/chains.js'
import { ca, family } from '../../support/mint.js'
import { MX, PAST } from '../../support/shapes.js'

let root: Minted
let intermediate: Minted
let leaf: Minted
let stranger: Minted

before(async () => {
  ;({ root, intermediate, leaf, stranger } = await family())
})

describe('DANE-TA(2) (RFC 7672 §3.1.2)', () => {
  for (const selector of [0, 1]) {
    for (const matchingType of [0, 1, 2]) {
      test(`2 ${selector} ${matchingType} of the root [R6698-2.1-b R7671-2-a]`, () => {
        const record = tlsaFor(2, selector, matchingType, root)
        assert.equal(word(judge([record], chainOf(leaf, intermediate, root))), 'authenticated at 2')
      })
      test(`2 ${selector} ${matchingType} of the intermediate: the path ends there [R6698-2.1-d]`, () => {
        const record = tlsaFor(2, selector, matchingType, intermediate)
        assert.equal(word(judge([record], chainOf(leaf, intermediate))), 'authenticated at 1')
      })
    }
  }

  test('the anchor was not sent and DNS has only its digest [R7671-5.2.2-a R7672-3.1.2-a R7671-5.2.3-a]', () => {
    for (const matchingType of [1, 2]) {
      for (const selector of [0, 1]) {
        const record = tlsaFor(2, selector, matchingType, root)
        assert.equal(word(judge([record], chainOf(leaf, intermediate))), 'certificate-mismatch')
      }
    }
  })

  test('2 0 0: the anchor is in DNS alone [R7671-5.2.2-b]', () => {
    assert.equal(
      word(judge([tlsaFor(2, 0, 0, root)], chainOf(leaf, intermediate))),
      'authenticated at 2',
    )
  })

  test('2 0 0 of an intermediate in DNS alone [R7671-5.2.2-b]', () => {
    assert.equal(word(judge([tlsaFor(2, 0, 0, intermediate)], chainOf(leaf))), 'authenticated at 1')
  })

  test('2 1 0: a bare key in DNS signed the topmost certificate [R7671-5.2.3-b]', () => {
    assert.equal(
      word(judge([tlsaFor(2, 1, 0, root)], chainOf(leaf, intermediate))),
      'authenticated at 2',
    )
    assert.equal(word(judge([tlsaFor(2, 1, 0, intermediate)], chainOf(leaf))), 'authenticated at 1')
  })

  test('2 1 0: a bare key that did not sign anything [R7671-5.2.3-b]', () => {
    const record = tlsaFor(2, 1, 0, stranger)
    assert.equal(word(judge([record], chainOf(leaf, intermediate))), 'certificate-mismatch')
  })

  test('a record of the leaf itself is no match [R7671-5.2-a]', () => {
    for (const selector of [0, 1]) {
      const record = tlsaFor(2, selector, 1, leaf)
      assert.equal(word(judge([record], chainOf(leaf, intermediate, root))), 'certificate-mismatch')
    }
  })

  test('a record of a self-signed leaf is no match [R7671-5.2-a]', async () => {
    const own = await mint({ subject: `CN=${MX}`, names: [MX], isCa: true })
    assert.equal(word(judge([tlsaFor(2, 1, 1, own)], chainOf(own, own))), 'certificate-mismatch')
  })

  test('the anchor is in the list but did not issue anything [R6698-2.1-c]', async () => {
    const own = await mint({ subject: `CN=${MX}`, names: [MX] })
    const record = tlsaFor(2, 1, 1, root)
    assert.equal(word(judge([record], chainOf(own, intermediate, root))), 'certificate-mismatch')
  })

  test('an issuer with the same name and another key [R6698-2.1-c]', async () => {
    const impostor = await ca('intermediate', { issuer: root })
    const record = tlsaFor(2, 1, 1, root)
    assert.equal(word(judge([record], chainOf(leaf, impostor, root))), 'certificate-mismatch')
  })

  test('a list in any order, with duplicates and unrelated certificates [DERIVED-chain-a]', () => {
    const record = tlsaFor(2, 1, 1, root)
    const lists = [
      chainOf(leaf, root, intermediate),
      chainOf(leaf, stranger, root, stranger, intermediate, intermediate, leaf),
    ]
    for (const list of lists) assert.equal(word(judge([record], list)), 'authenticated at 2')
  })

  test('an element of the list that is not a certificate is skipped [DERIVED-chain-a]', () => {
    const list = [
      leaf.der,
      Buffer.from('noise'),
      intermediate.der,
      Buffer.alloc(0),
      root.der,
    ] as const
    assert.equal(word(judge([tlsaFor(2, 1, 1, root)], list)), 'authenticated at 2')
  })

  test('two issuers with the same key, one expired: the other is used [DERIVED-chain-b]', async () => {
    const stale = await ca('intermediate', { issuer: root, keys: intermediate.keys, ...PAST })
    const record = tlsaFor(2, 1, 1, root)
    assert.equal(word(judge([record], chainOf(leaf, stale, root))), 'certificate-expired')
    assert.equal(
      word(judge([record], chainOf(leaf, stale, intermediate, root))),
      'authenticated at 2',
    )
    assert.equal(
      word(judge([record], chainOf(leaf, intermediate, stale, root))),
      'authenticated at 2',
    )
  })

  test('cross-signed intermediates: the path to the anchor is found [DERIVED-chain-b]', async () => {
    const crossed = await ca('intermediate', { issuer: stranger, keys: intermediate.keys })
    for (const anchor of [root, stranger]) {
      const list = chainOf(leaf, crossed, intermediate, root, stranger)
      assert.equal(word(judge([tlsaFor(2, 1, 1, anchor)], list)), 'authenticated at 2')
    }
  })
})
