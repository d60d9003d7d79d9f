/** Which keys and signatures prove something. */
import assert from 'node:assert/strict'
import { createECDH, createPublicKey, generateKeyPairSync } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { describe, test } from 'node:test'
import { tlsaFor } from '../../../lab/certificates.js'
import { keyWeakness } from '../../../src/verify/strength.js'
import { judge, word } from '../../support/chains.js'
import {
  build,
  CN,
  dn,
  dns,
  ecKeys,
  element,
  extensions,
  integer,
  oid,
  seq,
} from '../../support/der-builder.js'
import type { Der, KeyPair, Signature } from '../../support/der-builder.js'

/** An RSA key of so many bits, which nobody has the other half of. */
function rsa(bits: number, exponent: readonly number[] = [1, 0, 1]): KeyObject {
  const modulus = Buffer.alloc(Math.ceil(bits / 8), 0xab)
  modulus[0] = 0x80 >> ((8 - (bits % 8)) % 8)
  const number = bits % 8 === 0 ? Buffer.concat([Buffer.from([0]), modulus]) : modulus
  const key = seq(element(0x02, number), integer(...exponent))
  const algorithm = seq(oid('1.2.840.113549.1.1.1'), element(0x05))
  return createPublicKey({
    key: seq(algorithm, element(0x03, Buffer.from([0]), key)),
    format: 'der',
    type: 'spki',
  })
}

const curve = (namedCurve: string): KeyObject => generateKeyPairSync('ec', { namedCurve }).publicKey

/** P-256 with its parameters spelled out, all of them or with a generator of our own. */
function explicitCurve(withOwnGenerator: boolean): KeyObject {
  const { publicKey } = generateKeyPairSync('ec', {
    namedCurve: 'P-256',
    paramEncoding: 'explicit',
  })
  const spki = publicKey.export({ type: 'spki', format: 'der' })
  const generator = spki.indexOf(Buffer.from('046b17d1f2', 'hex'))
  assert.ok(generator > 0)
  // CVE-2020-0601: who may choose the generator knows a private key for any public one.
  if (withOwnGenerator) ecdhPoint().copy(spki, generator)
  return createPublicKey({ key: spki, format: 'der', type: 'spki' })
}

function ecdhPoint(): Buffer {
  const ecdh = createECDH('prime256v1')
  ecdh.generateKeys()
  return ecdh.getPublicKey()
}

describe('keys of 112 bits of security and more [R6698-4.1-g]', () => {
  const cases: readonly (readonly [string, () => KeyObject, RegExp | undefined])[] = [
    ['RSA of 2047 bits', () => rsa(2047), /^RSA key of 2047 bits is not accepted$/],
    ['RSA of 2048 bits', () => rsa(2048), undefined],
    ['RSA of 16384 bits', () => rsa(16_384), undefined],
    ['RSA of 16392 bits', () => rsa(16_392), /^RSA key of 16392 bits/],
    ['RSA with an exponent of 32 bits', () => rsa(2048, [0, 0xff, 0xff, 0xff, 0xff]), undefined],
    ['RSA with an exponent of 33 bits', () => rsa(2048, [1, 0, 0, 0, 1]), /^RSA exponent/],
    [
      'RSA-PSS of 1024 bits',
      () => generateKeyPairSync('rsa-pss', { modulusLength: 1024 }).publicKey,
      /^RSA key of 1024 bits/,
    ],
    ['P-256', () => curve('prime256v1'), undefined],
    ['P-384', () => curve('secp384r1'), undefined],
    ['P-521', () => curve('secp521r1'), undefined],
    ['P-224', () => curve('secp224r1'), undefined],
    ['P-192', () => curve('prime192v1'), /^curve prime192v1 is not accepted$/],
    ['a curve of 163 bits', () => curve('sect163k1'), /^curve sect163k1 is not accepted$/],
    ['P-256, spelled out', () => explicitCurve(false), undefined],
    [
      'P-256 with a generator of its own',
      () => explicitCurve(true),
      /^a curve with parameters of its own is not accepted$/,
    ],
    ['Ed25519', () => generateKeyPairSync('ed25519').publicKey, undefined],
    ['Ed448', () => generateKeyPairSync('ed448').publicKey, undefined],
    ['X25519', () => generateKeyPairSync('x25519').publicKey, /^x25519 keys are not accepted$/],
    [
      'DSA',
      () => generateKeyPairSync('dsa', { modulusLength: 1024, divisorLength: 160 }).publicKey,
      /^dsa keys are not accepted$/,
    ],
  ]
  for (const [kind, key, wanted] of cases) {
    test(`${kind}: ${wanted ? 'refused' : 'accepted'}`, () => {
      const found = keyWeakness(key())
      if (wanted) assert.match(found ?? '', wanted)
      else assert.equal(found, undefined)
    })
  }
})

