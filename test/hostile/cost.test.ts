/**
 * The worst chains, keys and records. The tests assert the verdict; the cost is printed
 * here and bounded in worst-verdict.test.ts.
 */
import assert from 'node:assert/strict'
import { createPublicKey, verify as verifySignature } from 'node:crypto'
import { test } from 'node:test'
import { tlsaFor } from '../../lab/certificates.js'
import type { PeerChain } from '../../src/verdict.js'
import { octetsOf, readSequence, readWhole } from '../../src/x509/der.js'
import { judge, word } from '../support/chains.js'
import { cpuMilliseconds, PATIENCE, verdict } from '../support/cost.js'
import {
  build,
  CN,
  dn,
  dns,
  ecKeys,
  element,
  extension,
  extensions,
  oid,
  seq,
} from '../support/der-builder.js'
import type { Built } from '../support/der-builder.js'
import { LONG_EXPONENT, rsaSpki } from '../support/forge.js'

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

/** `count` intermediates with one name, with or without the right one. */
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

test(
  '60 intermediates with one name, none of them right [DERIVED-chain-c]',
  PATIENCE,
  (context) => {
    const found = verdict(
      context,
      [tlsaFor(2, 0, 1, root)],
      chain(leaf, [...namesakes(60, false), root]),
    )
    assert.equal(found, 'certificate-mismatch')
  },
)

test('60 intermediates with one name, one of them right [DERIVED-chain-b]', PATIENCE, (context) => {
  const found = verdict(
    context,
    [tlsaFor(2, 0, 1, root)],
    chain(leaf, [...namesakes(60, true), root]),
  )
  assert.equal(found, 'authenticated at 2')
})

test('120 intermediates with one name [DERIVED-chain-c]', PATIENCE, (context) => {
  const found = verdict(
    context,
    [tlsaFor(2, 0, 1, root)],
    chain(leaf, [...namesakes(120, false), root]),
  )
  assert.equal(found, 'budget-exhausted')
})

test('far too many certificates', PATIENCE, (context) => {
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

test('CAs that all certified each other', PATIENCE, (context) => {
  // Each is certified by every other: the number of paths is astronomical.
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

/** `node:crypto` alone, to show the time that is saved. */
function cpuOfOne(spki: Buffer, octets: number): number {
  const key = createPublicKey({ key: spki, format: 'der', type: 'spki' })
  return cpuMilliseconds(() => verifySignature('sha256', spki, key, Buffer.alloc(octets, 0x33)))
}

/** A leaf with a signature as long as that of an RSA key of this many octets. */
function signedByRsa(octets: number): Built {
  const algorithm = seq(oid('1.2.840.113549.1.1.11'), element(0x05))
  const { der } = leaf
  const parts = readSequence(der, 3)
  const [tbs] = parts ?? []
  assert.ok(tbs)
  const own = seq(oid('1.2.840.10045.4.3.2'))
  const inside = octetsOf(der, tbs)
  const at = inside.indexOf(own)
  assert.ok(at > 0)
  const content = inside.subarray(readWhole(inside)?.contentStart)
  const start = content.indexOf(own)
  const changed = seq(content.subarray(0, start), algorithm, content.subarray(start + own.length))
  const signature = element(0x03, Buffer.from([0]), Buffer.alloc(octets, 0x33))
  return { der: seq(changed, algorithm, signature), spki: leaf.spki }
}

test('RSA keys of 64 kbit', PATIENCE, (context) => {
  const records = Array.from(
    { length: 7 },
    (_, index) => `2 1 0 ${rsaSpki(8192, Buffer.from([1, 0, 1]), index).toString('hex')}`,
  )
  const found = judge([...records, tlsaFor(2, 0, 1, root)], chain(signedByRsa(8192), [root]))
  assert.equal(found.kind, 'refused')
  assert.match(found.detail, /RSA key of 65536 bits is not accepted$/)
  context.diagnostic(word(found))
})

test(
  'RSA exponents as long as the modulus: OpenSSL would use these keys, they are not used here',
  PATIENCE,
  (context) => {
    const spkis = Array.from({ length: 60 }, (_, index) => rsaSpki(384, LONG_EXPONENT, index))
    const [first] = spkis
    assert.ok(first)
    const one = cpuOfOne(first, 384)
    const records = spkis.map((spki) => `2 1 0 ${spki.toString('hex')}`)
    const presented = chain(signedByRsa(384), [])
    let text = ''
    const all = cpuMilliseconds(() => {
      const found = judge(records, presented)
      text = found.kind === 'refused' ? found.detail : found.kind
    })
    assert.match(text, /RSA exponent of more than 32 bits is not accepted$/)
    context.diagnostic(`${one.toFixed(1)} ms would one have cost, ${all.toFixed(1)} ms did sixty`)
  },
)

test('a large CA certificate against the largest possible RRset', PATIENCE, (context) => {
  const padding = extension('1.2.3', false, element(0x04, Buffer.alloc(30_000)))
  const large = build({ subject: ROOT, keys: rootKeys, extensions: [extensions.ca(), padding] })
  const records = Array.from(
    { length: 1300 },
    (_, index) => `2 0 1 ${index.toString(16).padStart(64, '0')}`,
  )
  const middles = Array.from({ length: 20 }, (_, serial) =>
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

test('ASN.1 nested as deeply as a certificate can be', PATIENCE, (context) => {
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
