/** docs/guards.md against lab/guards.txt, and that against the sources. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { ROOT } from '../../lab/root.js'

test('every guard stands where it is said to, and some test misses it or something else replaces it', () => {
  const { status, stderr } = spawnSync(process.execPath, ['lab/mutations.mjs', '--check'], {
    cwd: ROOT,
    encoding: 'utf8',
  })
  assert.equal(stderr, '')
  assert.equal(status, 0)
})
