/** A short `npm run stress`: every message is accounted for while Haraka is killed. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { stress, stressText } from '../../lab/stress.js'

test('sixty destinations of every kind, and Haraka is killed twice', async (context) => {
  const result = await stress({ messages: 240, kills: 2, log: () => undefined })
  context.diagnostic(stressText(result))
  assert.deepEqual(result.complaints, [])
  assert.ok(result.tallies.every(({ accepted }) => accepted > 0))
})
