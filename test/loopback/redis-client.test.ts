/** Servers that say what no Redis says: the process lives, and the answer leads to DNS. */
import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import type { Socket } from 'node:net'
import { test } from 'node:test'
import { until } from '../../lab/child.js'
import { startRedis } from '../../lab/redis.js'
import { openRedis } from '../../src/cache/redis-client.js'
import { parseSettings } from '../../src/settings.js'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'

function open(port: number, noteConnection: (fault: string | undefined) => void) {
  const { redis } = parseSettings(`[redis]\nurl = redis://127.0.0.1:${port}`)
  assert.ok(redis)
  return openRedis(redis, undefined, noteConnection)
}

for (const [circumstance, reply] of [
  ['a null that nobody asked for', '$-1\r\n'],
  ['a null list', '*-1\r\n'],
  ['the null of another protocol', '_\r\n'],
  ['a push of nothing', '>1\r\n$-1\r\n'],
  ['a subscription without a name', '>2\r\n+subscribe\r\n$-1\r\n'],
  ['an error that nobody asked for', '-ERR no\r\n'],
  ['no protocol at all', 'HTTP/1.1 400 Bad Request\r\n\r\n'],
] as const) {
  test(`${circumstance}: the connection is lost, not the process`, async () => {
    const sockets = new Set<Socket>()
    const server = createServer((socket) => {
      sockets.add(socket)
      socket.on('error', () => undefined)
      socket.on('data', (bytes) => {
        const commands = bytes.toString('latin1').match(/^\*\d/gm)?.length ?? 0
        socket.write('+OK\r\n'.repeat(commands) + reply)
      })
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const address = server.address()
    assert.ok(typeof address === 'object' && address)
    const faults: string[] = []
    const client = open(address.port, (fault) => {
      if (fault !== undefined) faults.push(fault)
    })
    try {
      await until('the fault', () => faults.length > 0)
      await client.get('x').catch(() => undefined)
    } finally {
      client.close()
      for (const socket of sockets) socket.destroy()
      server.close()
    }
  })
}

test('a value of many megabytes is not fetched', async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'dane-redis-'))
  const redis = await startRedis(folder)
  const client = open(redis.port, () => undefined)
  try {
    await client.started
    await redis.cli('setrange', 'huge', String(64 * 1024 * 1024), 'x')
    assert.ok(((await client.get('huge')) ?? '').length < 1024 * 1024)
    assert.equal(await client.get('absent'), null)
  } finally {
    client.close()
    await redis.child.stop()
    rmSync(folder, { recursive: true })
  }
})
