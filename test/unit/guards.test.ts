/** docs/dev/guards.md against scripts/guards.txt, and that against the sources. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { ROOT } from '../../lab/root.js'

test('every guard is at its documented place, and a failing test or another guard is named for it', () => {
  const { status, stderr } = spawnSync(process.execPath, ['scripts/mutations.mjs', '--check'], {
    cwd: ROOT,
    encoding: 'utf8',
  })
  assert.equal(stderr, '')
  assert.equal(status, 0)
})
