/** Certificates that no honest CA would issue, and unusual ones that some CAs did. */
import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { describe, test } from 'node:test'
import { NOON, tlsaFor } from '../../lab/certificates.js'
import { parseCertificate } from '../../src/x509/certificate.js'
import {
  chain,
  leafKeys,
  leafOf,
  MIDDLE,
  middleKeys,
  middleOf,
  MX,
  ROOT,
  rootKeys,
  rootOf,
  verdictOn,
} from '../support/built.js'
import { judge, word } from '../support/chains.js'
import {
  build,
  CN,
  dn,
  dns,
  ecKeys,
  element,
  extension,
  extensions,
  generalizedTime,
  integer,
  implicit,
  KEY_USAGE,
  oid,
  seq,
  STRING,
  utcTime,
} from '../support/der-builder.js'
import type { CertificateParts, Der } from '../support/der-builder.js'

describe('a genuine certificate in PEM inside a forged one', () => {
  const root = rootOf()
  const genuine = leafOf()
  const attacker = ecKeys()
  const pem = `\n${new X509Certificate(genuine.der).toString()}`
  const hidden = extension('1.2.3.4.5', false, Buffer.from(pem))

  test('Node would parse the genuine one', () => {
    const forged = build({
      subject: dn([[CN, MX]]),
      issuer: ROOT,
      keys: attacker,
      extensions: [hidden],
    })
    assert.deepEqual(new X509Certificate(forged.der).raw, genuine.der)
  })

  for (const [selector, matchingType] of [
    [0, 0],
    [0, 1],
    [0, 2],
    [1, 0],
    [1, 1],
    [1, 2],
  ] as const) {
    test(`as the leaf, against 2 ${selector} ${matchingType}`, () => {
      const forged = build({
        subject: dn([[CN, MX]]),
        issuer: ROOT,
        keys: attacker,
        extensions: [extensions.names(dns(MX)), hidden],
      })
      const verdict = judge([tlsaFor(2, selector, matchingType, root)], chain(forged, root))
      assert.equal(verdict.kind, 'refused')
      assert.match(verdict.detail, /: OpenSSL cannot read CN=mx\.example\.org$/)
    })
  }

  test('as an intermediate', () => {
    const middle = build({
      subject: MIDDLE,
      issuer: ROOT,
      keys: middleKeys,
      signedBy: rootKeys,
      extensions: [extensions.ca()],
    })
    const inside = extension(
      '1.2.3.4.5',
      false,
      Buffer.from(`\n${new X509Certificate(middle.der).toString()}`),
    )
    const forged = build({
      subject: MIDDLE,
      issuer: ROOT,
      keys: attacker,
      extensions: [extensions.ca(), inside],
    })
    const leaf = leafOf({ issuer: MIDDLE, signedBy: attacker })
    assert.equal(judge([tlsaFor(2, 1, 1, root)], chain(leaf, forged, root)).kind, 'refused')
  })

  test('in a 2 0 0 record: the record is parsed as DER', () => {
    const forged = build({
      subject: ROOT,
      keys: attacker,
      extensions: [
        extensions.ca(),
        extension('1.2.3.4.5', false, Buffer.from(`\n${new X509Certificate(root.der).toString()}`)),
      ],
    })
    assert.throws(
      () => judge([tlsaFor(2, 0, 0, forged)], chain(genuine)),
      /nothing to authenticate by/,
    )
  })

  test('a certificate entirely in PEM is not accepted', () => {
    assert.equal(parseCertificate(Buffer.from(pem.trim())), undefined)
  })
})

describe('names of issuers (RFC 5280 §7.1)', () => {
  const pairs: readonly (readonly [string, Der, Der])[] = [
    ['another string type', dn([[CN, 'Root', STRING.printable]]), dn([[CN, 'Root', STRING.utf8]])],
    ['another case', dn([[CN, 'ROOT']]), dn([[CN, 'root']])],
    ['more white space', dn([[CN, 'The Root']]), dn([[CN, ' The  Root ']])],
  ]
  for (const [circumstance, subject, issuer] of pairs) {
    test(`${circumstance} is the same name`, () => {
      assert.equal(word(verdictOn(leafOf({ issuer }), rootOf({ subject }))), 'authenticated at 1')
    })
  }

  test('another name is another name', () => {
    assert.equal(
      word(verdictOn(leafOf({ issuer: dn([[CN, 'Toor']]) }), rootOf())),
      'certificate-mismatch',
    )
  })

  test('a key identifier that does not match (RFC 5280 §4.2.1.1)', () => {
    const root = rootOf({ extensions: [extensions.ca(), extensions.keyId(rootKeys.publicKey)] })
    const fits = leafOf({
      extensions: [extensions.names(dns(MX)), extensions.authorityKeyId(rootKeys.publicKey)],
    })
    const misfits = leafOf({
      extensions: [extensions.names(dns(MX)), extensions.authorityKeyId(leafKeys.publicKey)],
    })
    assert.equal(word(verdictOn(fits, root)), 'authenticated at 1')
    assert.equal(word(verdictOn(misfits, root)), 'untrusted-path')
  })
})