describe('signatures with a digest of 224 bits and more [R6698-4.1-g]', () => {
  const MX = 'mx.example.org'
  const ec = ecKeys()
  const rsaKeys = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const NULL = element(0x05)
  const pkcs1 = (arc: number, digest: string): Signature => ({
    algorithm: seq(oid(`1.2.840.113549.1.1.${arc}`), NULL),
    digest,
  })
  const ecdsa = (type: string, digest: string): Signature => ({ algorithm: seq(oid(type)), digest })
  const HASH = { sha1: '1.3.14.3.2.26', sha256: '2.16.840.1.101.3.4.2.1' }
  const pss = (digest: keyof typeof HASH, saltLength: number): Signature => {
    const hash = seq(oid(HASH[digest]), NULL)
    const mask = seq(oid('1.2.840.113549.1.1.8'), hash)
    const parameters: readonly Der[] = [
      element(0xa0, hash),
      element(0xa1, mask),
      element(0xa2, integer(saltLength)),
    ]
    return {
      algorithm: seq(oid('1.2.840.113549.1.1.10'), seq(...(digest === 'sha1' ? [] : parameters))),
      digest,
      options: { padding: 6, saltLength }, // RSA_PKCS1_PSS_PADDING
    }
  }
  const cases: readonly (readonly [string, KeyPair, Signature, string])[] = [
    ['RSA with SHA-256', rsaKeys, pkcs1(11, 'sha256'), 'authenticated at 1'],
    ['RSA with SHA-384', rsaKeys, pkcs1(12, 'sha384'), 'authenticated at 1'],
    ['RSA with SHA-512', rsaKeys, pkcs1(13, 'sha512'), 'authenticated at 1'],
    ['RSA with SHA-1', rsaKeys, pkcs1(5, 'sha1'), 'untrusted-path'],
    ['RSA with MD5', rsaKeys, pkcs1(4, 'md5'), 'untrusted-path'],
    ['RSA-PSS with SHA-256', rsaKeys, pss('sha256', 32), 'authenticated at 1'],
    ['RSA-PSS with SHA-1, which is its default', rsaKeys, pss('sha1', 20), 'untrusted-path'],
    ['ECDSA with SHA-256', ec, ecdsa('1.2.840.10045.4.3.2', 'sha256'), 'authenticated at 1'],
    ['ECDSA with SHA-384', ec, ecdsa('1.2.840.10045.4.3.3', 'sha384'), 'authenticated at 1'],
    ['ECDSA with SHA-512', ec, ecdsa('1.2.840.10045.4.3.4', 'sha512'), 'authenticated at 1'],
    ['ECDSA with SHA-1', ec, ecdsa('1.2.840.10045.4.1', 'sha1'), 'untrusted-path'],
  ]
  for (const [kind, keys, signature, wanted] of cases) {
    test(`${kind}: ${wanted}`, () => {
      const subject = dn([[CN, 'Root']])
      const root = build({ subject, keys, extensions: [extensions.ca()] })
      const leaf = build({
        issuer: subject,
        keys: ecKeys(),
        signedBy: keys,
        signature,
        extensions: [extensions.names(dns(MX))],
      })
      const verdict = judge([tlsaFor(2, 0, 1, root)], [leaf.der, root.der])
      assert.equal(word(verdict), wanted, JSON.stringify(verdict))
    })
  }

  test('the algorithm inside the signed part is another than outside', () => {
    const subject = dn([[CN, 'Root']])
    const root = build({ subject, keys: ec, extensions: [extensions.ca()] })
    const leaf = build({
      issuer: subject,
      keys: ecKeys(),
      signedBy: ec,
      innerAlgorithm: seq(oid('1.2.840.10045.4.1')),
      extensions: [extensions.names(dns(MX))],
    })
    assert.equal(judge([tlsaFor(2, 0, 1, root)], [leaf.der, root.der]).kind, 'refused')
  })

  test('an anchor named whole: its key counts, its own signature does not', () => {
    const subject = dn([[CN, 'Root']])
    const root = build({
      subject,
      keys: rsaKeys,
      signature: pkcs1(4, 'md5'),
      extensions: [extensions.ca()],
    })
    const leaf = build({
      issuer: subject,
      keys: ecKeys(),
      signedBy: rsaKeys,
      extensions: [extensions.names(dns(MX))],
    })
    assert.equal(word(judge([tlsaFor(2, 0, 1, root)], [leaf.der, root.der])), 'authenticated at 1')
  })
})
