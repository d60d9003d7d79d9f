/**
 * What the worst chains, keys and records cost. The verdict is what is tested; the time is
 * printed, and bounded only by the runner's patience, so that a hang is a failure.
 */
import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { test } from 'node:test'
import { tlsaFor } from '../../lab/certificates.js'
import type { PeerChain } from '../../src/verdict.js'
import { PATIENCE, verdict } from '../support/cost.js'
import {
  build,
  CN,
  dn,
  dns,
  ecKeys,
  element,
  extension,
  extensions,
  integer,
  oid,
  seq,
} from '../support/der-builder.js'
import type { Built, Der } from '../support/der-builder.js'

const MX = 'mx.example.org'
const ROOT = dn([[CN, 'Root']])
const MIDDLE = dn([[CN, 'Middle']])
const rootKeys = ecKeys()
const middleKeys = ecKeys()
const leafKeys = ecKeys()
const root = build({ subject: ROOT, keys: rootKeys, extensions: [extensions.ca()] })
const leaf = build({
  subject: dn([[CN, MX]]),
  issuer: MIDDLE,
  keys: leafKeys,
  signedBy: middleKeys,
  extensions: [extensions.names(dns(MX))],
})
const chain = (first: Built, others: readonly Built[]): PeerChain => [
  first.der,
  ...others.map(({ der }) => der),
]

/** Intermediates of one name, `count` of them, the right one among them or not. */
function namesakes(count: number, withRight: boolean): readonly Built[] {
  const wrong = Array.from({ length: count - (withRight ? 1 : 0) }, (_, serial) =>
    build({
      subject: MIDDLE,
      issuer: ROOT,
      keys: ecKeys(),
      signedBy: rootKeys,
      serial,
      extensions: [extensions.ca()],
    }),
  )
  const right = build({
    subject: MIDDLE,
    issuer: ROOT,
    keys: middleKeys,
    signedBy: rootKeys,
    extensions: [extensions.ca()],
  })
  return withRight ? [...wrong, right] : wrong
}

test('100 intermediates of one name, none of them right [DERIVED-chain-c]', PATIENCE, (context) => {
  const found = verdict(
    context,
    [tlsaFor(2, 0, 1, root)],
    chain(leaf, [...namesakes(100, false), root]),
  )
  assert.equal(found, 'certificate-mismatch')
})

test('100 intermediates of one name, one of them right [DERIVED-chain-b]', PATIENCE, (context) => {
  const found = verdict(
    context,
    [tlsaFor(2, 0, 1, root)],
    chain(leaf, [...namesakes(100, true), root]),
  )
  assert.equal(found, 'authenticated at 2')
})

test('more certificates than anybody sends', PATIENCE, (context) => {
  const found = verdict(
    context,
    [tlsaFor(2, 0, 1, root)],
    chain(leaf, [...namesakes(140, true), root]),
  )
  assert.equal(found, 'budget-exhausted')
})

test('a path of depth 100 [DERIVED-chain-c]', PATIENCE, (context) => {
  const keys = Array.from({ length: 101 }, ecKeys)
  const links = keys.slice(0, 100).map((own, index) =>
    build({
      subject: dn([[CN, `CA ${index}`]]),
      issuer: dn([[CN, `CA ${index + 1}`]]),
      keys: own,
      signedBy: keys[index + 1] ?? own,
      extensions: [extensions.ca()],
    }),
  )
  const [first] = keys
  const last = keys[100]
  assert.ok(first && last)
  const top = build({ subject: dn([[CN, 'CA 100']]), keys: last, extensions: [extensions.ca()] })
  const end = build({
    issuer: dn([[CN, 'CA 0']]),
    keys: leafKeys,
    signedBy: first,
    extensions: [extensions.names(dns(MX))],
  })
  assert.equal(
    verdict(context, [tlsaFor(2, 0, 1, top)], chain(end, [...links, top])),
    'certificate-mismatch',
  )
})

