/** What Haraka is told when a gated connection breaks by itself. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { openGate } from '../../../src/haraka/gate.js'
import { name } from '../../support/names.js'
import { Wire } from '../../support/wire.js'

/** What was refused, and what Haraka's own listener saw of the error. */
function broken(stage: 'preamble' | 'handshake'): { refused: string[]; seen: object[] } {
  const refused: string[] = []
  const seen: object[] = []
  const wire = new Wire()
  const settle = openGate(wire, {
    tlsaBase: name('mx.example.org'),
    judge: () => assert.fail('nothing to judge'),
    judgeAgain: () => assert.fail('nothing to judge again'),
    onRefused: (reason) => refused.push(reason),
    onPassed: () => assert.fail('nothing passes'),
  })
  wire.on('error', (error: object) => seen.push(error))
  settle()
  if (stage === 'handshake') {
    for (const reply of ['220 mx\r\n', '250 STARTTLS\r\n', '220 go\r\n']) {
      wire.emit('data', Buffer.from(reply))
    }
    wire.upgrade({})
  }
  // Haraka marks errors of a handshake so, and puts the host on its list of hosts without TLS.
  wire.emit('error', Object.assign(new Error('alert'), { source: 'tls' }))
  return { refused, seen }
}

describe('an error is never one that switches TLS off for the host [DERIVED-tls-c]', () => {
  for (const [stage, reason] of [
    ['preamble', 'connection-lost'],
    ['handshake', 'tls-handshake-failed'],
  ] as const) {
    test(`during the ${stage}: ${reason}`, () => {
      const { refused, seen } = broken(stage)
      assert.deepEqual(refused, [reason])
      assert.equal(seen.length, 1)
      assert.ok(seen.every((error) => !('source' in error)))
    })
  }
})
