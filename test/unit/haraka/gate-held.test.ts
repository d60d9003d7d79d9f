/** What the gate does while it waits for a second look at DNS, with Haraka waiting too. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { openGate } from '../../../src/haraka/gate.js'
import type { Refused, Verdict } from '../../../src/verdict.js'
import { name } from '../../support/names.js'
import { Wire } from '../../support/wire.js'

const MISMATCH: Refused = { kind: 'refused', reason: 'certificate-mismatch', detail: 'the first' }
const MATCH: Verdict = {
  kind: 'authenticated',
  record: { usage: 3, selector: 1, matchingType: 1, data: Buffer.alloc(32) },
  depth: 0,
  name: undefined,
}

/** A gate that has judged the certificates once, against them, and looks again. */
function held() {
  const heard: string[] = []
  const second: { resolve: (verdict: Verdict) => void; reject: (error: Error) => void } = {
    resolve: () => undefined,
    reject: () => undefined,
  }
  let looks = 0
  const wire = new Wire()
  const settle = openGate(wire, {
    tlsaBase: name('mx.example.org'),
    judge: () => MISMATCH,
    judgeAgain: (_, first) => {
      assert.equal(first, MISMATCH)
      looks++
      return new Promise((resolve, reject) => Object.assign(second, { resolve, reject }))
    },
    onRefused: (reason, detail) => heard.push(`refused ${reason}: ${detail}`),
    onPassed: ({ kind }) => {
      heard.push(`passed ${kind}`)
      return 'verified'
    },
  })
  // Haraka's own: EHLO goes out at `secure`, replies are read at `data`.
  wire.on('secure', () => heard.push('EHLO'))
  wire.on('data', () => heard.push('data'))
  wire.on('error', (error: Error) => heard.push(`error ${error.message}`))
  settle()
  for (const reply of ['220 mx\r\n', '250 STARTTLS\r\n', '220 go\r\n']) {
    wire.emit('data', Buffer.from(reply))
  }
  heard.length = 0
  wire.upgrade({}, (isVerified) => heard.push(`verified ${String(isVerified)}`))
  wire.handshakeDone(false, new Error('self-signed'), {}, {})
  assert.equal(looks, 1)
  assert.equal(heard.length, 0)
  return { wire, heard, second, settled: () => new Promise((resolve) => setImmediate(resolve)) }
}

describe('a second look', () => {
  test('that finds a match: what was kept back goes on, verified', async () => {
    const { wire, heard, second, settled } = held()
    wire.emit('secure')
    assert.equal(heard.length, 0)
    second.resolve(MATCH)
    await settled()
    assert.deepEqual(heard, ['passed authenticated', 'verified true', 'EHLO'])
    assert.equal(wire.isSecure(), true)
  })

  test('that is done before the stream is: EHLO is not sent early, nor twice', async () => {
    const { wire, heard, second, settled } = held()
    second.resolve(MATCH)
    await settled()
    assert.deepEqual(heard, ['passed authenticated', 'verified true'])
    wire.emit('secure')
    assert.equal(heard.filter((each) => each === 'EHLO').length, 1)
  })

  test('that finds the same: refused, and EHLO is never sent', async () => {
    const { wire, heard, second, settled } = held()
    wire.emit('secure')
    second.resolve({ ...MISMATCH, detail: 'the second' })
    await settled()
    wire.emit('secure')
    assert.deepEqual(heard.slice(0, 2), [
      'refused certificate-mismatch: the second',
      'error DANE: certificate-mismatch: the second',
    ])
    assert.ok(wire.isDestroyed)
    assert.equal(wire.isSecure(), false)
  })

  test('that fails: refused', async () => {
    const { wire, heard, second, settled } = held()
    second.reject(new Error('a bug'))
    await settled()
    assert.equal(heard[0], 'refused internal-error: a bug')
    assert.ok(wire.isDestroyed)
  })

  test('while the server speaks out of turn: refused, and Haraka reads none of it', async () => {
    const { wire, heard, second, settled } = held()
    wire.emit('data', Buffer.from('250 injected\r\n'))
    second.resolve(MATCH)
    await settled()
    assert.match(heard[0] ?? '', /^refused protocol-violation/)
    assert.ok(!heard.includes('data') && !heard.includes('EHLO'))
    assert.ok(!heard.some((each) => each.startsWith('passed')))
  })

  for (const event of ['close', 'error'] as const) {
    test(`while the connection breaks (${event}): the first reason is kept, and no match helps`, async () => {
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
