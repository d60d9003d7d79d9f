/** Servers that say what no Redis says: the process lives, and the answer leads to DNS. */
import assert from 'node:assert/strict'
import { connect, createServer } from 'node:net'
import type { Socket } from 'node:net'
import { Writable } from 'node:stream'
import { test } from 'node:test'
import { until } from '../../lab/child.js'
import { startRedis } from '../../lab/redis.js'
import { gather, openRedis } from '../../src/cache/redis-client.js'
import { openSharedStore } from '../../src/assemble.js'
import type { LookupEvent } from '../../src/lookup.js'
import { parseSettings } from '../../src/settings.js'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { name } from '../support/names.js'

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

test('what is said in one turn goes out together, and no more than some of it is held', async () => {
  const writes: number[] = []
  let total = 0
  const stream = new Writable({
    highWaterMark: 1024 * 1024,
    writev(chunks, done) {
      writes.push(chunks.length)
      total += chunks.length
      done()
    },
  })
  const say = (octets: number): void => {
    gather(stream)
    stream.write(Buffer.alloc(octets))
  }
  for (let i = 0; i < 3; i++) say(10)
  assert.deepEqual(writes, [])
  await new Promise(setImmediate)
  assert.deepEqual(writes, [3])
  for (let i = 0; i < 100; i++) say(1024)
  assert.ok(writes.length > 4, `${writes.length - 1} writes before the turn is over`)
  await new Promise(setImmediate)
  assert.equal(total, 103)
  assert.equal(stream.writableCorked, 0)
})

test('a process that is busy in the turn of its command takes no Redis for lost', async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'dane-redis-'))
  const redis = await startRedis(folder)
  // A millisecond away, as on another machine.
  const away = createServer((client) => {
    const server = connect(redis.port, '127.0.0.1')
    client.on('data', (bytes) => server.write(bytes)).on('error', () => undefined)
    client.on('close', () => server.destroy())
    server.on('data', (bytes) => setTimeout(() => client.write(bytes), 1))
    server.on('error', () => undefined).on('close', () => client.destroy())
  })
  await new Promise<void>((resolve) => away.listen(0, '127.0.0.1', resolve))
  const address = away.address()
  assert.ok(typeof address === 'object' && address)
  const settings = parseSettings(`[redis]\nurl = redis://127.0.0.1:${address.port}`)
  assert.ok(settings.redis)
  const news: LookupEvent[] = []
  const { store, client } = openSharedStore(settings.redis, settings, (event) => news.push(event))
  try {
    await client.started
    for (let i = 0; i < 3; i++) {
      const getting = store.get(name('mx.example'), 'A')
      const until = Date.now() + settings.redis.timeoutMs * 1.5
      while (Date.now() < until);
      assert.equal(await getting, undefined)
    }
    assert.deepEqual(news, [])
  } finally {
    client.close()
    away.close()
    await redis.child.stop()
    rmSync(folder, { recursive: true })
  }
})
