import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createPatience, QUICK_MS, REST_MS } from '../../../src/cache/patience.js'

function account() {
  let now = 1_000_000
  return {
    ...createPatience(2_000, () => now),
    pass: (milliseconds: number) => (now += milliseconds),
  }
}

test('short waits use nothing up', () => {
  const { left, spend } = account()
  for (let i = 0; i < 1_000; i++) spend(QUICK_MS)
  assert.equal(left(), 2_000)
})

test('all waits together last no longer than one wait may', () => {
  const { left, spend } = account()
  spend(QUICK_MS + 1_500)
  assert.equal(left(), 500)
  spend(QUICK_MS + 1_500)
  assert.equal(left(), 0)
})

test('after a wait in vain there is no waiting for a while, then the full time again', () => {
  const { left, exhaust, pass } = account()
  exhaust()
  assert.equal(left(), 0)
  pass(REST_MS - 1)
  assert.equal(left(), 0)
  pass(1)
  assert.equal(left(), 2_000)
})

test('the full time is available again some time after the last wait, not after the first', () => {
  const { left, spend, pass } = account()
  spend(QUICK_MS + 1_000)
  pass(REST_MS - 1)
  spend(QUICK_MS + 500)
  pass(1)
  assert.equal(left(), 500)
})
