/** Certificates that no honest CA would issue, and odd ones that some did. */
import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { describe, test } from 'node:test'
import { NOON, tlsaFor } from '../../lab/certificates.js'
import type { PeerChain, Verdict } from '../../src/verdict.js'
import { parseCertificate } from '../../src/certificate.js'
import { judge, word } from '../support/chains.js'
import {
  build,
  CN,
  context,
  directory,
  dn,
  dns,
  ecKeys,
  element,
  email,
  excluded,
  extension,
  extensions,
  generalizedTime,
  implicit,
  integer,
  ip,
  KEY_USAGE,
  O,
  otherName,
  permitted,
  seq,
  STRING,
  utcTime,
} from '../support/der-builder.js'
import type { Built, CertificateParts, Der } from '../support/der-builder.js'

const MX = 'mx.example.org'
const rootKeys = ecKeys()
const leafKeys = ecKeys()
const middleKeys = ecKeys()
const ROOT = dn([[CN, 'Root']])
const MIDDLE = dn([[CN, 'Middle']])

const rootOf = (parts: Partial<CertificateParts> = {}): Built =>
  build({ subject: ROOT, keys: rootKeys, extensions: [extensions.ca()], ...parts })
const leafOf = (parts: Partial<CertificateParts> = {}): Built =>
  build({
    subject: dn([[CN, MX]]),
    issuer: ROOT,
    keys: leafKeys,
    signedBy: rootKeys,
    extensions: [extensions.names(dns(MX))],
    ...parts,
  })

const chain = (leaf: Built, ...others: readonly Built[]): PeerChain => [
  leaf.der,
  ...others.map(({ der }) => der),
]

/** By a record that names the root whole, so that all of it counts. */
const verdictOn = (leaf: Built, root: Built, ...others: readonly Built[]): Verdict =>
  judge([tlsaFor(2, 0, 1, root)], chain(leaf, ...others, root))

