/** DANE-EE(3): the leaf alone. */
import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { before, describe, test } from 'node:test'
import { mint, NOON } from '../../../lab/certificates.js'
import type { Minted, MintOptions } from '../../../lab/certificates.js'
import { verify, verifyNothing } from '../../../src/verify/verify.js'
import { chainOf, judge, tlsaFor, word } from '../../support/chains.js'
import { build, ecKeys } from '../../support/der-builder.js'
import type { KeyPair } from '../../support/der-builder.js'
import { family, leafOf } from '../../support/mint.js'
import { name } from '../../support/names.js'
import { FUTURE, MX, PAST } from '../../support/shapes.js'

let root: Minted
let intermediate: Minted
let leaf: Minted
let stranger: Minted

before(async () => {
  ;({ root, intermediate, leaf, stranger } = await family())
})

describe('DANE-EE(3) (RFC 7672 §3.1.1)', () => {
  for (const selector of [0, 1]) {
    for (const matchingType of [0, 1, 2]) {
      test(`3 ${selector} ${matchingType} of the leaf [R7672-3.1.1-a R6698-2.1-a R7671-2-a]`, () => {
        const record = tlsaFor(3, selector, matchingType, leaf)
        assert.equal(word(judge([record], chainOf(leaf, intermediate))), 'authenticated at 0')
      })
      test(`3 ${selector} ${matchingType} of another certificate [R6698-4.1-h]`, () => {
        const record = tlsaFor(3, selector, matchingType, stranger)
        assert.equal(word(judge([record], chainOf(leaf, intermediate))), 'certificate-mismatch')
      })
    }
  }

  const flaws: readonly (readonly [string, Partial<MintOptions>])[] = [
    ['expired [R7672-3.1.1-b]', PAST],
    ['not yet valid [R7672-3.1.1-b]', FUTURE],
    ['for another name [R7672-3.2.1-a]', { names: ['other.example'] }],
    ['for no name [R7671-10.2-a]', { subject: 'CN=', names: [] }],
    ['for client authentication [R7672-3.1.1-a]', { extendedKeyUsage: ['1.3.6.1.5.5.7.3.2'] }],
    ['a CA', { isCa: true }],
    ['signed with SHA-1', { hash: 'SHA-1' }],
  ]
  for (const [flaw, options] of flaws) {
    test(`names, dates and issuers are ignored: ${flaw}`, async () => {
      const flawed = await mint({ subject: `CN=${MX}`, ...options })
      assert.equal(word(judge([tlsaFor(3, 1, 1, flawed)], chainOf(flawed))), 'authenticated at 0')
    })
  }

  const keys: readonly (readonly [string, () => KeyPair])[] = [
    ['RSA', () => generateKeyPairSync('rsa', { modulusLength: 2048 })],
    ['RSA of 4096 bits', () => generateKeyPairSync('rsa', { modulusLength: 4096 })],
    ['RSA of 1024 bits', () => generateKeyPairSync('rsa', { modulusLength: 1024 })],
    ['RSA-PSS', () => generateKeyPairSync('rsa-pss', { modulusLength: 2048 })],
    ['P-256', () => generateKeyPairSync('ec', { namedCurve: 'P-256' })],
    ['P-384', () => generateKeyPairSync('ec', { namedCurve: 'P-384' })],
    ['P-521', () => generateKeyPairSync('ec', { namedCurve: 'P-521' })],
    ['Ed25519', () => generateKeyPairSync('ed25519')],
    ['Ed448', () => generateKeyPairSync('ed448')],
  ]
  for (const [kind, generate] of keys) {
    test(`any key: ${kind} [R7672-3.1.1-a R6698-2.1-a]`, () => {
      const signedBy = ecKeys()
      const held = build({ keys: generate(), signedBy })
      const other = build({ keys: generate(), signedBy })
      for (const selector of [0, 1]) {
        for (const matchingType of [0, 1, 2]) {
          const parameters = [3, selector, matchingType] as const
          assert.equal(
            word(judge([tlsaFor(...parameters, held)], [held.der])),
            'authenticated at 0',
          )
          assert.equal(
            word(judge([tlsaFor(...parameters, other)], [held.der])),
            'certificate-mismatch',
          )
        }
      }
    })
  }

  test('the leaf alone: a record of its issuer does not match [R7671-5.1-a R6698-2.1-b]', () => {
    const record = tlsaFor(3, 1, 1, intermediate)
    assert.equal(word(judge([record], chainOf(leaf, intermediate, root))), 'certificate-mismatch')
  })

  test('a rollover set: any one match is enough [R7672-4-a]', () => {
    const records = [tlsaFor(3, 1, 1, stranger), tlsaFor(3, 1, 1, leaf)]
    assert.equal(word(judge(records, chainOf(leaf))), 'authenticated at 0')
  })

  test('the verdict names the record that matched [R7672-3.1.1-a]', () => {
    const verdict = judge([tlsaFor(3, 1, 1, stranger), tlsaFor(3, 1, 2, leaf)], chainOf(leaf))
    assert.equal(verdict.kind === 'authenticated' && verdict.record.matchingType, 2)
    assert.equal(verdict.kind === 'authenticated' && verdict.name, undefined)
  })

  test('a match counts even if DANE-TA(2) records fail [R7672-3.2.1-a]', async () => {
    const misnamed = await leafOf(intermediate, { names: ['other.example'] })
    const records = [tlsaFor(2, 1, 1, root), tlsaFor(3, 1, 1, misnamed)]
    assert.equal(word(judge(records, chainOf(misnamed, intermediate, root))), 'authenticated at 0')
  })
})

test('unusable TLSA records require TLS without authentication (RFC 7672 §2.2)', () => {
  const policy = { kind: 'encrypt', tlsaBase: name(MX), unusable: [] } as const
  assert.deepEqual(verify(policy, chainOf(stranger), NOON.getTime()), { kind: 'encrypted' })
})

test('no certificate at all: an anonymous suite or a resumed session [R7672-8.2-a]', () => {
  assert.equal(verifyNothing().reason, 'no-certificate')
})

test('a leaf that is not a certificate', () => {
  assert.equal(
    word(judge([tlsaFor(3, 1, 1, leaf)], [Buffer.from('junk')])),
    'unreadable-certificate',
  )
})

test('the order of records changes nothing', () => {
  const records = [tlsaFor(2, 1, 1, stranger), tlsaFor(2, 1, 1, root), tlsaFor(3, 1, 1, stranger)]
  for (const list of [records, [...records].reverse()]) {
    assert.equal(word(judge(list, chainOf(leaf, intermediate, root))), 'authenticated at 2')
  }
})
