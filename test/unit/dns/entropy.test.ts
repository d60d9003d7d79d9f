/** Random bytes are handed out once each, however many are requested. */
import assert from 'node:assert/strict'
import { randomFillSync } from 'node:crypto'
import { describe, test } from 'node:test'
import { createEntropy } from '../../../src/dns/entropy.js'

/** Octets that count up, so that each is recognizable. */
function counting(): { readonly entropy: (octets: number) => Buffer; readonly fills: number[] } {
  const fills: number[] = []
  let next = 0
  const entropy = createEntropy((buffer) => {
    fills.push(buffer.length)
    for (let i = 0; i + 4 <= buffer.length; i += 4) buffer.writeUInt32BE(next++, i)
  })
  return { entropy, fills }
}

describe('entropy (RFC 5452 §9.2)', () => {
  test('no octet is handed out twice or overwritten later', () => {
    const { entropy, fills } = counting()
    const given = Array.from({ length: 10_000 }, () => entropy(4))
    const seen = new Set(given.map((each) => each.readUInt32BE(0)))
    assert.equal(seen.size, given.length)
    assert.ok(fills.length < 12, `${fills.length} fills`)
  })

  test('returns the requested number of octets, also more than a block', () => {
    const { entropy } = counting()
    for (const octets of [1, 2, 32, 4095, 4096, 5000, 2]) {
      assert.equal(entropy(octets).length, octets)
    }
  })

  test('if the generator fails, nothing is returned, nor any unfilled bytes', () => {
    let calls = 0
    const entropy = createEntropy((buffer) => {
      if (calls++ % 2 === 0) throw new Error('no entropy')
      buffer.fill(0xa5)
    })
    assert.throws(() => entropy(2), /no entropy/)
    assert.equal(entropy(2).toString('hex'), 'a5a5')
    entropy(4000)
    assert.throws(() => entropy(200), /no entropy/)
    assert.equal(entropy(200).toString('hex'), 'a5'.repeat(200))
  })

  test('ids from the system generator take all values', () => {
    const entropy = createEntropy(randomFillSync)
    const ids = new Set(Array.from({ length: 1_000_000 }, () => entropy(2).readUInt16BE(0)))
    // A million draws from 65,536 values miss one with a probability of 65,536 e^-15.
    assert.ok(ids.size > 65_500, `${ids.size} ids`)
  })
})
