/** A memo of one certificate is never used for another. */
import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'
import type { Minted } from '../../../lab/certificates.js'
import { parseCertificate } from '../../../src/x509/certificate.js'
import type { Certificate } from '../../../src/x509/certificate.js'
import { isSignedBy, keyIn, memoOf } from '../../../src/verify/certificate-memo.js'
import { verifyLeaf } from '../../../src/verify/verify.js'
import { chainOf, expectation, judge, tlsaFor, word } from '../../support/chains.js'
import { ca, family, leafOf } from '../../support/mint.js'
import { PAST } from '../../support/shapes.js'

let root: Minted
let intermediate: Minted
let leaf: Minted
let stranger: Minted

before(async () => {
  ;({ root, intermediate, leaf, stranger } = await family())
})

function parsed(der: Buffer): Certificate {
  const certificate = parseCertificate(der)
  if (certificate === undefined) throw new Error('no certificate')
  return certificate
}

describe('a certificate is parsed once', () => {
  test('in whatever buffer its bytes are', () => {
    const first = memoOf(parsed(leaf.der))
    assert.equal(memoOf(parsed(Buffer.from(leaf.der))), first)
    assert.equal(first.parsed(), first.parsed())
  })

  test('a copy that differs in one byte of the signature is parsed separately', () => {
    const other = Buffer.from(leaf.der)
    other[other.length - 1] = (other[other.length - 1] ?? 0) ^ 1
    assert.notEqual(memoOf(parsed(other)), memoOf(parsed(leaf.der)))
  })

  test('a forged copy of a certificate that was just accepted is refused', () => {
    const record = tlsaFor(2, 0, 1, root)
    const chain = chainOf(leaf, intermediate, root)
    assert.equal(word(judge([record], chain)), 'authenticated at 2')
    const forged = Buffer.from(intermediate.der)
    forged[forged.length - 1] = (forged[forged.length - 1] ?? 0) ^ 1
    assert.equal(word(judge([record], [leaf.der, forged, root.der])), 'certificate-mismatch')
    assert.equal(word(judge([record], chain)), 'authenticated at 2')
  })

  test('the dates are checked each time', async () => {
    const short = await leafOf(intermediate, PAST)
    const record = tlsaFor(2, 0, 1, root)
    const chain = chainOf(short, intermediate, root)
    const then = PAST.notBefore.getTime()
    assert.equal(word(judge([record], chain)), 'certificate-expired')
    assert.equal(word(judge([record], chain, { instant: then })), 'authenticated at 2')
    assert.equal(word(judge([record], chain)), 'certificate-expired')
  })
})

describe('a signature is verified once', () => {
  test('with each key', async () => {
    const namesake = await ca('intermediate')
    const x509 = memoOf(parsed(leaf.der)).x509()
    const [right, wrong] = [keyIn(intermediate.spki), keyIn(namesake.spki)]
    assert.ok(x509 && right && wrong)
    for (let time = 0; time < 2; time++) {
      assert.equal(isSignedBy(x509, wrong), false)
      assert.equal(isSignedBy(x509, right), true)
    }
  })
})

describe('the leaf alone', () => {
  test('is sufficient for a matching DANE-EE(3) record, with the same verdict', () => {
    const records = [tlsaFor(2, 0, 1, stranger), tlsaFor(3, 1, 1, leaf)]
    const verdict = verifyLeaf(expectation(records), leaf.der)
    assert.equal(verdict?.kind, 'authenticated')
    assert.deepEqual(verdict, judge(records, chainOf(leaf, intermediate, root)))
  })

  test('is not sufficient if no such record matches', () => {
    const records = [tlsaFor(3, 1, 1, stranger), tlsaFor(2, 0, 1, root)]
    assert.equal(verifyLeaf(expectation(records), leaf.der), undefined)
  })

  test('is not sufficient for DANE-TA(2), even if the record designates it', () => {
    assert.equal(verifyLeaf(expectation([tlsaFor(2, 0, 1, leaf)]), leaf.der), undefined)
  })

  test('is not sufficient if it is not a certificate', () => {
    const record = tlsaFor(3, 0, 1, { der: Buffer.from('none'), spki: Buffer.from('none') })
    assert.equal(verifyLeaf(expectation([record]), Buffer.from('none')), undefined)
  })
})
