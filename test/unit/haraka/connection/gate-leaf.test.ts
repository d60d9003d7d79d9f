/** When the gate reads the whole list of certificates, and when the leaf is enough. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openGate } from '../../../../src/haraka/connection/open-gate.js'
import type { Authenticated } from '../../../../src/verdict.js'
import { gateParts, Wire } from '../../../support/wire.js'

const MATCH: Authenticated = {
  kind: 'authenticated',
  record: {
    published: { rdata: Buffer.alloc(35) },
    usage: 3,
    selector: 1,
    matchingType: 1,
    data: Buffer.alloc(32),
  },
  depth: 0,
  name: undefined,
}

/** Which judges are called when Haraka was given this as the certificate. */
function asked(certificate: unknown, early: Authenticated | undefined): readonly string[] {
  const heard: string[] = []
  const wire = new Wire()
  const parts = gateParts([], {
    judgeLeaf: (leaf) => {
      heard.push(`leaf ${leaf.toString()}`)
      return early
    },
    judge: (chain) => {
      heard.push(`list ${chain?.join() ?? 'empty'}`)
      return { kind: 'refused', reason: 'certificate-mismatch', detail: '' }
    },
    onPassed: () => {
      heard.push('passed')
      return 'verified'
    },
  })
  openGate(wire, parts, () => wire.on('error', () => undefined))
  wire.dialog('go')
  wire.upgrade({}, () => heard.push('told'))
  wire.handshakeDone(false, undefined, certificate, {})
  return heard
}

test('the leaf matches: the list is not read', () => {
  assert.deepEqual(asked({ raw: Buffer.from('leaf') }, MATCH), ['leaf leaf', 'passed', 'told'])
})

test('the leaf does not match: the list is read', () => {
  assert.deepEqual(asked({ raw: Buffer.from('leaf') }, undefined), ['leaf leaf', 'list leaf'])
})

for (const [circumstance, certificate] of Object.entries<unknown>({
  'no certificate': {},
  nothing: undefined,
  'an empty certificate': { raw: 'leaf' },
})) {
  test(`Haraka was given ${circumstance}: the list is read`, () => {
    assert.deepEqual(asked(certificate, MATCH), ['list leaf'])
  })
}
