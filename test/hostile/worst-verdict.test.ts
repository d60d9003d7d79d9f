/**
 * The cost of the worst records and certificates that a server and its zone can send,
 * each seen for the first time. The goal is 50 ms of CPU time for a verdict and for
 * parsing a TLSA RRset. The cost is printed and not asserted, since even CPU time grows
 * on a busy machine; the assertion is far above it and fails only if work is unbounded.
 */
import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { NOON } from '../../lab/certificates.js'
import { filterTlsa } from '../../src/tlsa.js'
import type { PeerChain } from '../../src/verdict.js'
import { verify, verifyLeaf } from '../../src/verify/verify.js'
import { ATTACKS } from '../support/attacks.js'
import { expectation, published, word } from '../support/chains.js'
import { cpuMilliseconds } from '../support/cost.js'

const BAR_MS = 50
/** One key that must not reach OpenSSL costs 250 ms, and each of these attacks has many. */
const CEILING_MS = 1000
/** The minimum of this many runs is reported: load adds to each, and compilation to the first. */
const RUNS = 4
/** `SSL_MAX_CERT_LIST_DEFAULT`, with three octets of length before each certificate. */
const TLS_OCTETS = 100 * 1024
/** A DNS message, with twelve octets before each record. */
const DNS_OCTETS = 65_535 - 100

let worst = 0

describe('the work of a verdict is bounded [DERIVED-chain-c]', () => {
  for (const [circumstance, attack] of Object.entries(ATTACKS)) {
    test(circumstance, (context) => {
      let reading = Infinity
      let judging = Infinity
      let found = ''
      for (let run = 0; run < RUNS; run++) {
        const [records, [first, ...others]] = attack()
        const chain: PeerChain = [first.der, ...others.map(({ der }) => der)]
        const rdata = records.map(published)
        assert.ok(chain.reduce((sum, { length }) => sum + length + 3, 0) <= TLS_OCTETS, 'TLS')
        assert.ok(rdata.reduce((sum, each) => sum + each.rdata.length + 12, 0) <= DNS_OCTETS, 'DNS')
        reading = Math.min(
          reading,
          cpuMilliseconds(() => filterTlsa(rdata)),
        )
        const wanted = expectation(records)
        judging = Math.min(
          judging,
          cpuMilliseconds(() => {
            // As in the gate: the leaf alone first.
            verifyLeaf(wanted, first.der)
            found = word(verify(wanted, chain, NOON.getTime()))
          }),
        )
      }
      context.diagnostic(`${judging.toFixed(1)} ms: ${found}; TLSA set ${reading.toFixed(1)} ms`)
      worst = Math.max(worst, judging)
      assert.ok(judging < CEILING_MS, `${judging} ms for a verdict`)
      assert.ok(reading < CEILING_MS, `${reading} ms for a TLSA set`)
    })
  }

  after(() => {
    const standing = worst < BAR_MS ? 'met' : 'MISSED'
    console.log(`# worst verdict: ${worst.toFixed(1)} ms (bar ${BAR_MS} ms: ${standing})`)
  })
})
