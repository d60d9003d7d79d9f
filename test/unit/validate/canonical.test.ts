/** Canonical order and form (RFC 4034 §6), with the examples of the RFC. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { RR_TYPE } from '../../../src/signed-message.js'
import {
  canonicalOrder,
  canonicalRdata,
  compareNames,
  rightmostLabels,
  signedLabelCount,
  signedOwner,
} from '../../../src/validate/canonical.js'
import { ROOT, toWireName, wireNameFromOctets } from '../../../src/wire-name.js'
import { u16, wireName } from '../../support/dns-message.js'
import { wire } from '../../support/signed-records.js'

const octets = (...labels: string[]) =>
  wireNameFromOctets(
    Buffer.concat([
      ...labels.map((label) => Buffer.from(String.fromCharCode(label.length) + label, 'latin1')),
      Buffer.from([0]),
    ]),
  ) ?? ROOT

describe('[DNSSEC-38] order of names', () => {
  test('the example of RFC 4034 §6.1', () => {
    const order = [
      wire('example'),
      wire('a.example'),
      wire('yljkjljk.a.example'),
      wire('Z.a.example'),
      wire('zABC.a.EXAMPLE'),
      wire('z.example'),
      octets('\u0001', 'z', 'example'),
      wire('*.z.example'),
      octets('\u00c8', 'z', 'example'),
    ]
    for (const [i, a] of order.entries()) {
      for (const [j, b] of order.entries()) {
        assert.equal(Math.sign(compareNames(a, b)), Math.sign(i - j), `${i} and ${j}`)
      }
    }
  })

  test('the root comes first, and a label that is the start of another before it', () => {
    assert.ok(compareNames(ROOT, wire('a')) < 0)
    assert.ok(compareNames(wire('ab.example'), wire('abc.example')) < 0)
    assert.equal(compareNames(wire('A.example'), wire('a.EXAMPLE')), 0)
  })

  test('label by label, not as text: a dot sorts before every octet', () => {
    assert.ok(compareNames(wire('z.a.example'), wire('a\\.a.example')) < 0)
    assert.ok(compareNames(wire('x.a.example'), octets('a\u0000', 'example')) < 0)
  })
})

describe('labels', () => {
  test('a leading * is not counted (RFC 4034 §3.1.3)', () => {
    assert.equal(signedLabelCount(wire('*.example.org')), 2)
    assert.equal(signedLabelCount(wire('a.*.example.org')), 4)
    assert.equal(signedLabelCount(ROOT), 0)
    assert.equal(signedLabelCount(wire('**.org')), 2)
  })

  test('the rightmost ones', () => {
    assert.equal(rightmostLabels(wire('a.b.c'), 2), wire('b.c'))
    assert.equal(rightmostLabels(wire('a.b.c'), 3), wire('a.b.c'))
    assert.equal(rightmostLabels(wire('a.b.c'), 0), ROOT)
    assert.equal(rightmostLabels(wire('a.b.c'), 4), undefined)
  })

  for (const [owner, labels, signed] of [
    ['a.example.org', 3, 'a.example.org'],
    ['a.example.org', 2, '*.example.org'],
    ['a.b.example.org', 2, '*.example.org'],
    ['*.example.org', 2, '*.example.org'],
    ['*.example.org', 1, '*.org'],
    ['a.example.org', 0, '*'],
    ['a.example.org', 4, undefined],
    ['*.example.org', 3, undefined],
  ] as const) {
    test(`[DNSSEC-29] the owner signed for ${owner} with ${labels} labels (RFC 4035 §5.3.2)`, () => {
      assert.equal(signedOwner(wire(owner), labels), signed && wire(signed))
    })
  }
})

describe('[DNSSEC-26] RDATA', () => {
  const upper = wireName('Mail.EXAMPLE.Org')
  const lower = wireName('mail.example.org')

  for (const [title, type, before, after] of [
    ['NS', RR_TYPE.NS, upper, lower],
    ['CNAME', RR_TYPE.CNAME, upper, lower],
    ['DNAME', RR_TYPE.DNAME, upper, lower],
    ['MX', RR_TYPE.MX, Buffer.concat([u16(0x4142), upper]), Buffer.concat([u16(0x4142), lower])],
    [
      'SOA, but not its numbers',
      RR_TYPE.SOA,
      Buffer.concat([upper, upper, Buffer.alloc(20, 'A')]),
      Buffer.concat([lower, lower, Buffer.alloc(20, 'A')]),
    ],
    ['NSEC as sent (RFC 6840 §5.1)', RR_TYPE.NSEC, upper, upper],
    ['TLSA as sent', RR_TYPE.TLSA, Buffer.from('ABC'), Buffer.from('ABC')],
    ['A as sent', RR_TYPE.A, Buffer.from('ABCD'), Buffer.from('ABCD')],
  ] as const) {
    test(title, () => {
      const given = Buffer.from(before)
      assert.deepEqual(canonicalRdata(type, given), after)
      assert.deepEqual(given, before)
    })
  }

  test('[DNSSEC-28] order is that of unsigned octets, a missing one first, and duplicates go (RFC 4034 §6.3)', () => {
    const [a, b, c, d] = ['01', '0100', '7f', 'ff'].map((hex) => Buffer.from(hex, 'hex'))
    assert.ok(a && b && c && d)
    assert.deepEqual(canonicalOrder(RR_TYPE.TLSA, [d, b, a, c, a, d]), [a, b, c, d])
  })

  test('duplicates are found in canonical form', () => {
    assert.deepEqual(canonicalOrder(RR_TYPE.NS, [upper, lower]), [lower])
  })

  test('toWireName and the order agree about the root', () => {
    assert.equal(compareNames(toWireName('.'), ROOT), 0)
  })
})
