/** The text of a refusal: the record, the certificate, dates and names, in one printable line. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { before, describe, test } from 'node:test'
import { KeyUsageFlags, mint, nameConstraints, unknownCritical } from '../../../lab/certificates.js'
import type { Minted, MintOptions } from '../../../lab/certificates.js'
import type { CertificateReason } from '../../../src/reason.js'
import type { PeerChain } from '../../../src/verdict.js'
import { verifyNothing } from '../../../src/verify/verify.js'
import { chainOf, judge, tlsaFor } from '../../support/chains.js'
import { ca, family, leafOf } from '../../support/mint.js'
import { FUTURE, MX, PAST } from '../../support/shapes.js'

let root: Minted
let intermediate: Minted
let leaf: Minted
let stranger: Minted

before(async () => {
  ;({ root, intermediate, leaf, stranger } = await family())
})

function refusal(
  records: readonly string[],
  chain: PeerChain,
): readonly [CertificateReason, string] {
  const verdict = judge(records, chain)
  assert.equal(verdict.kind, 'refused')
  assert.match(verdict.detail, /^[ -~]{1,403}$/)
  return [verdict.reason, verdict.detail]
}

/** `3 1 1 0123456789abcdef...`, as in the log. */
function short(record: string): string {
  const [usage, selector, matchingType, data = ''] = record.split(' ')
  const isWhole = matchingType === '0'
  const digest = isWhole ? createHash('sha256').update(data, 'hex').digest('hex') : data
  const prefix = `${digest.slice(0, 16)}...`
  return `${usage} ${selector} ${matchingType} ${isWhole ? `(SHA2-256 ${prefix})` : prefix}`
}

describe('DANE-EE(3): the leaf, and the expected records', () => {
  test('one record', () => {
    const expected = tlsaFor(3, 1, 1, stranger)
    assert.deepEqual(refusal([expected], chainOf(leaf)), [
      'certificate-mismatch',
      `CN=${MX} is ${short(tlsaFor(3, 1, 1, leaf))}, expected ${short(expected)}`,
    ])
  })

  test('two records with the same parameters', () => {
    const expected = [tlsaFor(3, 1, 1, stranger), tlsaFor(3, 1, 1, root)]
    const [, detail] = refusal(expected, chainOf(leaf))
    assert.equal(
      detail,
      `CN=${MX} is ${short(tlsaFor(3, 1, 1, leaf))}, expected ${expected.map(short).join(' or ')}`,
    )
  })

  test('Full(0) data, which always begins alike, is shown as a digest', () => {
    const expected = [tlsaFor(3, 0, 0, stranger), tlsaFor(3, 1, 0, stranger)]
    const found = [tlsaFor(3, 0, 0, leaf), tlsaFor(3, 1, 0, leaf)]
    const [, detail] = refusal(expected, chainOf(leaf))
    assert.equal(
      detail,
      `CN=${MX} is ${found.map(short).join(' or ')}, expected ${expected.map(short).join(' or ')}`,
    )
  })

  test('more records than fit into a line', async () => {
    const others = await Promise.all(Array.from({ length: 6 }, () => mint({ subject: 'CN=x' })))
    const [, detail] = refusal(
      others.map((other) => tlsaFor(3, 1, 1, other)),
      chainOf(leaf),
    )
    assert.match(detail, / or 2 more$/)
  })

  test('a certificate with an unreadable subject is identified by its digest', () => {
    const cut = Buffer.from(leaf.der)
    const at = cut.indexOf(Buffer.from(MX)) - 2
    cut[at] = 0x2c // a constructed string
    const digest = createHash('sha256').update(cut).digest('hex').slice(0, 16)
    const [reason, detail] = refusal([tlsaFor(3, 1, 1, stranger)], [cut])
    assert.equal(reason, 'certificate-mismatch')
    assert.ok(detail.startsWith(`certificate (SHA2-256 ${digest}...) is 3 1 1 `), detail)
  })

  test('not a certificate', () => {
    assert.deepEqual(refusal([tlsaFor(3, 1, 1, leaf)], [Buffer.from('junk')]), [
      'unreadable-certificate',
      "the server's first certificate is not an X.509 certificate: 4 octets",
    ])
  })

  test('no certificate at all', () => {
    assert.equal(verifyNothing().detail, 'the server presented no certificate')
  })
})

