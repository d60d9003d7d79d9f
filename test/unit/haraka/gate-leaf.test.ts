/** When the gate asks for the whole list of certificates, and when the first is enough. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openGate } from '../../../src/haraka/gate.js'
import type { Authenticated } from '../../../src/verdict.js'
import { name } from '../../support/names.js'
import { Wire } from '../../support/wire.js'

const MATCH: Authenticated = {
  kind: 'authenticated',
  record: { usage: 3, selector: 1, matchingType: 1, data: Buffer.alloc(32) },
  depth: 0,
  name: undefined,
}

/** What is asked of the judges when Haraka was shown this as the certificate. */
function asked(certificate: unknown, early: Authenticated | undefined): readonly string[] {
  const heard: string[] = []
  const wire = new Wire()
  const settle = openGate(wire, {
    tlsaBase: name('mx.example.org'),
    judgeLeaf: (leaf) => {
      heard.push(`leaf ${leaf.toString()}`)
      return early
    },
    judge: (chain) => {
      heard.push(`list ${chain?.join() ?? 'empty'}`)
      return { kind: 'refused', reason: 'certificate-mismatch', detail: '' }
    },
    judgeAgain: (_, first) => Promise.resolve(first),
    onRefused: () => undefined,
    onPassed: () => {
      heard.push('passed')
      return 'verified'
    },
  })
  wire.on('error', () => undefined)
  settle()
  for (const reply of ['220 mx\r\n', '250 STARTTLS\r\n', '220 go\r\n']) {
    wire.emit('data', Buffer.from(reply))
  }
  wire.upgrade({}, () => heard.push('told'))
  wire.handshakeDone(false, undefined, certificate, {})
  return heard
}

test('the first matches: no more is read', () => {
  assert.deepEqual(asked({ raw: Buffer.from('leaf') }, MATCH), ['leaf leaf', 'passed', 'told'])
})

test('the first does not match: the list is read', () => {
  assert.deepEqual(asked({ raw: Buffer.from('leaf') }, undefined), ['leaf leaf', 'list leaf'])
})

for (const [circumstance, certificate] of Object.entries<unknown>({
  'no certificate': {},
  nothing: undefined,
  'no octets': { raw: 'leaf' },
})) {
  test(`Haraka was given ${circumstance}: the list is read`, () => {
    assert.deepEqual(asked(certificate, MATCH), ['list leaf'])
  })
}
