/** A process that counts is killed at random moments: nothing counts twice, at most a second is lost. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { ROOT } from '../../lab/root.js'
import { createFileStore } from '../../src/tlsrpt/file-store.js'

const WRITER = path.join(ROOT, 'build/test/support/tlsrpt-writer.js')
const KILLS = 20
/** Milliseconds: the flush interval, and what a busy machine adds to it. */
const LOST_MS = 2_500

test('SIGKILL at 20 random moments', { timeout: 240_000 }, async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'tlsrpt-kills-'))
  try {
    let least = 0
    let most = 0
    for (let round = 0; round < KILLS; round++) {
      const lines = await runAndKill(folder, 1_200 + Math.random() * 2_000)
      const [lastAt = 0, counted = 0] = lines.at(-1) ?? []
      // What was counted a while before the end has had its second.
      least += lines.findLast(([at]) => at < lastAt - LOST_MS)?.[1] ?? 0
      most += counted
      // The last line of a process may have been cut off with it.
      most += 50
    }
    const store = createFileStore({
      folder: path.join(folder, 'tlsrpt'),
      writer: 'reader',
      now: () => Date.now(),
    })
    let sum = 0
    for (const day of await store.days()) {
      for (const domain of await store.domains(day)) {
        for (const { successful, failed } of (await store.read({ day, domain }))?.policies ?? []) {
          sum += successful + failed
        }
      }
    }
    assert.ok(sum > 0)
    assert.ok(sum >= least, `${sum} of at least ${least}`)
    assert.ok(sum <= most, `${sum} of at most ${most}`)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})

/** When it had counted how many. */
async function runAndKill(
  folder: string,
  milliseconds: number,
): Promise<readonly (readonly [number, number])[]> {
  const child = spawn(process.execPath, [WRITER, folder], { stdio: ['ignore', 'pipe', 'inherit'] })
  let text = ''
  child.stdout.setEncoding('utf8').on('data', (some: string) => {
    text += some
    // From its first line on: a busy machine is slow to start one.
    if (text.length === some.length) setTimeout(() => child.kill('SIGKILL'), milliseconds)
  })
  await new Promise((resolve) => child.on('close', resolve))
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => {
      const [at = 0, counted = 0] = line.split(' ').map(Number)
      return [at, counted]
    })
}
