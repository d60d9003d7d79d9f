/** What Haraka logs of a certificate has no line breaks and cannot imitate a line of this plugin. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { printableNames } from '../../../../src/haraka/connection/printable-peer.js'

describe('certificate names as passed to Haraka', () => {
  const cases: readonly (readonly [string, unknown, unknown])[] = [
    [
      'a line break',
      { subject: { CN: 'a\n[INFO] x', O: 'b\rc' }, issuer: { O: 'd\0' }, valid_to: 'now' },
      { subject: { CN: 'a?[INFO] x', O: 'b?c' }, issuer: { O: 'd?' }, valid_to: 'now' },
    ],
    [
      'several values of one type',
      { subject: { CN: ['a', 'b\n'] }, issuer: {} },
      { subject: { CN: 'a,b?' }, issuer: {} },
    ],
    ['no names', {}, { subject: {}, issuer: {} }],
    ['no certificate', undefined, undefined],
    ['null', null, null],
  ]
  for (const [circumstance, certificate, wanted] of cases) {
    test(circumstance, () => {
      assert.deepEqual(printableNames(certificate), wanted)
    })
  }
})
