/** Which keys and signatures are strong enough. */
import assert from 'node:assert/strict'
import { createECDH, createPublicKey, generateKeyPairSync } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { describe, test } from 'node:test'
import { tlsaFor } from '../../../lab/certificates.js'
import { keyStrength, keyWeakness, signatureWeakness } from '../../../src/verify/strength.js'
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

/** An RSA key of this length without a private key. */
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

/** P-256 with explicit parameters: the standard ones, or with another generator. */
function explicitCurve(withOwnGenerator: boolean): KeyObject {
  const { publicKey } = generateKeyPairSync('ec', {
    namedCurve: 'P-256',
    paramEncoding: 'explicit',
  })
  const spki = publicKey.export({ type: 'spki', format: 'der' })
  const generator = spki.indexOf(Buffer.from('046b17d1f2', 'hex'))
  assert.ok(generator > 0)
  // CVE-2020-0601: with a chosen generator, a private key for any public key can be computed.
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
    ['RSA with the exponent 3', () => rsa(2048, [3]), undefined],
    ['RSA with the exponent 1', () => rsa(2048, [1]), /^RSA exponent 1 is not accepted$/],
    ['RSA with an even exponent', () => rsa(2048, [1, 0, 0]), /^RSA exponent 65536 is not/],
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
    [
      'P-256 with explicit parameters (RFC 5480 §2.1.1)',
      () => explicitCurve(false),
      /^a curve with explicit parameters is not accepted$/,
    ],
    [
      'P-256 with another generator',
      () => explicitCurve(true),
      /^a curve with explicit parameters is not accepted$/,
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
      const spki = key().export({ type: 'spki', format: 'der' })
      const found = keyWeakness(spki)
      if (wanted) assert.match(found ?? '', wanted)
      else assert.equal(found, undefined)
    })
  }
})

describe('keys that are not passed to OpenSSL', () => {
  const rsaOf = (...numbers: readonly Der[]): Buffer => spkiOf(seq(...numbers))
  const spkiOf = (key: Der, ...parameters: readonly Der[]): Buffer =>
    seq(
      seq(oid('1.2.840.113549.1.1.1'), ...(parameters.length > 0 ? parameters : [element(0x05)])),
      element(0x03, Buffer.from([0]), key),
    )
  const odd = Buffer.alloc(256, 0xab)
  const number = (octets: Buffer): Der => element(0x02, Buffer.from([0]), octets)
  const even = Buffer.concat([odd.subarray(1), Buffer.from([0xaa])])
  const short = Buffer.concat([Buffer.alloc(200), odd.subarray(0, 128)])
  const cases: readonly (readonly [string, Buffer, RegExp | undefined])[] = [
    ['a good one', rsaOf(number(odd), integer(1, 0, 1)), undefined],
    ['an even modulus', rsaOf(number(even), integer(1, 0, 1)), /^an even RSA modulus/],
    ['a modulus with leading zeros', rsaOf(number(short), integer(1, 0, 1)), /cannot be read/],
    ['a negative modulus', rsaOf(element(0x02, odd), integer(1, 0, 1)), /cannot be read/],
    ['a negative exponent', rsaOf(number(odd), integer(0x81)), /cannot be read/],
    ['an exponent of zero', rsaOf(number(odd), integer(0)), /cannot be read/],
    ['no exponent', rsaOf(number(odd)), /cannot be read/],
    ['a third number', rsaOf(number(odd), integer(3), integer(3)), /cannot be read/],
    ['a key that is not DER', spkiOf(Buffer.from('3080', 'hex')), /cannot be read/],
    ['no key at all', Buffer.from('3000', 'hex'), /not in DER/],
    ['not DER', Buffer.from('30800000', 'hex'), /not in DER/],
  ]
  for (const [circumstance, spki, wanted] of cases) {
    test(circumstance, () => {
      const found = keyWeakness(spki)
      if (wanted) assert.match(found ?? '', wanted)
      else assert.equal(found, undefined)
    })
  }

  test('the price of a key grows with its size', () => {
    const cost = (key: KeyObject): number =>
      keyStrength(key.export({ type: 'spki', format: 'der' })).cost
    assert.ok(cost(rsa(2048)) < cost(rsa(4096)))
    assert.ok(cost(rsa(16_384)) < cost(rsa(16_384, [0, 0xff, 0xff, 0xff, 0xff])))
    assert.ok(cost(curve('prime256v1')) < cost(curve('secp521r1')))
  })
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
  const HASH = {
    md5: '1.2.840.113549.2.5',
    sha1: '1.3.14.3.2.26',
    sha224: '2.16.840.1.101.3.4.2.4',
    sha256: '2.16.840.1.101.3.4.2.1',
    'sha512-256': '2.16.840.1.101.3.4.2.6',
    'sha3-512': '2.16.840.1.101.3.4.2.10',
  }
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
    ['RSA with SHA-224', rsaKeys, pkcs1(14, 'sha224'), 'authenticated at 1'],
    [
      'RSA with SHA3-256',
      rsaKeys,
      { algorithm: seq(oid('2.16.840.1.101.3.4.3.14'), NULL), digest: 'sha3-256' },
      'authenticated at 1',
    ],
    ['RSA with SHA-1', rsaKeys, pkcs1(5, 'sha1'), 'untrusted-path'],
    ['RSA with MD5', rsaKeys, pkcs1(4, 'md5'), 'untrusted-path'],
    ['RSA-PSS with SHA-256', rsaKeys, pss('sha256', 32), 'authenticated at 1'],
    ['RSA-PSS with SHA-224', rsaKeys, pss('sha224', 28), 'authenticated at 1'],
    ['RSA-PSS with SHA3-512', rsaKeys, pss('sha3-512', 64), 'authenticated at 1'],
    ['RSA-PSS with SHA-512/256', rsaKeys, pss('sha512-256', 32), 'authenticated at 1'],
    ['RSA-PSS with MD5', rsaKeys, pss('md5', 16), 'untrusted-path'],
    ['RSA-PSS with SHA-1, the default', rsaKeys, pss('sha1', 20), 'untrusted-path'],
    ['ECDSA with SHA-256', ec, ecdsa('1.2.840.10045.4.3.2', 'sha256'), 'authenticated at 1'],
    ['ECDSA with SHA-384', ec, ecdsa('1.2.840.10045.4.3.3', 'sha384'), 'authenticated at 1'],
    ['ECDSA with SHA-512', ec, ecdsa('1.2.840.10045.4.3.4', 'sha512'), 'authenticated at 1'],
    ['ECDSA with SHA-224', ec, ecdsa('1.2.840.10045.4.3.1', 'sha224'), 'authenticated at 1'],
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

  test('an unknown algorithm, and one that is malformed', () => {
    assert.match(signatureWeakness(seq(oid('1.2.3'))) ?? '', /^signature algorithm 1\.2\.3 is not/)
    assert.match(signatureWeakness(seq()) ?? '', /cannot be read/)
    assert.match(signatureWeakness(Buffer.from('3080', 'hex')) ?? '', /cannot be read/)
  })

  test('the algorithm inside the signed part differs from the one outside', () => {
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

  test('an anchor by Cert(0): its key counts, its own signature does not', () => {
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
