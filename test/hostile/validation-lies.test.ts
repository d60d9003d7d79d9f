/** What a zone can sign that is not true, or not its to say: none of it is believed. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { damageReplies } from '../../lab/signed-world/damage.js'
import { startForgery } from '../../lab/signed-world/forged.js'
import { LIES, TRUTHS } from '../../lab/signed-world/lies.js'
import type { Lie } from '../../lab/signed-world/lies.js'
import { anchorsOf, lookupAt, statusOf, validatorOn } from '../../lab/signed-world/ours.js'
import { randomFrom } from '../../lab/signed-world/random.js'
import type { Lookup } from '../../src/lookup.js'

function look({ prepare }: Lie): Promise<Lookup> {
  const forgery = startForgery()
  const question = prepare(forgery)
  return lookupAt(validatorOn(forgery.fetch, anchorsOf(forgery.anchorDs)), question)
}

describe('true', () => {
  for (const truth of TRUTHS) {
    test(truth.what, async () => {
      const lookup = await look(truth)
      const detail = lookup.kind === 'failed' ? lookup.detail : ''
      assert.equal(statusOf(lookup), truth.status, detail)
    })
  }
})

describe('a lie', () => {
  for (const lie of LIES) {
    test(lie.what, async () => {
      const lookup = await look(lie)
      assert.equal(lookup.kind, 'failed', statusOf(lookup))
    })
  }
})

describe('[DNSSEC-79] damaged replies: no exception, no hang, nothing believed', () => {
  for (const { what, prepare } of TRUTHS) {
    test(what, async (context) => {
      const forgery = startForgery()
      const question = prepare(forgery)
      const { anchorDs, fetch } = forgery
      const count = Math.ceil(20_000 / TRUTHS.length)
      const result = await damageReplies(anchorDs, fetch, [question], count, randomFrom(1))
      context.diagnostic(JSON.stringify(result.statuses))
      assert.deepEqual(result.threw, [])
      assert.deepEqual(result.hung, [])
      assert.deepEqual(result.believed, [])
    })
  }
})
