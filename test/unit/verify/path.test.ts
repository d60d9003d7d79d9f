/** The checks of RFC 5280 §6.1 on the certificates in a path, and an anchor that is a bare key. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  AuthorityInfoAccessExtension,
  CRLDistributionPointsExtension,
  KeyUsageFlags,
  mint,
  nameConstraints,
  unknownCritical,
} from '../../../lab/certificates.js'
import type { MintOptions } from '../../../lab/certificates.js'
import { chainOf, judge, tlsaFor, word } from '../../support/chains.js'
import { ca, leafOf } from '../../support/mint.js'
import { FUTURE, PAST } from '../../support/shapes.js'

describe('the checks of RFC 5280 §6.1 on a path [R6698-2.1-c]', () => {
  /** The verdict with these variants of intermediate, leaf and root. */
  async function verdictOn(flaw: {
    root?: Partial<MintOptions>
    intermediate?: Partial<MintOptions>
    leaf?: Partial<MintOptions>
  }): Promise<string> {
    const top = await ca('root', flaw.root)
    const middle = await ca('intermediate', { issuer: top, ...flaw.intermediate })
    const end = await leafOf(middle, flaw.leaf)
    return word(judge([tlsaFor(2, 0, 1, top)], chainOf(end, middle, top)))
  }

  const cases: readonly (readonly [string, Parameters<typeof verdictOn>[0], string])[] = [
    ['nothing wrong', {}, 'authenticated at 2'],
    [
      'the intermediate is not a CA',
      { intermediate: { isCa: false, keyUsage: 'none' } },
      'untrusted-path',
    ],
    [
      'the intermediate has no basicConstraints',
      { intermediate: { noBasicConstraints: true } },
      'untrusted-path',
    ],
    [
      'the intermediate may not sign certificates',
      { intermediate: { keyUsage: KeyUsageFlags.cRLSign } },
      'untrusted-path',
    ],
    [
      'the intermediate has no key usage',
      { intermediate: { keyUsage: 'none' } },
      'authenticated at 2',
    ],
    ['the root allows no CA below it', { root: { pathLength: 0 } }, 'untrusted-path'],
    ['the root allows one CA below it', { root: { pathLength: 1 } }, 'authenticated at 2'],
    [
      'the intermediate allows no CA below it, and there is none',
      { intermediate: { pathLength: 0 } },
      'authenticated at 2',
    ],
    [
      'the key of the root is too weak [R6698-4.1-g]',
      { root: { key: 'RSA-1024' } },
      'untrusted-path',
    ],
    [
      'the root is for email only, Cert(0) [R7672-3.1.2-b]',
      { root: { extendedKeyUsage: ['1.3.6.1.5.5.7.3.4'] } },
      'untrusted-path',
    ],
    ['the leaf expired [DERIVED-expiry-a]', { leaf: PAST }, 'certificate-expired'],
    ['the intermediate expired', { intermediate: PAST }, 'certificate-expired'],
    ['the root expired, as in OpenSSL', { root: PAST }, 'certificate-expired'],
    ['the leaf not yet valid', { leaf: FUTURE }, 'certificate-not-yet-valid'],
    [
      'the leaf is for client authentication only [DERIVED-eku-a]',
      { leaf: { extendedKeyUsage: ['1.3.6.1.5.5.7.3.2'] } },
      'untrusted-path',
    ],
    [
      'the leaf is for any purpose',
      { leaf: { extendedKeyUsage: ['2.5.29.37.0'] } },
      'authenticated at 2',
    ],
    [
      'the leaf has no extended key usage',
      { leaf: { extendedKeyUsage: 'none' } },
      'authenticated at 2',
    ],
    [
      'the intermediate is for email only',
      { intermediate: { extendedKeyUsage: ['1.3.6.1.5.5.7.3.4'] } },
      'untrusted-path',
    ],
    [
      'the leaf may only sign certificates',
      { leaf: { keyUsage: KeyUsageFlags.keyCertSign } },
      'untrusted-path',
    ],
    ['the leaf has no key usage', { leaf: { keyUsage: 'none' } }, 'authenticated at 2'],
    [
      'the leaf may encipher keys, for RSA',
      { leaf: { key: 'RSA-2048', keyUsage: KeyUsageFlags.keyEncipherment } },
      'authenticated at 2',
    ],
    [
      'the leaf may agree on keys, for ECDH',
      { leaf: { keyUsage: KeyUsageFlags.keyAgreement } },
      'authenticated at 2',
    ],
    ['the leaf is signed with SHA-1 [R6698-4.1-g]', { leaf: { hash: 'SHA-1' } }, 'untrusted-path'],
    [
      'a key of 1024 bits in the intermediate [R6698-4.1-g]',
      { intermediate: { key: 'RSA-1024' } },
      'untrusted-path',
    ],
    ['a key of 1024 bits in the leaf', { leaf: { key: 'RSA-1024' } }, 'untrusted-path'],
    [
      'Ed25519 throughout',
      { root: { key: 'Ed25519' }, intermediate: { key: 'Ed25519' }, leaf: { key: 'Ed25519' } },
      'authenticated at 2',
    ],
  ]
  for (const [circumstance, flaw, wanted] of cases) {
    test(`${circumstance}: ${wanted}`, async () => {
      assert.equal(await verdictOn(flaw), wanted)
    })
  }
})

