/**
 * Bytes that two parsers could read differently: CA extensions, and the key of a
 * certificate. Encodings used by ordinary CAs are accepted.
 */
import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { describe, test } from 'node:test'
import { rootCertificates } from 'node:tls'
import fc from 'fast-check'
import { tlsaFor } from '../../lab/certificates.js'
import { openCertificate, openPublicKey, parseCertificate } from '../../src/x509/certificate.js'
import { parseCertificateFields } from '../../src/verify/parsed-certificate.js'
import { judge, word } from '../support/chains.js'
import {
  boolean,
  build,
  CN,
  context,
  dn,
  dns,
  ecKeys,
  element,
  extension,
  extensions,
  implicit,
  integer,
  oid,
  seq,
  set,
} from '../support/der-builder.js'
import type { Der } from '../support/der-builder.js'

const rootKeys = ecKeys()
const middleKeys = ecKeys()
const leafKeys = ecKeys()
const ROOT = dn([[CN, 'Root']])
const MIDDLE = dn([[CN, 'Middle']])
const root = build({ subject: ROOT, keys: rootKeys, extensions: [extensions.ca()] })
const leaf = build({
  issuer: MIDDLE,
  keys: leafKeys,
  signedBy: middleKeys,
  extensions: [extensions.names(dns('mx.example.org'))],
})

describe('extensions of a CA', () => {
  /**
   * The verdict if the intermediate has these extensions, and whether OpenSSL considers it
   * a CA.
   */
  function under(...all: readonly Der[]): { found: string; isCa: boolean | undefined } {
    const middle = build({
      subject: MIDDLE,
      issuer: ROOT,
      keys: middleKeys,
      signedBy: rootKeys,
      extensions: all,
    })
    const found = judge([tlsaFor(2, 0, 1, root)], [leaf.der, middle.der, root.der])
    return { found: word(found), isCa: openCertificate(middle.der)?.ca }
  }
  const basic = (...parts: readonly Der[]): Der => extension('2.5.29.19', true, seq(...parts))
  const usage = (...octets: readonly number[]): Der =>
    extension('2.5.29.15', true, element(0x03, Buffer.from(octets)))
  const purpose = (...parts: readonly Der[]): Der => extension('2.5.29.37', false, seq(...parts))
  const TRUE = boolean(true)
  const SERVER = oid('1.3.6.1.5.5.7.3.1')
  const good = 'authenticated at 2'
  const bad = 'untrusted-path'

  const cases: readonly (readonly [string, readonly Der[], string])[] = [
    ['CA', [basic(TRUE)], good],
    ['explicitly not a CA, as some CAs write it', [basic(boolean(false))], bad],
    ['TRUE as 1, which only BER allows', [basic(element(0x01, Buffer.from([1])))], good],
    ['TRUE in two octets', [basic(element(0x01, Buffer.from([0, 0xff])))], bad],
    ['TRUE in no octet', [basic(element(0x01))], bad],
    ['TRUE with a length in long form', [basic(Buffer.from([0x01, 0x81, 0x01, 0xff]))], bad],
    ['CA after the end', [extension('2.5.29.19', true, Buffer.concat([seq(), seq(TRUE)]))], bad],
    ['CA twice', [basic(TRUE, TRUE)], bad],
    ['a negative path length', [basic(TRUE, integer(0xff))], bad],
    ['a path length of five octets', [basic(TRUE, integer(1, 0, 0, 0, 0))], good],
    ['key usage without unused bits removed', [basic(TRUE), usage(0, 0x04)], good],
    ['key usage of nine bits', [basic(TRUE), usage(7, 0x04, 0x80)], good],
    ['key usage with keyCertSign among the unused bits', [basic(TRUE), usage(3, 0x84)], bad],
    ['key usage with eight unused bits', [basic(TRUE), usage(8, 0x04)], bad],
    ['empty key usage', [basic(TRUE), usage()], bad],
    [
      'constructed key usage',
      [
        basic(TRUE),
        extension('2.5.29.15', true, element(0x23, element(0x03, Buffer.from([2, 4])))),
      ],
      bad,
    ],
    ['key usage without keyCertSign', [basic(TRUE), usage(1, 0x02)], bad],
    ['for servers', [basic(TRUE), purpose(SERVER)], good],
    ['for no purpose', [basic(TRUE), purpose()], bad],
    ['for servers, in a set', [basic(TRUE), extension('2.5.29.37', false, set(SERVER))], bad],
    [
      'for email, and for servers after the end',
      [
        basic(TRUE),
        extension('2.5.29.37', false, Buffer.concat([seq(oid('1.3.6.1.5.5.7.3.4')), seq(SERVER)])),
      ],
      bad,
    ],
    [
      'for servers, with a padded object identifier',
      [
        basic(TRUE),
        purpose(element(0x06, Buffer.from('80'.concat(SERVER.toString('hex', 2)), 'hex'))),
      ],
      bad,
    ],
  ]
  for (const [circumstance, all, wanted] of cases) {
    test(`${circumstance}: ${wanted}`, () => {
      const { found, isCa } = under(...all)
      assert.equal(found, wanted)
      if (wanted === good) assert.equal(isCa, true, 'OpenSSL agrees')
    })
  }
})

describe('the key in a certificate', () => {
  test('the extracted key is the one that TLS would use, whatever bits are flipped', () => {
    let compared = 0
    fc.assert(
      fc.property(fc.nat({ max: leaf.der.length * 8 - 1 }), (bit) => {
        const der = Buffer.from(leaf.der)
        der[bit >> 3] = (der[bit >> 3] ?? 0) ^ (1 << (bit & 7))
        const cut = parseCertificate(der)
        const opened = openCertificate(der)
        if (cut === undefined || opened === undefined) return
        const key = openPublicKey(cut.spki)
        if (key === undefined) return
        compared += 1
        assert.ok(key.equals(opened.publicKey))
      }),
      { numRuns: 3000 },
    )
    assert.ok(compared > 500)
  })

  test('a second key in the structure is not mistaken for the first', () => {
    const other = ecKeys().publicKey.export({ type: 'spki', format: 'der' })
    const frames: readonly (readonly [string, readonly Der[]])[] = [
      ['after the first', [leaf.spki, other]],
      ['before the first', [other, leaf.spki]],
      [
        'as a unique identifier',
        [leaf.spki, implicit(1, Buffer.concat([Buffer.from([0]), other]))],
      ],
      ['as an explicit field', [leaf.spki, context(1, other)]],
    ]
    for (const [circumstance, fields] of frames) {
      const algorithm = seq(oid('1.2.840.10045.4.3.2'))
      const times = seq(element(0x17, '200101000000Z'), element(0x17, '350101000000Z'))
      const tbs = seq(context(0, integer(2)), integer(1), algorithm, ROOT, times, MIDDLE, ...fields)
      const der = seq(tbs, algorithm, element(0x03, Buffer.from([0, 1])))
      const opened = openCertificate(der)
      if (opened === undefined) continue
      const spki = opened.publicKey.export({ type: 'spki', format: 'der' })
      assert.deepEqual(parseCertificate(der)?.spki, spki, circumstance)
    }
  })
})

test('every root certificate that Node ships can be parsed', () => {
  for (const pem of rootCertificates) {
    const certificate = parseCertificate(new X509Certificate(pem).raw)
    assert.ok(certificate)
    const reading = parseCertificateFields(certificate)
    assert.equal(reading.kind, 'read', reading.kind === 'unreadable' ? reading.why : '')
  }
})
