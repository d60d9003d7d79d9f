import assert from 'node:assert/strict'
import { test } from 'node:test'
import { extendedErrorText } from '../../src/extended-error.js'

const cases: readonly (readonly [number, string, string])[] = [
  [6, '', 'EDE 6 DNSSEC Bogus'],
  [7, 'expired in May', 'EDE 7 Signature Expired: expired in May'],
  [22, '', 'EDE 22 No Reachable Authority'],
  [24, '', 'EDE 24 Invalid Data'],
  [25, '', 'EDE 25'],
  [49_152, 'ours', 'EDE 49152: ours'],
]

for (const [code, text, wanted] of cases) {
  test(`${wanted} (RFC 8914 §5.2)`, () => {
    assert.equal(extendedErrorText({ code, text }), wanted)
  })
}