describe('path length (RFC 5280 §6.1.4 (l), (m)) [R6698-2.1-c]', () => {
  test('an intermediate allows no CA below it, and there is one', async () => {
    const top = await ca('root')
    const upper = await ca('upper', { issuer: top, pathLength: 0 })
    const lower = await ca('lower', { issuer: upper })
    const list = chainOf(await leafOf(lower), lower, upper, top)
    assert.equal(word(judge([tlsaFor(2, 0, 1, top)], list)), 'untrusted-path')
  })

  test('a self-issued CA does not count', async () => {
    const top = await ca('root', { pathLength: 0 })
    for (const [subject, wanted] of [
      ['root', 'authenticated at 2'],
      ['other', 'untrusted-path'],
    ] as const) {
      const middle = await ca(subject, { issuer: top })
      const list = chainOf(await leafOf(middle), middle, top)
      assert.equal(word(judge([tlsaFor(2, 0, 1, top)], list)), wanted)
    }
  })
})

test('a certificate with CRL and OCSP servers: neither is contacted, the verdict is synchronous [R7672-4-b]', async () => {
  const top = await ca('root')
  const url = 'http://192.0.2.1/'
  const end = await leafOf(top, {
    extensions: [
      new AuthorityInfoAccessExtension({ ocsp: url, caIssuers: url }),
      new CRLDistributionPointsExtension([url]),
    ],
  })
  assert.equal(word(judge([tlsaFor(2, 0, 1, top)], chainOf(end, top))), 'authenticated at 1')
})

describe('a trust anchor that is a key has no constraints and no dates (RFC 7672 §3.1.2, RFC 7671 §5.2.3)', () => {
  // Only selector Cert(0) vouches for more than the key; see docs/dev/design.md.
  const around: readonly (readonly [string, Partial<MintOptions>])[] = [
    ['expired', PAST],
    ['path length 0', { pathLength: 0 }],
    ['not a CA', { isCa: false, keyUsage: 'none' }],
    ['for email only', { extendedKeyUsage: ['1.3.6.1.5.5.7.3.4'] }],
    ['another name excluded', { extensions: [nameConstraints({ excluded: ['example.org'] })] }],
    ['an unknown critical extension', { extensions: [unknownCritical()] }],
    ['signed with SHA-1', { hash: 'SHA-1' }],
  ]
  for (const [circumstance, options] of around) {
    test(`the certificate with the key: ${circumstance}; same verdict for the digest and the full key [R7672-3.1.2-b]`, async () => {
      const top = await ca('root', options)
      const middle = await ca('intermediate', { issuer: top })
      const end = await leafOf(middle)
      assert.equal(
        word(judge([tlsaFor(2, 1, 1, top)], chainOf(end, middle, top))),
        'authenticated at 2',
      )
      assert.equal(
        word(judge([tlsaFor(2, 1, 0, top)], chainOf(end, middle, top))),
        'authenticated at 2',
      )
      assert.equal(word(judge([tlsaFor(2, 1, 0, top)], chainOf(end, middle))), 'authenticated at 2')
    })
  }

  test('a weak key is not accepted as an anchor [R6698-4.1-g]', async () => {
    const top = await ca('root', { key: 'RSA-1024' })
    const end = await leafOf(top)
    for (const matchingType of [0, 1]) {
      assert.equal(
        word(judge([tlsaFor(2, 1, matchingType, top)], chainOf(end, top))),
        'untrusted-path',
      )
    }
  })

  test('hundreds of keys in DNS: the order of records does not affect the verdict', async () => {
    const top = await ca('root')
    const end = await leafOf(top)
    const others = await Promise.all(Array.from({ length: 60 }, () => mint({ subject: 'CN=x' })))
    const records = [...others, top].map((each) => tlsaFor(2, 1, 0, each))
    for (const list of [records, [...records].reverse()]) {
      assert.equal(word(judge(list, chainOf(end))), 'authenticated at 1')
    }
  })
})