describe('requirements for an anchor', () => {
  const cases: readonly (readonly [string, Partial<CertificateParts>, string])[] = [
    ['version 1', { isVersion1: true, extensions: [] }, 'authenticated at 1'],
    [
      'version 3 without basicConstraints, with keyCertSign',
      { extensions: [extensions.keyUsage(KEY_USAGE.keyCertSign)] },
      'authenticated at 1',
    ],
    [
      'version 3 without any extension',
      { extensions: [extension('1.2.3', false, seq())] },
      'untrusted-path',
    ],
    [
      'basicConstraints without cA',
      { extensions: [extension('2.5.29.19', true, seq())] },
      'untrusted-path',
    ],
    ['a signature by another key', { signedBy: leafKeys }, 'authenticated at 1'],
  ]
  for (const [circumstance, parts, wanted] of cases) {
    test(`${circumstance}: ${wanted}`, () => {
      const { isVersion1, ...rest } = parts
      const root = isVersion1 ? build({ subject: ROOT, keys: rootKeys, isVersion1 }) : rootOf(rest)
      assert.equal(word(verdictOn(leafOf(), root)), wanted)
    })
  }
})

describe('critical extensions (RFC 5280 §4.2)', () => {
  const known: readonly (readonly [string, string, Der])[] = [
    ['policyConstraints', '2.5.29.36', seq(implicit(0, Buffer.from([0])))],
    ['inhibitAnyPolicy', '2.5.29.54', integer(0)],
    ['cRLDistributionPoints', '2.5.29.31', seq()],
    ['Netscape certificate type', '2.16.840.1.113730.1.1', element(0x03, Buffer.from([1, 6]))],
  ]
  for (const [circumstance, type, value] of known) {
    test(`${circumstance} is known, as in OpenSSL`, () => {
      const root = rootOf({ extensions: [extensions.ca(), extension(type, true, value)] })
      assert.equal(word(verdictOn(leafOf(), root)), 'authenticated at 1')
    })
  }

  test('an unknown one', () => {
    const strange = extension('1.2.3.4', true, seq())
    assert.equal(
      word(verdictOn(leafOf({ extensions: [extensions.names(dns(MX)), strange] }), rootOf())),
      'untrusted-path',
    )
    assert.equal(
      word(verdictOn(leafOf(), rootOf({ extensions: [extensions.ca(), strange] }))),
      'untrusted-path',
    )
  })

  test('a duplicate', () => {
    const twice = [extensions.names(dns('other.example')), extensions.names(dns(MX))]
    assert.equal(word(verdictOn(leafOf({ extensions: twice }), rootOf())), 'untrusted-path')
  })

  test('a duplicate of an unknown one', () => {
    const strange = extension('1.2.3.4', false, seq())
    const under = (...others: readonly Der[]): string =>
      word(verdictOn(leafOf({ extensions: [extensions.names(dns(MX)), ...others] }), rootOf()))
    assert.equal(under(strange), 'authenticated at 1')
    assert.equal(under(strange, strange), 'untrusted-path')
  })

  test('an unknown one that is not critical may contain anything', () => {
    const noise = extension('1.2.3.4', false, Buffer.from('noise'))
    assert.equal(
      word(verdictOn(leafOf({ extensions: [extensions.names(dns(MX)), noise] }), rootOf())),
      'authenticated at 1',
    )
  })

  test('basicConstraints with surplus content', () => {
    const odd = extension(
      '2.5.29.19',
      true,
      seq(element(0x01, Buffer.from([0xff])), integer(3), integer(4)),
    )
    assert.equal(verdictOn(leafOf(), rootOf({ extensions: [odd] })).kind, 'refused')
  })
})

describe('a proxy certificate (RFC 3820)', () => {
  // OpenSSL's checkIssued requires keyCertSign of an issuer, but only digitalSignature of a proxy's issuer.
  const proxy = extension('1.3.6.1.5.5.7.1.14', false, seq(seq(oid('1.3.6.1.5.5.7.21.1'))))
  const leaf = leafOf({ issuer: MIDDLE, signedBy: middleKeys, extensions: [proxy] })
  const under = (bits: number): string =>
    word(
      verdictOn(
        leaf,
        rootOf(),
        middleOf({ extensions: [extensions.ca(), extensions.keyUsage(bits)] }),
      ),
    )

  test('whose issuer may sign certificates is treated like any other', () => {
    assert.equal(under(KEY_USAGE.digitalSignature | KEY_USAGE.keyCertSign), 'authenticated at 2')
  })
  test('whose issuer may not sign certificates is refused', () => {
    assert.equal(under(KEY_USAGE.digitalSignature), 'untrusted-path')
  })
})

