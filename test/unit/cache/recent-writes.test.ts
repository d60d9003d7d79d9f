/** How long the keys that a process has written are remembered. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createRecentWrites } from '../../../src/cache/recent-writes.js'

test('a key is remembered until the token was read twice without a change', () => {
  const recent = createRecentWrites()
  recent.note('one')
  recent.settle()
  recent.note('two')
  recent.note('two')
  assert.deepEqual(recent.take(), ['one', 'two'])
  assert.deepEqual(recent.take(), [])
  recent.note('three')
  recent.settle()
  recent.settle()
  assert.deepEqual(recent.take(), [])
})

test('no more than ten thousand between two reads', () => {
  const recent = createRecentWrites()
  for (let i = 0; i < 10_001; i++) recent.note(String(i))
  assert.equal(recent.take().length, 10_000)
})
