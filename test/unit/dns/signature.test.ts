import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseMessage } from '../../../src/dns/message.js'
import { reply, rr, TYPE } from '../../support/dns-message.js'

/** RFC 4034 §3.1: type covered, algorithm, labels, TTL, expiration, inception, key tag, signer, signature. */
function rrsig(covered: number, expiration: number, inception: number, cutAt = Infinity): Buffer {
  const rdata = Buffer.alloc(18 + 1 + 64)
  rdata.writeUInt16BE(covered, 0)
  rdata.writeUInt32BE(expiration, 8)
  rdata.writeUInt32BE(inception, 12)
  return rdata.subarray(0, cutAt)
}

function timesOf(...rdata: readonly Buffer[]): unknown {
  const answer = [
    rr.soa('example', 60),
    ...rdata.map((each) => ({ owner: 'example', type: TYPE.RRSIG, rdata: each })),
  ]
  return parseMessage(reply({ question: { name: 'example', type: TYPE.SOA }, answer }))
    ?.soaSignature
}

test('returns the times of the signature over the SOA', () => {
  const wanted = { from: 1_000_000_000_000, until: 4_000_000_000_000 }
  assert.deepEqual(timesOf(rrsig(TYPE.SOA, 4_000_000_000, 1_000_000_000)), wanted)
})

test('none for signatures over other types, or truncated ones', () => {
  assert.equal(timesOf(), undefined)
  assert.equal(timesOf(rrsig(TYPE.NS, 2, 1)), undefined)
  assert.equal(timesOf(rrsig(TYPE.SOA, 2, 1, 17)), undefined)
  assert.equal(timesOf(rrsig(TYPE.SOA, 2, 1, 0)), undefined)
  const second = timesOf(rrsig(TYPE.NS, 9, 8), rrsig(TYPE.SOA, 2, 1))
  assert.deepEqual(second, { from: 1_000, until: 2_000 })
})
