import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'
import { mint } from '../../lab/certificates.js'
import type { Minted } from '../../lab/certificates.js'
import { openCertificate } from '../../src/x509/certificate.js'
import { filterTlsa, tlsaText } from '../../src/tlsa.js'
import { build, ecKeys, oid } from '../support/der-builder.js'
import { curveSpki } from '../support/forge.js'

const sha256 = '00'.repeat(32)
const sha512 = '11'.repeat(64)

function record(text: string): { rdata: Buffer } {
  const [usage, selector, matchingType, data = ''] = text.split(' ')
  return {
    rdata: Buffer.concat([
      Buffer.from([Number(usage), Number(selector), Number(matchingType)]),
      Buffer.from(data, 'hex'),
    ]),
  }
}

describe('the usability filter', () => {
  let certificate: Minted
  before(async () => {
    certificate = await mint({ subject: 'CN=mx.example.org' })
  })

  const unusable: readonly (readonly [string, string, string])[] = [
    [
      'PKIX-TA(0) (RFC 7672 §3.1.3) [R7672-3.1.3-a R7671-4-a R7671-5.3/5.4]',
      `0 0 1 ${sha256}`,
      'pkix-usage',
    ],
    ['PKIX-EE(1) (RFC 7672 §3.1.3) [R7672-3.1.3-a]', `1 1 1 ${sha256}`, 'pkix-usage'],
    ['usage 4 (RFC 6698 §4.1) [R6698-2.1-b R6698-4.1-e]', `4 1 1 ${sha256}`, 'unknown-usage'],
    ['usage 255, private use', `255 1 1 ${sha256}`, 'unknown-usage'],
    ['selector 2 [R6698-4.1-e]', `3 2 1 ${sha256}`, 'unknown-selector'],
    ['matching type 3 [R6698-4.1-e]', `3 1 3 ${sha256}`, 'unknown-matching-type'],
    ['matching type 255', `3 1 255 ${sha256}`, 'unknown-matching-type'],
    [
      'SHA2-256 of 31 octets (RFC 6698 §4.1) [R6698-4.1-f]',
      `3 1 1 ${sha256.slice(2)}`,
      'wrong-digest-length',
    ],
    ['SHA2-256 of 33 octets', `3 1 1 ${sha256}00`, 'wrong-digest-length'],
    ['SHA2-256 of nothing', '3 1 1', 'wrong-digest-length'],
    ['SHA2-512 of 32 octets', `2 0 2 ${sha256}`, 'wrong-digest-length'],
    ['Full(0) of nothing [R6698-4.1-f]', '3 0 0', 'not-a-certificate'],
    [
      'Full(0) data that is not a certificate [R6698-4.1-f]',
      '2 0 0 3003020101',
      'not-a-certificate',
    ],
    ['Full(0) data that is not a key [R6698-4.1-f]', '2 1 0 3003020101', 'not-a-public-key'],
    ['Full(0) key of nothing', '3 1 0', 'not-a-public-key'],
  ]
  for (const [circumstance, text, reason] of unusable) {
    test(`unusable: ${circumstance}`, () => {
      assert.deepEqual(filterTlsa([record(text)]), {
        usable: [],
        unusable: [{ record: record(text), reason }],
      })
    })
  }

  test('unusable: RDATA that ends before its third octet [R6698-4.1-f]', () => {
    for (const length of [0, 1, 2]) {
      const short = { rdata: Buffer.alloc(length, 3) }
      assert.deepEqual(filterTlsa([short]).unusable, [{ record: short, reason: 'rdata-too-short' }])
    }
  })

  test('usable: every combination that RFC 7672 §3.1 defines [R6698-2.1-a R6698-6-a R7671-2-a]', () => {
    for (const usage of [2, 3]) {
      for (const [selector, full] of [certificate.der, certificate.spki].entries()) {
        for (const data of [full.toString('hex'), sha256, sha512].entries()) {
          const text = `${usage} ${selector} ${data[0]} ${data[1]}`
          const { usable } = filterTlsa([record(text)])
          assert.equal(usable.length, 1, text.slice(0, 6))
          assert.deepEqual(
            usable.map(({ published }) => published),
            [record(text)],
          )
        }
      }
    }
  })

  test('a certificate followed by an extra octet is unusable', () => {
    const text = `2 0 0 ${certificate.der.toString('hex')}00`
    assert.equal(filterTlsa([record(text)]).unusable[0]?.reason, 'not-a-certificate')
  })

  test('a certificate in BER is unusable, although OpenSSL reads it', () => {
    const ecdsaWithSha256 = oid('1.2.840.10045.4.3.2')
    // The length in long form where the short form is required.
    const header = Buffer.from([0x30, 0x81, ecdsaWithSha256.length])
    const innerAlgorithm = Buffer.concat([header, ecdsaWithSha256])
    const { der } = build({ keys: ecKeys(), innerAlgorithm })
    assert.deepEqual(openCertificate(der)?.raw, der)
    for (const usage of [2, 3]) {
      const text = `${usage} 0 0 ${der.toString('hex')}`
      assert.equal(filterTlsa([record(text)]).unusable[0]?.reason, 'not-a-certificate')
    }
  })

  test('a key followed by an extra octet is unusable, although OpenSSL reads it', () => {
    const text = `3 1 0 ${certificate.spki.toString('hex')}00`
    assert.equal(filterTlsa([record(text)]).unusable[0]?.reason, 'not-a-public-key')
  })

  test('a certificate in PEM is unusable, although OpenSSL reads it', () => {
    const text = `2 0 0 ${Buffer.from(certificate.pem).toString('hex')}`
    assert.equal(filterTlsa([record(text)]).unusable[0]?.reason, 'not-a-certificate')
  })

  test('a certificate under selector 1 is unusable', () => {
    const text = `3 1 0 ${certificate.der.toString('hex')}`
    assert.equal(filterTlsa([record(text)]).unusable[0]?.reason, 'not-a-public-key')
  })

  test('a key with explicit curve parameters counts as usable and is not given to OpenSSL', () => {
    const { usable } = filterTlsa([record(`2 1 0 ${curveSpki().toString('hex')}`)])
    assert.equal(usable.length, 1)
  })

  test('unreadable records beyond the number examined count as usable', () => {
    const junk = (index: number): { rdata: Buffer } => {
      const digits = index.toString(16).padStart(2, '0')
      return record(index % 2 === 0 ? `2 1 0 3003${digits}0000` : `3 0 0 3003${digits}0000`)
    }
    const all = Array.from({ length: 17 }, (_, index) => junk(index))
    assert.equal(filterTlsa(all.slice(0, 16)).usable.length, 0)
    // The safe direction: such a host must be authenticated, not merely encrypted.
    const { usable, unusable } = filterTlsa(all)
    assert.deepEqual([usable.length, unusable.length], [1, 16])
  })

  test('unusable records do not affect the others of the RRset (RFC 6698 §4.1) [R6698-4.1-e]', () => {
    const good = `3 1 1 ${sha256}`
    const { usable, unusable } = filterTlsa([record('3 1 1 00'), record(good), record('9 9 9')])
    assert.deepEqual(
      usable.map(({ published }) => published),
      [record(good)],
    )
    assert.equal(unusable.length, 2)
  })
})

