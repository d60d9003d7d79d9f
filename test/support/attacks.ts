/**
 * Chains and TLSA records made to waste a verifier's time.
 *
 * Each attack is a set of TLSA records and a list of certificates, created for each run with
 * new serial numbers, so that no cache from an earlier run helps. A list is
 * at most 100 kB, the limit of TLS, and the records at most 64 kB.
 */
import { createECDH, createHash, generateKeyPairSync } from 'node:crypto'
import { tlsaFor } from '../../lab/certificates.js'
import {
  boolean,
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
  ip,
  oid,
  permitted,
  seq,
  set,
} from './der-builder.js'
import type { Der, KeyPair } from './der-builder.js'
import {
  bare,
  caption,
  certificate,
  constrained,
  curve521,
  curveSpki,
  digests,
  leaf,
  leafKeys,
  LONG_EXPONENT,
  LONGEST_ACCEPTED,
  many,
  middleKeys,
  middles,
  MX,
  NO_ANCHOR,
  orphan,
  repeat,
  root,
  ROOT,
  rootKeys,
  rsaSpki,
  spkiOf,
  under,
} from './forge.js'
import type { Attack } from './forge.js'

/** Every CA certified by every other one: the number of paths grows exponentially. */
function mesh(): Attack {
  const all = many(11, (index) => ({ keys: ecKeys(), subject: caption(index) }))
  const links = all.flatMap((issuer) =>
    all.flatMap(({ keys, subject }) =>
      subject === issuer.subject
        ? []
        : [certificate({ subject, issuer: issuer.subject, spki: spkiOf(keys), by: issuer.keys })],
    ),
  )
  const [first = { keys: leafKeys, subject: ROOT }] = all
  return [NO_ANCHOR, [leaf(undefined, { issuer: first.subject, by: first.keys }), ...links]]
}

/** A path of this many CAs, each with these extensions, and a leaf with those. */
function ladder(height: number, each: readonly Der[], own: readonly Der[]): Attack {
  const keys = many(height + 1, ecKeys)
  const at = (index: number): KeyPair => keys[index] ?? leafKeys
  const links = many(height, (index) => {
    const names = { subject: caption(index), issuer: caption(index + 1) }
    const ca = { spki: spkiOf(at(index)), by: at(index + 1) }
    return certificate({ ...names, ...ca, extensions: [extensions.ca(), ...each] })
  })
  const top = links.at(-1)
  const end = leaf(own, { issuer: caption(0), by: at(0) })
  return [top ? [tlsaFor(2, 0, 1, top)] : NO_ANCHOR, [end, ...links]]
}

