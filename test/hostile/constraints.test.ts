/** Which names a CA may certify, and which certificates its constraints apply to. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  leafOf,
  MIDDLE,
  middleKeys,
  middleOf,
  MX,
  ROOT,
  rootOf,
  verdictOn,
} from '../support/built.js'
import { word } from '../support/chains.js'
import {
  CN,
  context,
  directory,
  dn,
  dns,
  EMAIL,
  email,
  excluded,
  extensions,
  implicit,
  ip,
  O,
  otherName,
  permitted,
  seq,
  STRING,
  uri,
} from '../support/der-builder.js'
import type { Built, Der } from '../support/der-builder.js'

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
      'DNS permitted for a suffix that is not at a label',
      named(),
      constrained(permitted(dns('xample.org'))),
      'untrusted-path',
    ],
    [
      'DNS permitted with a leading dot',
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
      'a wildcard that matches an excluded name',
      leafOf({ extensions: [extensions.names(dns('*.example.org'))] }),
      constrained(excluded(dns('secret.example.org'))),
      'untrusted-path',
    ],
    [
      'IP permitted, as in private CAs',
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
      'IPv4 permitted, IPv6 present',
      named(ip(...Array<number>(15).fill(0), 1)),
      constrained(permitted(ip(0, 0, 0, 0, 0, 0, 0, 0))),
      'untrusted-path',
    ],
    [
      'IPv4 permitted, the same as an IPv6 address present',
      named(ip(...Array<number>(10).fill(0), 255, 255, 10, 0, 0, 1)),
      constrained(permitted(ip(10, 0, 0, 0, 255, 0, 0, 0))),
      'untrusted-path',
    ],
    [
      'IP permitted, a whole subnet present',
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
          [EMAIL, 'a@example.net'],
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
      'otherName constrained and present',
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
    [
      'an explicit minimum of zero',
      named(),
      constrained(range(implicit(0, Buffer.from([0])))),
      'authenticated at 1',
    ],
    [
      'IP excluded without a mask',
      named(),
      constrained(excluded(ip(10, 0, 0, 1))),
      'untrusted-path',
    ],
    [
      'IP excluded elsewhere, and the value present is not an address',
      named(ip(10, 0, 0)),
      constrained(excluded(ip(11, 0, 0, 0, 255, 0, 0, 0))),
      'untrusted-path',
    ],
    [
      'IP excluded elsewhere',
      named(ip(10, 0, 0, 1)),
      constrained(excluded(ip(11, 0, 0, 0, 255, 0, 0, 0))),
      'authenticated at 1',
    ],
    ['a maximum', named(), constrained(range(implicit(1, Buffer.from([5])))), 'untrusted-path'],
    [
      'the two sides in the wrong order',
      named(),
      constrained(excluded(dns('example.net')), permitted(dns('example.net'))),
      'untrusted-path',
    ],
    ['empty', named(), constrained(), 'authenticated at 1'],
    [
      'a wildcard that matches the top of an excluded subtree with a leading dot',
      leafOf({ extensions: [extensions.names(dns('*.example.org'))] }),
      constrained(excluded(dns('.secret.example.org'))),
      'untrusted-path',
    ],
    [
      'email permitted by mailbox',
      named(email('a@example.org')),
      constrained(permitted(email('a@example.org'))),
      'authenticated at 1',
    ],
    [
      'another mailbox permitted',
      named(email('b@example.org')),
      constrained(permitted(email('a@example.org'))),
      'untrusted-path',
    ],
    [
      'email permitted by host, below that host',
      named(email('a@mail.example.org')),
      constrained(permitted(email('example.org'))),
      'untrusted-path',
    ],
    [
      'email with an at sign in the local part',
      named(email('"a@example.org"@example.net')),
      constrained(permitted(email('example.net'))),
      'authenticated at 1',
    ],
    [
      'email in the local part alone',
      named(email('"a@example.org"@example.net')),
      constrained(permitted(email('example.org'))),
      'untrusted-path',
    ],
    [
      'email in capitals',
      named(email('A@EXAMPLE.ORG')),
      constrained(permitted(email('a@example.org'))),
      'authenticated at 1',
    ],
    [
      'email in the subject, in capitals',
      leafOf({
        subject: dn([
          [CN, MX],
          [EMAIL, 'A@EXAMPLE.ORG'],
        ]),
      }),
      constrained(permitted(email('a@example.org'))),
      'authenticated at 1',
    ],
    [
      'directory permitted, with other white space',
      leafOf({ subject: dn([[O, ' Very  Good ']]) }),
      constrained(permitted(directory(dn([[O, 'Very Good']])))),
      'authenticated at 1',
    ],
    [
      'directory permitted, but not below it',
      leafOf({
        subject: dn([
          [CN, MX],
          [O, 'Good'],
        ]),
      }),
      constrained(permitted(directory(dn([[O, 'Good']])))),
      'untrusted-path',
    ],
    [
      'directory constrained, and the subject is empty',
      leafOf({ subject: seq() }),
      constrained(permitted(directory(dn([[O, 'Good']])))),
      'authenticated at 1',
    ],
    [
      'URI excluded and present',
      named(uri('https://a.example.net/')),
      constrained(excluded(uri('.example.net'))),
      'untrusted-path',
    ],
    [
      'URI permitted and present',
      named(uri('https://a.example.net/')),
      constrained(permitted(uri('.example.net'))),
      'authenticated at 1',
    ],
    [
      'URI permitted elsewhere',
      named(uri('https://a.example.org/')),
      constrained(permitted(uri('.example.net'))),
      'untrusted-path',
    ],
    [
      'URI permitted below a host, and the host itself present',
      named(uri('https://example.net/')),
      constrained(permitted(uri('.example.net'))),
      'untrusted-path',
    ],
    [
      'URI permitted by host, in capitals, with a port and a path',
      named(uri('HTTPS://A.example.NET:443/x:y')),
      constrained(permitted(uri('a.EXAMPLE.net'))),
      'authenticated at 1',
    ],
    [
      'URI permitted by host, and one below it present',
      named(uri('https://a.b.example.net/')),
      constrained(permitted(uri('b.example.net'))),
      'untrusted-path',
    ],
    [
      'URI excluded elsewhere',
      named(uri('https://a.example.net/')),
      constrained(excluded(uri('.example.org'))),
      'authenticated at 1',
    ],
    ...(
      [
        ['without a host', 'urn:uuid:1'],
        ['of an IP address', 'https://192.0.2.1/'],
        ['with user information', 'https://user@a.example.org/'],
        ['with the excluded host in its path', 'https://a.example.net/.example.org'],
        ['with a query directly after its host', 'https://a.example.net?.example.org'],
        ['that is empty', ''],
      ] as const
    ).map(
      ([which, text]) =>
        [
          `URI ${which}, under a permitted and an excluded host`,
          named(uri(text)),
          constrained(permitted(uri('.example.org')), excluded(uri('other.example.org'))),
          'untrusted-path',
        ] as const,
    ),
    ...(['https://192.0.2.1/', 'https://user@a.example.org/', 'urn:uuid:1'] as const).map(
      (text) =>
        [
          `${text} under an excluded host`,
          named(uri(text)),
          constrained(excluded(uri('example.net'))),
          'untrusted-path',
        ] as const,
    ),
    [
      'URI and otherName present, and others constrained',
      named(uri('https://a.example.net/'), otherName()),
      constrained(permitted(dns('example.org')), excluded(email('example.net'))),
      'authenticated at 1',
    ],
  ]
  for (const [circumstance, leaf, root, wanted] of cases) {
    test(`${circumstance}: ${wanted}`, () => {
      assert.equal(word(verdictOn(leaf, root)), wanted)
    })
  }

  describe('the CN of a leaf without DNS names', () => {
    const titled = (...titles: readonly string[]): Built =>
      leafOf({ subject: dn(titles.map((title) => [CN, title])), extensions: [] })
    const under = (base: string, ...titles: readonly string[]): string =>
      word(verdictOn(titled(...titles), constrained(permitted(dns(base)))))

    test('counts as a DNS name', () => {
      assert.equal(under('example.net', MX), 'untrusted-path')
      assert.equal(under('example.org', MX), 'authenticated at 1')
    })
    test('counts in any letter case', () => {
      assert.equal(under('example.org', 'MX.Example.ORG'), 'authenticated at 1')
    })
    test('counts next to another that matches', () => {
      assert.equal(under('example.org', MX, 'other.example.net'), 'untrusted-path')
    })
    test('is just a title if it is not a host name', () => {
      assert.equal(under('example.org', 'Mail Server', MX), 'authenticated at 1')
    })
  })

  test('the CN of a CA is just a title', () => {
    const root = constrained(permitted(dns('example.org')))
    for (const title of ['R3', 'ca.example.net']) {
      const subject = dn([[CN, title]])
      const leaf = leafOf({ issuer: subject, signedBy: middleKeys })
      assert.equal(word(verdictOn(leaf, root, middleOf({ subject }))), 'authenticated at 2')
    }
  })

  describe('which certificates they apply to (RFC 5280 §6.1.3 (b), (c))', () => {
    const good = [O, 'Good'] as const
    const goodOnly = extensions.nameConstraints(permitted(directory(dn([good]))))

    test('those below, not the CA with the constraints', () => {
      const middle = middleOf({ extensions: [extensions.ca(), goodOnly] })
      const end = (organization: string): Built =>
        leafOf({
          subject: dn([
            [O, organization],
            [CN, MX],
          ]),
          issuer: MIDDLE,
          signedBy: middleKeys,
        })
      assert.equal(word(verdictOn(end('Good'), rootOf(), middle)), 'authenticated at 2')
      assert.equal(word(verdictOn(end('Evil'), rootOf(), middle)), 'untrusted-path')
    })

    test('other CAs, except self-issued ones', () => {
      const root = rootOf({ extensions: [extensions.ca(), goodOnly] })
      const under = (subject: Der): string => {
        const leaf = leafOf({ subject: dn([good]), issuer: subject, signedBy: middleKeys })
        return word(verdictOn(leaf, root, middleOf({ subject })))
      }
      assert.equal(under(MIDDLE), 'untrusted-path')
      assert.equal(under(ROOT), 'authenticated at 2')
    })

    test('a leaf, even a self-issued one', () => {
      const root = constrained(permitted(dns('example.org')))
      const self = (...names: readonly string[]): Built =>
        leafOf({ subject: ROOT, extensions: [extensions.names(...names.map(dns))] })
      assert.equal(word(verdictOn(self(MX), root)), 'authenticated at 1')
      assert.equal(word(verdictOn(self(MX, 'other.example.net'), root)), 'untrusted-path')
    })
  })
})