describe('digest agility (RFC 7671 §9)', () => {
  const kept = (...texts: readonly string[]): readonly string[] =>
    filterTlsa(texts.map(record)).usable.map((usable) => tlsaText(usable.published).slice(0, 5))

  test('the strongest digest of a usage and selector displaces the weaker [R7671-9-a R7671-9-b R7672-5-a]', () => {
    assert.deepEqual(kept(`3 1 1 ${sha256}`, `3 1 2 ${sha512}`), ['3 1 2'])
  })
  test('within one usage and selector only [R7671-9-b]', () => {
    assert.deepEqual(kept(`3 1 1 ${sha256}`, `3 0 2 ${sha512}`, `2 1 2 ${sha512}`), [
      '3 1 1',
      '3 0 2',
      '2 1 2',
    ])
  })
  test('malformed records are dropped first: a short SHA2-512 displaces nothing [R7671-9-c]', () => {
    assert.deepEqual(kept(`3 1 1 ${sha256}`, `3 1 2 ${sha256}`), ['3 1 1'])
  })
  test('an unknown digest displaces nothing', () => {
    assert.deepEqual(kept(`3 1 1 ${sha256}`, `3 1 3 ${sha512}`), ['3 1 1'])
  })
  test('several records of the strongest digest are kept', () => {
    assert.deepEqual(kept(`3 1 1 ${sha256}`, `3 1 1 ${'ff'.repeat(32)}`), ['3 1 1', '3 1 1'])
  })
  test('the displaced records are reported', () => {
    const { unusable } = filterTlsa([record(`3 1 1 ${sha256}`), record(`3 1 2 ${sha512}`)])
    assert.deepEqual(unusable, [{ record: record(`3 1 1 ${sha256}`), reason: 'weaker-digest' }])
  })
  test('Full(0) is kept beside digests [R7671-9-b]', async () => {
    const { spki } = await mint({ subject: 'CN=mx.example.org' })
    assert.deepEqual(kept(`3 1 0 ${spki.toString('hex')}`, `3 1 1 ${sha256}`, `3 1 2 ${sha512}`), [
      '3 1 0',
      '3 1 2',
    ])
  })
})

test('presentation as in RFC 6698 §2.2, cut for log lines [R6698-2.2-a]', () => {
  assert.equal(tlsaText(record(`3 1 1 ${sha256}`)), '3 1 1 0000000000000000...')
  assert.equal(tlsaText(record('3 1 1 00ff')), '3 1 1 00ff')
  assert.equal(tlsaText({ rdata: Buffer.from('0301', 'hex') }), '\\# 2 0301')
  assert.equal(tlsaText({ rdata: Buffer.alloc(0) }), '\\# 0')
})
