/**
 * Issuer names are compared here before OpenSSL compares them: names that OpenSSL
 * considers equal must be equal here, in any encoding, or a valid path is not found.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { openCertificate } from '../../src/x509/certificate.js'
import { readDirectoryName } from '../../src/verify/directory-name.js'
import { build, CN, ecKeys, element, extensions, O, oid, seq, set } from '../support/der-builder.js'
import type { Der } from '../support/der-builder.js'

const keys = ecKeys()
const wide = (text: string, octets: number): Der =>
  Buffer.concat(Array.from(text, (letter) => Buffer.from(letter.padStart(octets, '\0'), 'latin1')))
const ENCODINGS: readonly ((text: string) => Der)[] = [
  (text) => element(0x0c, Buffer.from(text, 'utf8')),
  (text) => element(0x12, text),
  (text) => element(0x13, text),
  (text) => element(0x14, text),
  (text) => element(0x16, text),
  (text) => element(0x1a, text),
  (text) => element(0x1c, wide(text, 4)),
  (text) => element(0x1e, wide(text, 2)),
]

test('names that OpenSSL considers equal are equal here', () => {
  const text = fc.constantFrom('a', 'A', ' a', 'a ', ' A  ', '\u00c4', '\u00e4')
  const value = fc
    .tuple(text, fc.nat({ max: ENCODINGS.length - 1 }))
    .map(([each, at]) => ENCODINGS[at]?.(each) ?? seq())
  // The same attributes twice, in different encodings.
  const attribute = fc
    .tuple(fc.constantFrom(CN, O), value, value)
    .map(([type, one, other]) => [seq(oid(type), one), seq(oid(type), other)] as const)
  const rdn = fc.array(attribute, { minLength: 1, maxLength: 2 })
  const names = fc
    .array(rdn, { minLength: 1, maxLength: 2 })
    .map((rdns) => [
      seq(...rdns.map((all) => set(...all.map(([one]) => one)))),
      seq(...rdns.map((all) => set(...all.map(([, other]) => other).reverse()))),
    ])
  let equal = 0
  let compared = 0
  fc.assert(
    fc.property(names, ([subject = seq(), issuer = seq()]) => {
      const ca = openCertificate(build({ subject, keys, extensions: [extensions.ca()] }).der)
      const leaf = openCertificate(build({ issuer, keys, extensions: [] }).der)
      if (ca === undefined || leaf === undefined) return
      compared += 1
      if (!leaf.checkIssued(ca)) return
      equal += 1
      assert.deepEqual(readDirectoryName(subject).rdns, readDirectoryName(issuer).rdns)
    }),
    { numRuns: 3000 },
  )
  assert.ok(compared > 1000 && equal > 100, `${equal} of ${compared}`)
})