describe('DANE-TA(2): the anchor, and the certificate that causes the refusal', () => {
  type Flaws = {
    readonly root?: Partial<MintOptions>
    readonly intermediate?: Partial<MintOptions>
    readonly leaf?: Partial<MintOptions>
  }
  const cases: readonly (readonly [string, Flaws, CertificateReason, string])[] = [
    [
      'the leaf expired',
      { leaf: PAST },
      'certificate-expired',
      `CN=${MX} expired at 2026-06-14T12:00:00.000Z`,
    ],
    [
      'a leaf with a very long subject expired',
      { leaf: { ...PAST, subject: `CN=${'x'.repeat(600)}` } },
      'certificate-expired',
      `CN=${'x'.repeat(117)}... expired at 2026-06-14T12:00:00.000Z`,
    ],
    [
      'the intermediate expired',
      { intermediate: PAST },
      'certificate-expired',
      'CN=intermediate expired at 2026-06-14T12:00:00.000Z',
    ],
    [
      'the leaf is not yet valid',
      { leaf: FUTURE },
      'certificate-not-yet-valid',
      `CN=${MX} is not valid before 2026-06-16T12:00:00.000Z`,
    ],
    [
      'other names',
      { leaf: { names: ['other.example', '*.other.example'] } },
      'name-mismatch',
      `CN=${MX} is valid for other.example *.other.example, not mx.example.org or example.org`,
    ],
    [
      'many other names',
      { leaf: { names: Array.from({ length: 7 }, (_, index) => `n${index}.example`) } },
      'name-mismatch',
      `CN=${MX} is valid for n0.example n1.example n2.example n3.example n4.example and 2 more, not mx.example.org or example.org`,
    ],
    [
      'no name',
      { leaf: { subject: 'O=nobody', names: [] } },
      'name-mismatch',
      'O=nobody is valid for no name, not mx.example.org or example.org',
    ],
    [
      'the intermediate is not a CA',
      {
        intermediate: {
          isCa: false,
          keyUsage: KeyUsageFlags.keyCertSign,
          extendedKeyUsage: 'none',
        },
      },
      'untrusted-path',
      'CN=intermediate is not a CA',
    ],
    [
      'the intermediate may not sign',
      { intermediate: { keyUsage: KeyUsageFlags.cRLSign } },
      'untrusted-path',
      'CN=intermediate may not sign certificates',
    ],
    [
      'the root allows no CA below it',
      { root: { pathLength: 0 } },
      'untrusted-path',
      'CN=root allows 0 CAs below it, not 1',
    ],
    [
      'the key usage of the leaf',
      { leaf: { keyUsage: KeyUsageFlags.keyCertSign } },
      'untrusted-path',
      `the key usage of CN=${MX} does not allow a TLS server`,
    ],
    [
      'the extended key usage of the intermediate',
      { intermediate: { extendedKeyUsage: ['1.3.6.1.5.5.7.3.4'] } },
      'untrusted-path',
      'the extended key usage of CN=intermediate does not allow a TLS server',
    ],
    [
      'a name outside the permitted subtrees of the root',
      { root: { extensions: [nameConstraints({ permitted: ['example.net'] })] } },
      'untrusted-path',
      `CN=${MX}: the name mx.example.org (dns) is outside the permitted subtrees of CN=root`,
    ],
    [
      'a name inside an excluded subtree of the root',
      { root: { extensions: [nameConstraints({ excluded: ['example.org'] })] } },
      'untrusted-path',
      `CN=${MX}: the name mx.example.org (dns) is inside an excluded subtree of CN=root`,
    ],
    [
      'a weak key',
      { intermediate: { key: 'RSA-1024' } },
      'untrusted-path',
      'CN=intermediate: RSA key of 1024 bits is not accepted',
    ],
    [
      'a weak digest',
      { leaf: { hash: 'SHA-1' } },
      'untrusted-path',
      `CN=${MX}: signature digest SHA-1 is too weak`,
    ],
    [
      'an unknown critical extension',
      { intermediate: { extensions: [unknownCritical()] } },
      'untrusted-path',
      'CN=intermediate: unknown critical extension 1.3.6.1.4.1.99999.1',
    ],
  ]
  for (const [circumstance, flaws, reason, text] of cases) {
    test(`${circumstance}: ${reason}`, async () => {
      const top = await ca('root', flaws.root)
      const middle = await ca('intermediate', { issuer: top, ...flaws.intermediate })
      const end = await leafOf(middle, flaws.leaf)
      const record = tlsaFor(2, 0, 1, top)
      assert.deepEqual(refusal([record], chainOf(end, middle, top)), [
        reason,
        `trust anchor ${short(record)}: ${text}`,
      ])
    })
  }

  test('no path to any of the anchors', () => {
    const records = [tlsaFor(2, 0, 1, stranger), tlsaFor(2, 1, 0, stranger)]
    assert.deepEqual(refusal(records, chainOf(leaf, intermediate, root)), [
      'certificate-mismatch',
      `trust anchor ${records.map(short).join(' or ')}: no path from CN=${MX}`,
    ])
  })

  test('a key in DNS that is too weak', async () => {
    const top = await ca('root', { key: 'RSA-1024' })
    const record = tlsaFor(2, 1, 0, top)
    assert.deepEqual(refusal([record], chainOf(await leafOf(top))), [
      'untrusted-path',
      `trust anchor ${short(record)}: the key of the trust anchor: RSA key of 1024 bits is not accepted`,
    ])
  })
})

describe('the most specific refusal', () => {
  test('both usages mismatch: both are reported', () => {
    const ee = tlsaFor(3, 1, 1, stranger)
    const ta = tlsaFor(2, 0, 1, stranger)
    assert.deepEqual(refusal([ta, ee], chainOf(leaf, intermediate)), [
      'certificate-mismatch',
      `CN=${MX} is ${short(tlsaFor(3, 1, 1, leaf))}, expected ${short(ee)}; ` +
        `trust anchor ${short(ta)}: no path from CN=${MX}`,
    ])
  })

  test('a mismatching leaf and an expired path: the path is reported', async () => {
    const records = [tlsaFor(3, 1, 1, stranger), tlsaFor(2, 0, 1, root)]
    const [reason] = refusal(records, chainOf(await leafOf(intermediate, PAST), intermediate, root))
    assert.equal(reason, 'certificate-expired')
  })

  test('one path untrusted, one expired, one with the wrong name: the most specific is reported', async () => {
    const keys = intermediate.keys
    const misnamed = await leafOf(intermediate, { names: ['other.example'] })
    const weak = await ca('intermediate', {
      issuer: root,
      keys,
      keyUsage: 'none',
      pathLength: 0,
      extensions: [unknownCritical()],
    })
    const stale = await ca('intermediate', { issuer: root, keys, ...PAST })
    const record = [tlsaFor(2, 0, 1, root)]
    assert.equal(refusal(record, chainOf(misnamed, weak, root))[0], 'untrusted-path')
    assert.equal(refusal(record, chainOf(misnamed, weak, stale, root))[0], 'certificate-expired')
    assert.equal(
      refusal(record, chainOf(misnamed, weak, stale, intermediate, root))[0],
      'name-mismatch',
    )
  })
})
