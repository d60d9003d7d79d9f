/**
 * The ports that the laboratory gives to its servers.
 */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { freePort } from '../../lab/free-port.js'
import { ROOT } from '../../lab/root.js'

const PICK = `
const { freePort } = require(${JSON.stringify(path.join(ROOT, 'build/lab/free-port.js'))})
const picks = Array.from({ length: 150 }, () => freePort())
Promise.all(picks).then((ports) => {
  process.stdout.write(ports.join(' '), () => process.kill(process.pid, process.argv[1]))
})`

async function picked(signal: NodeJS.Signals): Promise<readonly number[]> {
  const run = promisify(execFile)(process.execPath, ['-e', PICK, signal])
  const { stdout } = await run.catch((error: unknown) => {
    // Ended by the signal, as told.
    if (error instanceof Error && 'stdout' in error) return { stdout: String(error.stdout) }
    throw error
  })
  return stdout.split(' ').map(Number)
}

test('processes that pick ports at once, and are killed', { timeout: 60_000 }, async () => {
  const own = await Promise.all(Array.from({ length: 150 }, () => freePort()))
  const [first, second] = await Promise.all([picked('SIGKILL'), picked('SIGKILL')])
  assert.equal(first.length + second.length, 300)
  const [low = 0] = readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8')
    .split(/\s+/)
    .map(Number)
  for (const port of [...own, ...first, ...second]) assert.ok(port > 1024 && port < low)
  // Each process against this one, whose reservations hold throughout.
  for (const port of [...first, ...second]) assert.ok(!own.includes(port))
})

test('a second process is not given a port that the first has', { timeout: 60_000 }, async () => {
  assert.equal(new Set(await Promise.all(Array.from({ length: 300 }, () => freePort()))).size, 300)
})