describe('a genuine certificate in PEM inside a forged one', () => {
  const root = rootOf()
  const genuine = leafOf()
  const attacker = ecKeys()
  const pem = `\n${new X509Certificate(genuine.der).toString()}`
  const hidden = extension('1.2.3.4.5', false, Buffer.from(pem))

  test('Node would read the genuine one', () => {
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

  test('in a 2 0 0 record: the record is what its octets are', () => {
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

  test('a certificate in PEM altogether is none', () => {
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

  test('a key identifier that does not fit (RFC 5280 §4.2.1.1)', () => {
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

describe('what makes an anchor', () => {
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
      'basicConstraints that say it is no CA',
      { extensions: [extension('2.5.29.19', true, seq())] },
      'untrusted-path',
    ],
    ['a signature by somebody else', { signedBy: leafKeys }, 'authenticated at 1'],
  ]
  for (const [circumstance, parts, wanted] of cases) {
    test(`${circumstance}: ${wanted}`, () => {
      const { isVersion1, ...rest } = parts
      const root = isVersion1 ? build({ subject: ROOT, keys: rootKeys, isVersion1 }) : rootOf(rest)
      assert.equal(word(verdictOn(leafOf(), root)), wanted)
    })
  }
})

describe('name constraints (RFC 5280 §4.2.1.10)', () => {
  const constrained = (...sides: readonly Der[]): Built =>
    rootOf({ extensions: [extensions.ca(), extensions.nameConstraints(...sides)] })
  const named = (...names: readonly Der[]): Built =>
    leafOf({ extensions: [extensions.names(dns(MX), ...names)] })
  const range = (...parts: readonly Der[]): Der => context(0, seq(dns('example.org'), ...parts))

  const cases: readonly (readonly [string, Built, Built, string])[] = [
    ['DNS permitted', named(), constrained(permitted(dns('example.org'))), 'authenticated at 1'],
    [
      'DNS permitted, the name itself',
      named(),
      constrained(permitted(dns(MX))),
      'authenticated at 1',
    ],
    [
      'DNS permitted elsewhere',
      named(),
      constrained(permitted(dns('example.net'))),
      'untrusted-path',
    ],
    [
      'DNS permitted where only letters agree',
      named(),
      constrained(permitted(dns('xample.org'))),
      'untrusted-path',
    ],
    [
      'DNS permitted below a dot',
      named(),
      constrained(permitted(dns('.example.org'))),
      'authenticated at 1',
    ],
    ['DNS excluded', named(), constrained(excluded(dns('example.org'))), 'untrusted-path'],
    [
      'DNS excluded, in capitals',
      named(),
      constrained(excluded(dns('EXAMPLE.org'))),
      'untrusted-path',
    ],
    ['every DNS name excluded', named(), constrained(excluded(dns(''))), 'untrusted-path'],
    [
      'one of two DNS names outside',
      named(dns('a.example.net')),
      constrained(permitted(dns('example.org'))),
      'untrusted-path',
    ],
    [
      'a wildcard that may stand for an excluded name',
      leafOf({ extensions: [extensions.names(dns('*.example.org'))] }),
      constrained(excluded(dns('secret.example.org'))),
      'untrusted-path',
    ],
    [
      'IP permitted, as private authorities have it',
      named(ip(10, 0, 0, 1)),
      constrained(permitted(ip(10, 0, 0, 0, 255, 0, 0, 0))),
      'authenticated at 1',
    ],
    [
      'IP permitted elsewhere',
      named(ip(11, 0, 0, 1)),
      constrained(permitted(ip(10, 0, 0, 0, 255, 0, 0, 0))),
      'untrusted-path',
    ],
    [
      'IP constrained, and the leaf has none',
      named(),
      constrained(permitted(ip(10, 0, 0, 0, 255, 0, 0, 0))),
      'authenticated at 1',
    ],
    [
      'IPv6 permitted',
      named(ip(0x20, 1, 0xd, 0xb8, ...Array<number>(11).fill(0), 1)),
      constrained(
        permitted(
          ip(
            0x20,
            1,
            0xd,
            0xb8,
            ...Array<number>(12).fill(0),
            255,
            255,
            255,
            255,
            ...Array<number>(12).fill(0),
          ),
        ),
      ),
      'authenticated at 1',
    ],
    [
      'IPv4 permitted, IPv6 borne',
      named(ip(...Array<number>(15).fill(0), 1)),
      constrained(permitted(ip(0, 0, 0, 0, 0, 0, 0, 0))),
      'untrusted-path',
    ],
    [
      'IPv4 permitted, the same borne as an IPv6 address',
      named(ip(...Array<number>(10).fill(0), 255, 255, 10, 0, 0, 1)),
      constrained(permitted(ip(10, 0, 0, 0, 255, 0, 0, 0))),
      'untrusted-path',
    ],
    [
      'IP permitted, a whole subnet borne',
      named(ip(10, 0, 0, 0, 255, 0, 0, 0)),
      constrained(permitted(ip(10, 0, 0, 0, 255, 0, 0, 0))),
      'untrusted-path',
    ],
    [
      'email permitted by host',
      named(email('a@example.org')),
      constrained(permitted(email('example.org'))),
      'authenticated at 1',
    ],
    [
      'email permitted by domain',
      named(email('a@mail.example.org')),
      constrained(permitted(email('.example.org'))),
      'authenticated at 1',
    ],
    [
      'email elsewhere',
      named(email('a@example.net')),
      constrained(permitted(email('example.org'))),
      'untrusted-path',
    ],
    [
      'email in the subject counts',
      leafOf({
        subject: dn([
          [CN, MX],
          ['1.2.840.113549.1.9.1', 'a@example.net'],
        ]),
      }),
      constrained(permitted(email('example.org'))),
      'untrusted-path',
    ],
    [
      'directory permitted',
      leafOf({
        subject: dn([
          [O, 'Good'],
          [CN, MX],
        ]),
      }),
      constrained(permitted(directory(dn([[O, 'Good', STRING.printable]])))),
      'authenticated at 1',
    ],
    [
      'directory elsewhere',
      leafOf({
        subject: dn([
          [O, 'Evil'],
          [CN, MX],
        ]),
      }),
      constrained(permitted(directory(dn([[O, 'Good']])))),
      'untrusted-path',
    ],
    [
      'directory excluded, in another string type and case',
      leafOf({
        subject: dn([
          [O, 'EVIL', STRING.printable],
          [CN, MX],
        ]),
      }),
      constrained(excluded(directory(dn([[O, 'Evil']])))),
      'untrusted-path',
    ],
    [
      'directory name in subjectAltName elsewhere',
      named(directory(dn([[O, 'Evil']]))),
      constrained(permitted(directory(dn([[CN, MX]])))),
      'untrusted-path',
    ],
    [
      'otherName constrained and borne',
      named(otherName()),
      constrained(excluded(otherName())),
      'untrusted-path',
    ],
    [
      'otherName constrained, and the leaf has none',
      named(),
      constrained(excluded(otherName())),
      'authenticated at 1',
    ],
    [
      'a minimum that is not zero',
      named(),
      constrained(range(implicit(0, Buffer.from([1])))),
      'untrusted-path',
    ],
    ['a maximum', named(), constrained(range(implicit(1, Buffer.from([5])))), 'untrusted-path'],
    [
      'the two sides in the wrong order',
      named(),
      constrained(excluded(dns('example.net')), permitted(dns('example.net'))),
      'untrusted-path',
    ],
    ['nothing in it', named(), constrained(), 'authenticated at 1'],
  ]
  for (const [circumstance, leaf, root, wanted] of cases) {
    test(`${circumstance}: ${wanted}`, () => {
      assert.equal(word(verdictOn(leaf, root)), wanted)
    })
  }

  test('the CN of a leaf without DNS names counts as one', () => {
    const leaf = leafOf({ extensions: [] })
    assert.equal(
      word(verdictOn(leaf, constrained(permitted(dns('example.net'))))),
      'untrusted-path',
    )
    assert.equal(
      word(verdictOn(leaf, constrained(permitted(dns('example.org'))))),
      'authenticated at 1',
    )
  })

  test('the CN of an authority is its title', () => {
    const root = constrained(permitted(dns('example.org')))
    for (const title of ['R3', 'ca.example.net']) {
      const subject = dn([[CN, title]])
      const middle = build({
        subject,
        issuer: ROOT,
        keys: middleKeys,
        signedBy: rootKeys,
        extensions: [extensions.ca()],
      })
      assert.equal(
        word(verdictOn(leafOf({ issuer: subject, signedBy: middleKeys }), root, middle)),
        'authenticated at 2',
      )
    }
  })
})

describe('critical extensions (RFC 5280 §4.2)', () => {
  const known: readonly (readonly [string, string, Der])[] = [
    ['policyConstraints', '2.5.29.36', seq(implicit(0, Buffer.from([0])))],
    ['inhibitAnyPolicy', '2.5.29.54', integer(0)],
    ['cRLDistributionPoints', '2.5.29.31', seq()],
    ['Netscape certificate type', '2.16.840.1.113730.1.1', element(0x03, Buffer.from([1, 6]))],
  ]
  for (const [circumstance, type, value] of known) {
    test(`${circumstance} is known, as to OpenSSL`, () => {
      const root = rootOf({ extensions: [extensions.ca(), extension(type, true, value)] })
      assert.equal(word(verdictOn(leafOf(), root)), 'authenticated at 1')
    })
  }

  test('one that nobody knows', () => {
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

  test('one that stands twice', () => {
    const twice = [extensions.names(dns('other.example')), extensions.names(dns(MX))]
    assert.equal(word(verdictOn(leafOf({ extensions: twice }), rootOf())), 'untrusted-path')
  })

  test('basicConstraints with more in it than there is', () => {
    const odd = extension(
      '2.5.29.19',
      true,
      seq(element(0x01, Buffer.from([0xff])), integer(3), integer(4)),
    )
    assert.equal(verdictOn(leafOf(), rootOf({ extensions: [odd] })).kind, 'refused')
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
    ['UTCTime of the last century', utcTime('990101000000Z'), late, 'authenticated at 1'],
    ['letters', utcTime('xxxxxxxxxxxxZ'), late, 'untrusted-path'],
    ['month 00', utcTime('200001000000Z'), late, 'untrusted-path'],
    ['month 13', utcTime('201301000000Z'), late, 'untrusted-path'],
    ['day 31 of February', utcTime('200231000000Z'), late, 'untrusted-path'],
    ['hour 99', utcTime('200101990000Z'), late, 'untrusted-path'],
    ['without seconds', utcTime('2001010000Z'), late, 'untrusted-path'],
    ['with an offset', utcTime('200101000000+0100'), late, 'untrusted-path'],
    ['with a fraction', generalizedTime('20200101000000.5Z'), late, 'untrusted-path'],
    ['of local time', generalizedTime('20200101000000'), late, 'untrusted-path'],
    ['as a string', element(0x0c, '200101000000Z'), late, 'untrusted-path'],
    ['of nothing', utcTime(''), late, 'untrusted-path'],
  ]
  for (const [circumstance, from, until, wanted] of cases) {
    test(`${circumstance}: ${wanted}`, () => {
      assert.equal(word(verdictOn(leafOf({ times: [from, until] }), rootOf())), wanted)
    })
  }

  test('to the second, both ends inclusive', () => {
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

test('text from certificates reaches the log printable', () => {
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

test('an empty subject is no obstacle', () => {
  assert.equal(word(verdictOn(leafOf({ subject: seq() }), rootOf())), 'authenticated at 1')
})
