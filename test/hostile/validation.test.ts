/**
 * Zones whose owners mean harm: what a lookup in them costs.
 *
 * Printed for each: the longest turn of the event loop in CPU time, all of it, and the
 * questions asked. The bar is 50 ms a turn.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { HOSTILE_ZONES } from '../../lab/signed-world/hostile.js'
import { longestTurn } from '../../lab/signed-world/loop-turns.js'
import { startForgery } from '../../lab/signed-world/forged.js'
import { anchorsOf, lookupAt, validatorOn } from '../../lab/signed-world/ours.js'
import { BUDGET } from '../../src/validate/budget.js'

const MOST_MS = 50

describe('[DNSSEC-77] a zone of an attacker costs a bounded number of questions, and no long turn', () => {
  for (const { what, prepare } of HOSTILE_ZONES) {
    test(what, async (context) => {
      const forgery = startForgery()
      const question = prepare(forgery)
      const anchors = anchorsOf(forgery.anchorDs)
      const { result, turn, totalMs } = await longestTurn(() =>
        lookupAt(validatorOn(forgery.fetch, anchors), question),
      )
      const said = result.kind === 'failed' ? `${result.cause}: ${result.detail}` : result.kind
      context.diagnostic(
        `longest turn ${turn.cpuMs.toFixed(1)} ms, in all ${totalMs.toFixed(1)} ms, ${forgery.asked()} questions; ${said}`,
      )
      assert.notEqual(result.kind === 'failed' ? 'failed' : result.security, 'secure')
      assert.ok(turn.cpuMs < MOST_MS, `a turn of ${turn.cpuMs} ms`)
      assert.ok(forgery.asked() <= BUDGET.questions, `${forgery.asked()} questions`)
    })
  }
})
