/**
 * Bytes that two parsers could read differently. OpenSSL matches the host's name and
 * checks signatures, other code parses the names that constraints apply to: a CA that may
 * not certify the host must not find an encoding that satisfies the one and passes the
 * other.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { tlsaFor } from '../../lab/certificates.js'
import type { Verdict } from '../../src/verdict.js'
import { judge, word } from '../support/chains.js'
import {
  build,
  CN,
  dn,
  dns,
  ecKeys,
  element,
  email,
  excluded,
  extension,
  extensions,
  oid,
  permitted,
  seq,
  set,
} from '../support/der-builder.js'
import type { Built, CertificateParts, Der } from '../support/der-builder.js'

const MX = 'mx.example.org'
const rootKeys = ecKeys()
const leafKeys = ecKeys()
const ROOT = dn([[CN, 'Root']])
const HARMLESS = extension('1.2.3', false, seq())

const rootOf = (...more: readonly Der[]): Built =>
  build({ subject: ROOT, keys: rootKeys, extensions: [extensions.ca(), ...more] })
const leafOf = (parts: Partial<CertificateParts> = {}): Built =>
  build({
    subject: dn([['2.5.4.10', 'x']]),
    issuer: ROOT,
    keys: leafKeys,
    signedBy: rootKeys,
    ...parts,
  })

const anyone = rootOf()
/** These two CAs may not certify the host. */
const onlyOther = rootOf(extensions.nameConstraints(permitted(dns('evil.example'))))
const allButHost = rootOf(extensions.nameConstraints(excluded(dns('example.org'))))

const verdictOn = (leaf: Built, root: Built): Verdict =>
  judge([tlsaFor(2, 0, 1, root)], [leaf.der, root.der])

function isNeverSlippedPast(leaf: Built): void {
  assert.equal(verdictOn(leaf, onlyOther).kind, 'refused', 'permitted elsewhere')
  assert.equal(verdictOn(leaf, allButHost).kind, 'refused', 'excluded')
}

const names = (...all: readonly Der[]): readonly Der[] => [extensions.names(...all)]
/** A subjectAltName with these bytes. */
const raw = (...octets: readonly (Der | number)[]): readonly Der[] => [
  extension(
    '2.5.29.17',
    false,
    Buffer.concat(octets.map((each) => (typeof each === 'number' ? Buffer.from([each]) : each))),
  ),
]
const commonName = (tag: number, value: Der | string): Der =>
  seq(set(seq(oid(CN), element(tag, value))))
const wide = (octets: number): Der =>
  Buffer.concat(Array.from(MX, (letter) => Buffer.from(letter.padStart(octets, '\0'), 'latin1')))
const OTHER = dns('a.evil.example')