test('authorities that all issued each other', PATIENCE, (context) => {
  // Every one certified by every other: the number of paths is beyond counting.
  const all = Array.from({ length: 11 }, (_, index) => ({
    keys: ecKeys(),
    subject: dn([[CN, `CA ${index}`]]),
  }))
  const mesh = all.flatMap((issuer) =>
    all.flatMap((subject) =>
      issuer === subject
        ? []
        : [
            build({
              subject: subject.subject,
              issuer: issuer.subject,
              keys: subject.keys,
              signedBy: issuer.keys,
              extensions: [extensions.ca()],
            }),
          ],
    ),
  )
  const [first] = all
  assert.ok(first)
  const end = build({
    issuer: first.subject,
    keys: leafKeys,
    signedBy: first.keys,
    extensions: [extensions.names(dns(MX))],
  })
  assert.equal(verdict(context, [tlsaFor(2, 0, 1, root)], chain(end, mesh)), 'budget-exhausted')
})

test('a certificate of a megabyte', PATIENCE, (context) => {
  const huge = build({
    subject: ROOT,
    keys: rootKeys,
    extensions: [
      extensions.ca(),
      extension('1.2.3', false, element(0x04, Buffer.alloc(1_000_000))),
    ],
  })
  assert.equal(
    verdict(context, [tlsaFor(2, 0, 1, root)], chain(leaf, [huge, root])),
    'certificate-mismatch',
  )
  const hugeLeaf = build({
    keys: leafKeys,
    extensions: [extension('1.2.3', false, element(0x04, Buffer.alloc(1_000_000)))],
  })
  assert.equal(
    verdict(context, [tlsaFor(3, 1, 1, hugeLeaf)], chain(hugeLeaf, [])),
    'unreadable-certificate',
  )
})

/** A SubjectPublicKeyInfo with an RSA key of so many octets, which nobody has the other half of. */
function rsaSpki(modulusOctets: number, exponent: Der): Buffer {
  const modulus = Buffer.alloc(modulusOctets, 0xab)
  modulus[0] = 0x7f
  const key = seq(element(0x02, modulus), exponent)
  return seq(seq(oid('1.2.840.113549.1.1.1'), element(0x05)), element(0x03, Buffer.from([0]), key))
}

test('RSA keys of 64 kbit', PATIENCE, (context) => {
  const spki = rsaSpki(8192, integer(1, 0, 1))
  const records = Array.from(
    { length: 7 },
    (_, index) => `2 1 0 ${Buffer.from(spki).fill(index, 40, 41).toString('hex')}`,
  )
  const found = verdict(context, [...records, tlsaFor(2, 0, 1, root)], chain(leaf, [root]))
  assert.equal(found, 'certificate-mismatch')
})

test('RSA exponents as long as the modulus', PATIENCE, (context) => {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 3072 })
  const genuine = publicKey.export({ type: 'spki', format: 'der' })
  const signed = build({
    subject: MIDDLE,
    issuer: ROOT,
    keys: { publicKey, privateKey },
    signedBy: rootKeys,
    extensions: [extensions.ca()],
  })
  const exponent = element(0x02, Buffer.alloc(380, 0x7f))
  const records = Array.from({ length: 60 }, (_, index) => {
    const spki = Buffer.from(rsaSpki(384, exponent))
    spki[60] = index
    return `2 1 0 ${spki.toString('hex')}`
  })
  assert.ok(genuine.length > 0)
  assert.match(
    verdict(context, records, chain(leaf, [signed, root])),
    /^(certificate-mismatch|untrusted-path|budget-exhausted)$/,
  )
})

test('a large authority against as many records as there can be', PATIENCE, (context) => {
  const padding = extension('1.2.3', false, element(0x04, Buffer.alloc(80_000)))
  const large = build({ subject: ROOT, keys: rootKeys, extensions: [extensions.ca(), padding] })
  const records = Array.from(
    { length: 1300 },
    (_, index) => `2 0 1 ${index.toString(16).padStart(64, '0')}`,
  )
  const middles = Array.from({ length: 60 }, (_, serial) =>
    build({
      subject: MIDDLE,
      issuer: ROOT,
      keys: middleKeys,
      signedBy: rootKeys,
      serial,
      extensions: [extensions.ca()],
    }),
  )
  assert.equal(verdict(context, records, chain(leaf, [...middles, large])), 'certificate-mismatch')
})

test('ASN.1 nested as deep as a certificate can hold', PATIENCE, (context) => {
  let nested = seq()
  while (nested.length < 60_000) nested = seq(nested)
  const deep = build({
    keys: leafKeys,
    issuer: ROOT,
    signedBy: rootKeys,
    extensions: [extension('2.5.29.17', false, nested)],
  })
  assert.equal(verdict(context, [tlsaFor(2, 0, 1, root)], chain(deep, [root])), 'untrusted-path')
})