export const ATTACKS: Readonly<Record<string, () => Attack>> = {
  'bare RSA keys with exponents as long as the modulus, 70 namesakes': () => [
    bare(63, (index) => rsaSpki(384, LONG_EXPONENT, index)),
    [orphan(384), ...many(70, () => certificate({ rsaOctets: 384 }))],
  ],
  'authorities with such keys': () => [
    NO_ANCHOR,
    [
      orphan(384),
      ...many(68, (index) => certificate({ spki: rsaSpki(384, LONG_EXPONENT, index) })),
    ],
  ],
  'the largest RSA keys that are accepted, bare': () => [
    bare(31, (index) => rsaSpki(2048, LONGEST_ACCEPTED, index)),
    [orphan(2048)],
  ],
  'authorities with such RSA keys': () => [
    NO_ANCHOR,
    [
      orphan(2048),
      ...many(40, (index) => certificate({ spki: rsaSpki(2048, LONGEST_ACCEPTED, index) })),
    ],
  ],
  'P-521, bare': () => [bare(64, () => spkiOf(curve521())), [orphan()]],
  'authorities with P-521': () => [
    NO_ANCHOR,
    [orphan(), ...many(126, () => certificate({ spki: spkiOf(curve521()) }))],
  ],
  'as many Ed25519 keys as a set holds': () => [
    bare(1000, (index) =>
      Buffer.from(
        `302a300506032b6570032100${createHash('sha256').update(String(index)).digest('hex')}`,
        'hex',
      ),
    ),
    [leaf(), ...middles(100)],
  ],
  'as many weak keys': () => [
    bare(600, (index) => rsaSpki(64, Buffer.from([1, 0, 1]), index)),
    [leaf(), ...middles(100)],
  ],
  'bare keys of a slow curve of their own': () => [bare(100, curveSpki), [leaf(), ...middles(1)]],
  'authorities with such a curve': () => [
    NO_ANCHOR,
    [leaf(), ...many(120, (index) => certificate({ spki: curveSpki(index) }))],
  ],
  'a leaf and whole certificates in DNS with such a curve': () => [
    many(70, (index) => tlsaFor(2, 0, 0, certificate({ spki: curveSpki(index) }))),
    [leaf(undefined, { spki: curveSpki() })],
  ],
  'compressed points of P-224, and key identifiers that do not fit': () => {
    const elsewhere = extension('2.5.29.35', false, seq(element(0x80, Buffer.alloc(20, 1))))
    const own = [extensions.ca(), extension('2.5.29.14', false, element(0x04, Buffer.alloc(20)))]
    const algorithm = seq(oid('1.2.840.10045.2.1'), oid('1.3.132.0.33'))
    const spki = (): Buffer => {
      const keys = createECDH('secp224r1')
      keys.generateKeys()
      const point = keys.getPublicKey(null, 'compressed')
      return seq(algorithm, element(0x03, Buffer.from([0]), point))
    }
    const crowd = many(126, () => certificate({ spki: spki(), extensions: own }))
    return [NO_ANCHOR, [leaf([extensions.names(dns(MX)), elsewhere]), ...crowd]]
  },
  'curves spelled out': () => {
    const options = { namedCurve: 'P-521', paramEncoding: 'explicit' } as const
    const spki = spkiOf(generateKeyPairSync('ec', options))
    return [NO_ANCHOR, [leaf(), ...many(100, () => certificate({ spki }))]]
  },
  'more than a thousand digests, a leaf of 98 kB': () => [
    digests(3, 1, 1390),
    [leaf([extension('1.2.3', false, element(0x04, Buffer.alloc(98_000)))])],
  ],
  'the same of both usages, a subject of 8000 parts': () => [
    [...digests(3, 2, 450), ...digests(2, 2, 300)],
    [leaf([], { subject: dn(many(8000, () => [CN, ''] as const)) })],
  ],
  'a whole certificate of 60 kB in DNS': () => {
    const padding = extension('1.2.3', false, element(0x04, Buffer.alloc(60_000)))
    return [[tlsaFor(2, 0, 0, root(padding))], [leaf(), ...many(120, () => certificate({}))]]
  },
  '4000 names, 60 intermediates': () =>
    under(root(), leaf([extensions.names(...many(4000, (each) => dns(`n${each}.example`)))]), 60),
  '40,000 empty names': () => under(root(), leaf([extensions.names(repeat(40_000, dns('')))]), 50),
  '4500 directory names': () =>
    under(root(), leaf([extensions.names(repeat(4500, directory(dn([[CN, 'a']]))))]), 30),
  '8000 addresses under constraints': () =>
    under(
      constrained(
        permitted(
          ...many(100, () => ip(9, 9, 9, 9, 255, 255, 255, 255)),
          ip(1, 0, 0, 0, 255, 0, 0, 0),
        ),
      ),
      leaf([extensions.names(repeat(8000, ip(1, 2, 3, 4)))]),
      60,
    ),
  '2000 wildcards under a constraint of 10,000 labels': () =>
    under(
      constrained(excluded(dns('a.'.repeat(10_000)), dns('b.'.repeat(10_000)))),
      leaf([extensions.names(...many(2000, (each) => dns(`*.${each}.a`)))]),
      40,
    ),
  '300 wildcards under a constraint of 10,000 labels': () =>
    under(
      constrained(excluded(dns('a.'.repeat(10_000)))),
      leaf([extensions.names(...many(300, (each) => dns(`*.${each}.a`)))]),
      10,
    ),
  'a long email address under 6000 constraints': () =>
    under(
      constrained(excluded(...many(6000, () => email('a')))),
      leaf([extensions.names(email('b'.repeat(30_000)))]),
      20,
    ),
  'directory names of 150 parts under constraints of as many': () => {
    const deep = (last: string): Der =>
      directory(dn([...many(150, () => [CN, 'a'] as const), [CN, last]]))
    return under(
      constrained(excluded(...many(20, (each) => deep(`c${each}`)))),
      leaf([extensions.names(...many(20, (each) => deep(`n${each}`)))]),
      20,
    )
  },
  '30,000 empty names, constraints at every step of a ladder': () =>
    ladder(
      15,
      [extensions.nameConstraints(excluded(...many(10, () => email('a@b'))))],
      [extensions.names(repeat(30_000, dns('')))],
    ),
  '1000 names, constraints at every step of a ladder': () =>
    ladder(
      15,
      [extensions.nameConstraints(excluded(...many(10, () => email('a@b'))))],
      [extensions.names(...many(1000, (each) => dns(`n${each}.example`)))],
    ),
  '30,000 purposes': () =>
    under(root(), leaf([extension('2.5.29.37', false, seq(repeat(30_000, oid('1.2'))))]), 1),
  '7000 purposes, 64 paths': () =>
    under(root(), leaf([extension('2.5.29.37', false, seq(repeat(7000, oid('1.2'))))]), 64),
  '6000 extensions': () =>
    under(
      root(),
      leaf(
        many(6000, (each) =>
          extension(`1.2.${each % 120}.${Math.floor(each / 120)}`, false, Buffer.alloc(0)),
        ),
      ),
      1,
    ),
  'a subject of 8000 parts': () =>
    under(root(), leaf([], { subject: dn(many(8000, () => [CN, ''] as const)) }), 1),
  'a subject of one part with 8000 values': () => {
    const value = seq(oid(CN), element(0x0c, 'z'))
    return under(root(), leaf([], { subject: seq(set(repeat(8000, value))) }), 1)
  },
  'long names of subject and issuer, equal but for the case': () => {
    const long = (text: string): Der => dn(many(300, () => [CN, text] as const))
    const parts = { subject: long('A'), issuer: long('a') }
    return [
      NO_ANCHOR,
      [
        leaf([], { issuer: long('a') }),
        ...many(10, () => certificate({ ...parts, by: middleKeys })),
      ],
    ]
  },
  'an object identifier of 90,000 arcs': () =>
    under(root(), leaf([seq(element(0x06, Buffer.alloc(90_000, 1)), element(0x04))]), 1),
  'a purpose of 90,000 arcs': () =>
    under(
      root(),
      leaf([extension('2.5.29.37', false, seq(element(0x06, Buffer.alloc(90_000, 1))))]),
      1,
    ),
  'a path length of 90,000 octets': () => {
    const length = seq(boolean(true), element(0x02, Buffer.alloc(90_000, 0x7f)))
    const odd = certificate({ extensions: [extension('2.5.29.19', true, length)], by: rootKeys })
    return under(root(), leaf(), 0, [odd])
  },
  'a key usage of 90,000 octets': () =>
    under(root(), leaf([extension('2.5.29.15', true, element(0x03, Buffer.alloc(90_000)))]), 1),
  'an authority key identifier of 35,000 names': () =>
    under(
      root(),
      leaf([
        extensions.names(dns(MX)),
        extension(
          '2.5.29.35',
          false,
          seq(context(1, repeat(35_000, dns(''))), element(0x82, Buffer.from([1]))),
        ),
      ]),
      60,
    ),
  'ASN.1 as deep as it goes': () => {
    let nested = seq()
    while (nested.length < 60_000) nested = seq(nested)
    return under(root(), leaf([extension('2.5.29.17', false, nested)]), 1)
  },
  '126 namesakes, none of them right': () => [
    NO_ANCHOR,
    [orphan(), ...many(126, () => certificate({ spki: spkiOf(ecKeys()) }))],
  ],
  '60 intermediates with each of 60 roots': () => {
    const spki = spkiOf(ecKeys())
    const roots = many(60, () => certificate({ subject: ROOT, spki }))
    return [NO_ANCHOR, [leaf(), ...middles(60), ...roots]]
  },
  'authorities that all issued each other': mesh,
  'a ladder of 100': () => ladder(100, [], [extensions.names(dns(MX))]),
}
