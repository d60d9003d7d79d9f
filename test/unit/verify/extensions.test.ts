/** The values of extensions are parsed strictly, even where OpenSSL is lenient. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { readNameConstraints } from '../../../src/verify/constraints.js'
import {
  readBasicConstraints,
  readExtendedKeyUsage,
  readExtensions,
  readKeyUsage,
  USAGE_BIT,
} from '../../../src/verify/extensions.js'
import {
  boolean,
  context,
  dns,
  element,
  excluded,
  extension,
  implicit,
  integer,
  oid,
  permitted,
  seq,
} from '../../support/der-builder.js'
import type { Der } from '../../support/der-builder.js'

const bits = (...octets: readonly number[]): Der => element(0x03, Buffer.from(octets))
const TRUE = boolean(true)

function told(read: () => unknown): unknown {
  try {
    return read()
  } catch {
    return 'unreadable'
  }
}

describe('basic constraints (RFC 5280 §4.2.1.9)', () => {
  const ca = (pathLength?: number): unknown => ({ ca: true, pathLength })
  const cases: readonly (readonly [string, Der, unknown])[] = [
    ['nothing', seq(), { ca: false, pathLength: undefined }],
    ['a CA', seq(TRUE), ca()],
    ['explicitly not a CA', seq(boolean(false)), { ca: false, pathLength: undefined }],
    ['a path length', seq(TRUE, integer(3)), ca(3)],
    ['a path length of two octets', seq(TRUE, integer(1, 0)), ca(256)],
    [
      'a very long path length',
      seq(TRUE, element(0x02, Buffer.alloc(9, 1))),
      ca(Number.MAX_SAFE_INTEGER),
    ],
    ['a negative path length', seq(TRUE, integer(0xff)), 'unreadable'],
    ['a path length of no octet', seq(TRUE, integer()), 'unreadable'],
    ['a path length that is not an integer', seq(TRUE, element(0x04, 'a')), 'unreadable'],
    ['TRUE in two octets', seq(element(0x01, Buffer.from([0, 0xff]))), 'unreadable'],
    ['TRUE in no octet', seq(element(0x01)), 'unreadable'],
    ['a CA twice', seq(TRUE, TRUE), 'unreadable'],
    ['a third value', seq(TRUE, integer(1), integer(1)), 'unreadable'],
    ['not a sequence', TRUE, 'unreadable'],
  ]
  for (const [circumstance, value, wanted] of cases) {
    test(circumstance, () => {
      assert.deepEqual(
        told(() => readBasicConstraints(value)),
        wanted,
      )
    })
  }
})

describe('key usage (RFC 5280 §4.2.1.3)', () => {
  const { digitalSignature, keyEncipherment, keyAgreement, keyCertSign } = USAGE_BIT
  const cases: readonly (readonly [string, Der, unknown])[] = [
    ['digitalSignature', bits(7, 0x80), digitalSignature],
    ['keyEncipherment', bits(5, 0x20), keyEncipherment],
    ['keyAgreement', bits(3, 0x08), keyAgreement],
    ['keyCertSign', bits(2, 0x04), keyCertSign],
    ['keyCertSign and decipherOnly', bits(7, 0x04, 0x80), keyCertSign | (1 << 8)],
    ['unused bits that are set are ignored', bits(3, 0x84), digitalSignature],
    ['only bits of the last octet can be unused', bits(7, 0x04, 0x7f), keyCertSign],
    ['eight unused bits', bits(8, 0x04), 'unreadable'],
    ['no octet', bits(0), 'unreadable'],
    ['nothing at all', bits(), 'unreadable'],
    ['three octets', bits(0, 1, 1, 1), 'unreadable'],
    ['not a bit string', element(0x04, Buffer.from([2, 4])), 'unreadable'],
  ]
  for (const [circumstance, value, wanted] of cases) {
    test(circumstance, () => {
      assert.equal(
        told(() => readKeyUsage(value)),
        wanted,
      )
    })
  }
})

test('extended key usage is a list of object identifiers (RFC 5280 §4.2.1.12)', () => {
  assert.deepEqual(readExtendedKeyUsage(seq(oid('1.3.6.1.5.5.7.3.1'), oid('2.5.29.37.0'))), [
    '1.3.6.1.5.5.7.3.1',
    '2.5.29.37.0',
  ])
  for (const value of [seq(integer(1)), oid('1.2.3'), seq(element(0x06))]) {
    assert.equal(
      told(() => readExtendedKeyUsage(value)),
      'unreadable',
    )
  }
})

describe('name constraints (RFC 5280 §4.2.1.10)', () => {
  const side = excluded(dns('example.net'))
  const cases: readonly (readonly [string, Der, boolean])[] = [
    ['nothing', seq(), true],
    ['one side', seq(side), true],
    ['both, the permitted first', seq(permitted(dns('example.org')), side), true],
    ['both, the excluded first', seq(side, permitted(dns('example.org'))), false],
    ['the excluded twice', seq(side, side), false],
    ['a third side', seq(permitted(dns('example.org')), side, side), false],
    ['a side that is neither', seq(context(2, seq(dns('example.org')))), false],
    ['a subtree without a name', seq(context(1, seq())), false],
    ['a subtree that is not a sequence', seq(context(1, dns('example.org'))), false],
    ['a name of an unknown form', seq(context(1, seq(implicit(9, 'a')))), false],
  ]
  for (const [circumstance, value, isReadable] of cases) {
    test(circumstance, () => {
      assert.equal(told(() => readNameConstraints(value)) !== 'unreadable', isReadable)
    })
  }
})

test('the list of extensions (RFC 5280 §4.2)', () => {
  assert.deepEqual(readExtensions(undefined), [])
  const value = integer(1)
  assert.deepEqual(
    readExtensions(seq(extension('1.2.3', true, value), extension('1.2.4', false, value))),
    [
      { type: '1.2.3', critical: true, value },
      { type: '1.2.4', critical: false, value },
    ],
  )
  for (const odd of [
    seq(seq(oid('1.2.3'))),
    seq(seq(oid('1.2.3'), value)),
    seq(seq(value, element(0x04))),
    seq(seq(oid('1.2.3'), value, element(0x04))),
    seq(seq(oid('1.2.3'), TRUE, element(0x04), element(0x04))),
    seq(oid('1.2.3')),
  ]) {
    assert.equal(
      told(() => readExtensions(odd)),
      'unreadable',
    )
  }
})