describe('the name of a host that the CA may not certify', () => {
  const good = 'authenticated at 1'
  const cases: readonly (readonly [string, Partial<CertificateParts>, string])[] = [
    ['well-formed', { extensions: names(dns(MX)) }, good],
    ['after a permitted one', { extensions: names(OTHER, dns(MX)) }, good],
    ['in capitals', { extensions: names(dns(MX.toUpperCase())) }, good],
    ['as a wildcard', { extensions: names(dns('*.example.org')) }, good],
    [
      'as a constructed IA5String',
      {
        extensions: names(OTHER, element(0xa2, element(0x16, 'mx.example'), element(0x16, '.org'))),
      },
      'untrusted-path',
    ],
    [
      'as a constructed OCTET STRING',
      { extensions: names(OTHER, element(0xa2, element(0x04, MX))) },
      'untrusted-path',
    ],
    [
      'constructed with indefinite length',
      { extensions: raw(0x30, 0x80, 0xa2, 0x80, element(0x16, MX), 0, 0, 0, 0) },
      'untrusted-path',
    ],
    [
      'with a length in long form',
      { extensions: names(Buffer.concat([Buffer.from([0x82, 0x81, MX.length]), Buffer.from(MX)])) },
      'untrusted-path',
    ],
    [
      'in a list of indefinite length',
      { extensions: raw(0x30, 0x80, OTHER, dns(MX), 0, 0) },
      'untrusted-path',
    ],
    [
      'after the end of a list of indefinite length',
      { extensions: raw(0x30, 0x80, OTHER, 0, 0, dns(MX)) },
      'untrusted-path',
    ],
    ['after the end of the list', { extensions: raw(seq(OTHER), seq(dns(MX))) }, 'untrusted-path'],
    ['before a NUL', { extensions: names(dns(`${MX}\0.evil.example`)) }, 'name-mismatch'],
    ['after a NUL', { extensions: names(dns(`\0${MX}`)) }, 'name-mismatch'],
    ['with an octet that is not ASCII', { extensions: names(dns(`\xff${MX}`)) }, 'name-mismatch'],
    ['with a trailing dot', { extensions: names(dns(`${MX}.`)) }, 'name-mismatch'],
    ['with white space', { extensions: names(dns(` ${MX}`)) }, 'name-mismatch'],
    [
      'as CN next to names that OpenSSL cannot parse',
      { subject: commonName(0x0c, MX), extensions: names(OTHER, element(0x89, 'x')) },
      'untrusted-path',
    ],
    [
      'as CN next to an empty name',
      { subject: commonName(0x0c, MX), extensions: names(dns('')) },
      'name-mismatch',
    ],
    [
      'as CN next to an empty list',
      { subject: commonName(0x0c, MX), extensions: raw(seq()) },
      good,
    ],
    [
      'as CN next to an email address',
      { subject: commonName(0x0c, MX), extensions: names(email('a@evil.example')) },
      good,
    ],
    [
      'as the second CN',
      {
        subject: dn([
          [CN, 'a.evil.example'],
          [CN, MX],
        ]),
        extensions: [HARMLESS],
      },
      good,
    ],
    [
      'as the second CN of one RDN',
      {
        subject: seq(set(seq(oid(CN), element(12, 'a.evil')), seq(oid(CN), element(12, MX)))),
        extensions: [HARMLESS],
      },
      good,
    ],
    ['as CN in NumericString', { subject: commonName(0x12, MX), extensions: [HARMLESS] }, good],
    ['as CN in PrintableString', { subject: commonName(0x13, MX), extensions: [HARMLESS] }, good],
    ['as CN in TeletexString', { subject: commonName(0x14, MX), extensions: [HARMLESS] }, good],
    ['as CN in IA5String', { subject: commonName(0x16, MX), extensions: [HARMLESS] }, good],
    ['as CN in BMPString', { subject: commonName(0x1e, wide(2)), extensions: [HARMLESS] }, good],
    [
      'as CN in UniversalString',
      { subject: commonName(0x1c, wide(4)), extensions: [HARMLESS] },
      good,
    ],
    [
      'as CN in a constructed UTF8String',
      { subject: commonName(0x2c, element(0x0c, MX)), extensions: [HARMLESS] },
      'untrusted-path',
    ],
    [
      'as CN in a bit string',
      { subject: commonName(0x03, `\0${MX}`), extensions: [HARMLESS] },
      'name-mismatch',
    ],
    [
      'as CN with a length in long form',
      {
        subject: seq(
          set(seq(oid(CN), Buffer.concat([Buffer.from([0x0c, 0x81, MX.length]), Buffer.from(MX)]))),
        ),
        extensions: [HARMLESS],
      },
      'untrusted-path',
    ],
  ]
  for (const [circumstance, parts, wanted] of cases) {
    test(`${circumstance}: ${wanted}, and never under constraints`, () => {
      const leaf = leafOf(parts)
      assert.equal(word(verdictOn(leaf, anyone)), wanted)
      isNeverSlippedPast(leaf)
    })
  }

  test('with every tag of an alternative name', () => {
    for (let tag = 0; tag < 256; tag++) {
      const leaf = leafOf({ extensions: names(OTHER, element(tag, MX)) })
      const found = verdictOn(leaf, anyone).kind
      assert.equal(found === 'authenticated', tag === 0x82, `tag ${tag}`)
      isNeverSlippedPast(leaf)
    }
  })

  test('with every tag of a CN', () => {
    for (let tag = 0; tag < 256; tag++) {
      for (const value of [MX, wide(2), wide(4), `\0${MX}`]) {
        isNeverSlippedPast(leafOf({ subject: commonName(tag, value), extensions: [HARMLESS] }))
      }
    }
  })

  test('a permitted name counts despite another that is not', () => {
    const root = rootOf(extensions.nameConstraints(excluded(dns(MX))))
    const leaf = leafOf({ subject: commonName(0x12, MX), extensions: [HARMLESS] })
    const both = leafOf({
      subject: seq(
        set(seq(oid(CN), element(0x12, MX))),
        set(seq(oid(CN), element(0x0c, 'example.org'))),
      ),
      extensions: [HARMLESS],
    })
    assert.equal(word(verdictOn(leaf, root)), 'untrusted-path')
    const verdict = verdictOn(both, root)
    assert.equal(verdict.kind === 'authenticated' && verdict.name, 'example.org')
  })
})

test('arbitrary names and extensions: always a verdict, never one that bypasses the constraints', () => {
  const anything = fc.uint8Array({ maxLength: 40 }).map((array) => Buffer.from(array))
  const tag = fc.nat({ max: 255 })
  const text = fc.constantFrom(MX, 'a.evil.example', '*.example.org', 'example.org', '')
  const value = fc.oneof(
    text.map((each) => Buffer.from(each)),
    anything,
    fc.tuple(tag, text).map(([each, inside]) => element(each, inside)),
  )
  const some = fc.array(
    fc.tuple(tag, value).map(([each, inside]) => element(each, inside)),
    { maxLength: 3 },
  )
  const type = fc.constantFrom('2.5.29.15', '2.5.29.17', '2.5.29.19', '2.5.29.30', '2.5.29.37')
  const more = fc.array(
    fc.tuple(type, fc.boolean(), some).map(([id, isCritical, parts]) => {
      return extension(id, isCritical, seq(...parts))
    }),
    { maxLength: 2 },
  )
  fc.assert(
    fc.property(tag, value, some, more, (cnTag, cn, alternatives, others) => {
      const leaf = leafOf({
        subject: seq(set(seq(oid(CN), element(cnTag, cn)))),
        extensions: [...(alternatives.length > 0 ? names(...alternatives) : []), ...others],
      })
      verdictOn(leaf, anyone)
      isNeverSlippedPast(leaf)
    }),
    { numRuns: 1500 },
  )
})