describe('dates (RFC 5280 §4.1.2.5)', () => {
  const good = utcTime('200101000000Z')
  const late = utcTime('350101000000Z')
  const cases: readonly (readonly [string, Der, Der, string])[] = [
    ['UTCTime', good, late, 'authenticated at 1'],
    [
      'GeneralizedTime',
      generalizedTime('20200101000000Z'),
      generalizedTime('20991231235959Z'),
      'authenticated at 1',
    ],
    ['UTCTime of 2049', good, utcTime('491231235959Z'), 'authenticated at 1'],
    ['UTCTime of the 20th century', utcTime('990101000000Z'), late, 'authenticated at 1'],
    ['letters instead of digits', utcTime('xxxxxxxxxxxxZ'), late, 'untrusted-path'],
    ['month 00', utcTime('200001000000Z'), late, 'untrusted-path'],
    ['month 13', utcTime('201301000000Z'), late, 'untrusted-path'],
    ['day 31 of February', utcTime('200231000000Z'), late, 'untrusted-path'],
    ['hour 99', utcTime('200101990000Z'), late, 'untrusted-path'],
    ['without seconds', utcTime('2001010000Z'), late, 'untrusted-path'],
    ['with an offset', utcTime('200101000000+0100'), late, 'untrusted-path'],
    ['with a fraction', generalizedTime('20200101000000.5Z'), late, 'untrusted-path'],
    ['in local time', generalizedTime('20200101000000'), late, 'untrusted-path'],
    ['as a string', element(0x0c, '200101000000Z'), late, 'untrusted-path'],
    ['as a string of four digits', element(0x0c, '20200101000000Z'), late, 'untrusted-path'],
    ['empty', utcTime(''), late, 'untrusted-path'],
  ]
  for (const [circumstance, from, until, wanted] of cases) {
    test(`${circumstance}: ${wanted}`, () => {
      assert.equal(word(verdictOn(leafOf({ times: [from, until] }), rootOf())), wanted)
    })
    if (wanted !== 'untrusted-path') continue
    test(`${circumstance}, as the second of the two: ${wanted}`, () => {
      assert.equal(word(verdictOn(leafOf({ times: [good, from] }), rootOf())), wanted)
    })
  }

  test('an invalid time is reported', () => {
    for (const text of ['201301000000Z', '200101990000Z', '200231000000Z']) {
      const verdict = verdictOn(leafOf({ times: [utcTime(text), late] }), rootOf())
      assert.equal(verdict.kind, 'refused')
      assert.match(verdict.detail, /: CN=mx\.example\.org: unreadable validity$/)
    }
  })

  test('a third date: untrusted-path', () => {
    const leaf = leafOf({ times: [good, late, late] })
    assert.equal(word(verdictOn(leaf, rootOf())), 'untrusted-path')
  })

  test('validity to the second, both ends inclusive', () => {
    const leaf = leafOf({ times: [utcTime('260615120000Z'), utcTime('260615120000Z')] })
    const at = (offset: number): string =>
      word(
        judge([tlsaFor(2, 1, 1, rootOf())], chain(leaf, rootOf()), {
          instant: NOON.getTime() + offset,
        }),
      )
    assert.equal(at(0), 'authenticated at 1')
    assert.equal(at(1), 'certificate-expired')
    assert.equal(at(-1), 'certificate-not-yet-valid')
  })
})

test('text from certificates is printable in the log', () => {
  const evil = 'a\u001b[31m\r\nb\u0000\u202e'
  const leaf = leafOf({
    subject: dn([[CN, evil]]),
    extensions: [extensions.names(dns(`x\r\n${evil}`))],
  })
  const verdict = verdictOn(leaf, rootOf())
  assert.equal(verdict.kind, 'refused')
  assert.match(verdict.detail, /^[ -~]+$/)
  assert.ok(verdict.detail.length < 500)
})

test('an empty subject is accepted, and a refusal shows the serial number instead', () => {
  assert.equal(word(verdictOn(leafOf({ subject: seq() }), rootOf())), 'authenticated at 1')
  const nameless = {
    subject: seq(),
    serial: 0x4d,
    extensions: [extensions.names(dns('x.example'))],
  }
  const verdict = verdictOn(leafOf(nameless), rootOf())
  assert.equal(verdict.kind, 'refused')
  assert.match(verdict.detail, /: serial 4d is valid for x\.example, not /)
})
