/** The gate holds the connection, and Haraka waits, while TLSA records are looked up again. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { openGate } from '../../../../src/haraka/connection/open-gate.js'
import type { Refused, Verdict } from '../../../../src/verdict.js'
import { gateParts, Wire } from '../../../support/wire.js'

const MISMATCH: Refused = { kind: 'refused', reason: 'certificate-mismatch', detail: 'the first' }
const MATCH: Verdict = {
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

/** A gate that has refused the certificate once and is looking TLSA up again. */
function held(timeoutMs = 60_000) {
  const heard: string[] = []
  const second: { resolve: (verdict: Verdict) => void; reject: (error: Error) => void } = {
    resolve: () => undefined,
    reject: () => undefined,
  }
  let looks = 0
  const wire = new Wire()
  const parts = gateParts(heard, {
    timeoutMs,
    judge: () => MISMATCH,
    judgeAgain: (_, first) => {
      assert.equal(first, MISMATCH)
      looks++
      return new Promise((resolve, reject) => Object.assign(second, { resolve, reject }))
    },
  })
  openGate(wire, parts, () => {
    // As Haraka does: EHLO is sent at `secure`, replies are read at `data`.
    wire.on('secure', () => heard.push('EHLO'))
    wire.on('data', () => heard.push('data'))
    wire.on('error', (error: Error) => heard.push(`error ${error.message}`))
  })
  wire.dialog('go')
  heard.length = 0
  wire.upgrade({}, (isVerified) => heard.push(`verified ${String(isVerified)}`))
  wire.handshakeDone(false, new Error('self-signed'), {}, {})
  assert.equal(looks, 1)
  assert.equal(heard.length, 0)
  return { wire, heard, second, settled: () => new Promise((resolve) => setImmediate(resolve)) }
}

describe('a second TLSA lookup', () => {
  test('finds a match: the held events are released, verified', async () => {
    const { wire, heard, second, settled } = held()
    wire.emit('secure')
    assert.equal(heard.length, 0)
    second.resolve(MATCH)
    await settled()
    assert.deepEqual(heard, ['passed authenticated', 'verified true', 'EHLO'])
    assert.equal(wire.isSecure(), true)
  })

  test('completes before the TLS stream is ready: EHLO is sent once, not early', async () => {
    const { wire, heard, second, settled } = held()
    second.resolve(MATCH)
    await settled()
    assert.deepEqual(heard, ['passed authenticated', 'verified true'])
    wire.emit('secure')
    assert.equal(heard.filter((each) => each === 'EHLO').length, 1)
  })

  test('finds the same records: refused, EHLO is never sent', async () => {
    const { wire, heard, second, settled } = held()
    wire.emit('secure')
    second.resolve({ ...MISMATCH, detail: 'the second' })
    await settled()
    wire.emit('secure')
    assert.deepEqual(heard, [
      'refused certificate-mismatch: the second',
      'error DANE: certificate-mismatch: the second',
    ])
    assert.deepEqual(wire.sentInside, ['QUIT\r\n'])
    wire.hangUp()
    assert.ok(wire.isDestroyed && wire.raw.destroyed)
    assert.equal(wire.isSecure(), false)
  })

  test('fails: refused', async () => {
    const { wire, heard, second, settled } = held()
    second.reject(new Error('a bug'))
    await settled()
    assert.equal(heard[0], 'refused internal-error: a bug')
    assert.ok(wire.isDestroyed)
  })

  test('is interrupted by unsolicited data from the server: refused, Haraka reads none of it', async () => {
    const { wire, heard, second, settled } = held()
    wire.hear('250 injected\r\n')
    second.resolve(MATCH)
    await settled()
    assert.match(heard[0] ?? '', /^refused protocol-violation/)
    assert.ok(!heard.includes('data') && !heard.includes('EHLO'))
    assert.ok(!heard.some((each) => each.startsWith('passed')))
  })

  for (const [circumstance, write] of Object.entries<(wire: Wire) => void>({
    "Haraka's stream": (wire) => wire.write('EHLO relay\r\n'),
    'the TLS socket': (wire) => wire.cleartext?.write('EHLO relay\r\n'),
    'the connection': (wire) => wire.raw.write('EHLO relay\r\n'),
  })) {
    test(`is interrupted by a write to ${circumstance}: refused, nothing is sent`, async () => {
      const { wire, heard, second, settled } = held()
      const before = [...wire.sent]
      write(wire)
      second.resolve(MATCH)
      await settled()
      assert.match(heard[0] ?? '', /^refused tls-disabled: not sent: EHLO \(12 octets\)/)
      assert.deepEqual([wire.sent, wire.sentInside], [before, []])
      assert.ok(!heard.some((each) => each.startsWith('passed')))
    })
  }

  test('exceeds the session deadline: the first reason is kept', async () => {
    const { wire, heard } = held(20)
    await new Promise((resolve) => setTimeout(resolve, 100))
    assert.equal(heard[0], 'refused certificate-mismatch: the first')
    assert.ok(wire.isDestroyed)
  })

  for (const event of ['close', 'error'] as const) {
    test(`is interrupted as the connection breaks (${event}): the first reason is kept, even if a match follows`, async () => {
      const { wire, heard, second, settled } = held()
      wire.emit(event, new Error('reset'))
      second.resolve(MATCH)
      await settled()
      wire.emit('secure')
      assert.equal(heard[0], 'refused certificate-mismatch: the first')
      assert.ok(!heard.some((each) => each.startsWith('passed') || each.startsWith('verified')))
    })
  }
})
