/** Servers with replies that no Redis sends: the process survives, and lookups go to DNS. */
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
import { parseSettings } from '../../src/settings/settings.js'
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
  ['an unsolicited null', '$-1\r\n'],
  ['a null list', '*-1\r\n'],
  ['the null of RESP3', '_\r\n'],
  ['an empty push', '>1\r\n$-1\r\n'],
  ['a subscription without a name', '>2\r\n+subscribe\r\n$-1\r\n'],
  ['an unsolicited error', '-ERR no\r\n'],
  ['not RESP at all', 'HTTP/1.1 400 Bad Request\r\n\r\n'],
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
      await client.read('x', 100).catch(() => undefined)
    } finally {
      client.close()
      for (const socket of sockets) socket.destroy()
      server.close()
    }
  })
}

/** Replies of a Sentinel or a Cluster node that is asked for others. */
const MISLEADING = [
  ['nothing', '*-1\r\n'],
  ['an empty list', '*0\r\n'],
  ['a number', ':7\r\n'],
  ['an error', '-ERR no\r\n'],
  ['empty lists', '*2\r\n*-1\r\n*-1\r\n'],
  ['no address', '*2\r\n$-1\r\n$-1\r\n'],
  ['an invalid port', '*2\r\n$9\r\n127.0.0.1\r\n$6\r\n999999\r\n'],
  ['an invalid host', '*2\r\n$5\r\na\r\nb\0\r\n$4\r\n6379\r\n'],
  ['slots without a node', '*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n$-1\r\n:-1\r\n'],
  ['an endless range of slots', '*1\r\n*3\r\n:0\r\n:99999999\r\n*2\r\n$9\r\n127.0.0.1\r\n:1\r\n'],
  ['slots that are not numbers', '*1\r\n*3\r\n+a\r\n+b\r\n+c\r\n'],
  ['MOVED without an address', '-MOVED 1 \r\n'],
] as const

for (const [circumstance, reply] of MISLEADING) {
  for (const place of ['sentinel', 'cluster']) {
    test(`${place} says ${circumstance}: the process survives, and a lookup goes to DNS`, async () => {
      const sockets = new Set<Socket>()
      const server = createServer((socket) => {
        sockets.add(socket)
        socket.on('error', () => undefined)
        socket.on('data', (bytes) => {
          const commands = bytes.toString('latin1').match(/^\*\d/gm)?.length ?? 0
          socket.write(reply.repeat(commands))
        })
      })
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
      const address = server.address()
      assert.ok(typeof address === 'object' && address)
      const settings = parseSettings(`[redis]\n${place}[] = 127.0.0.1:${address.port}`)
      assert.ok(settings.redis)
      const { store, close } = openSharedStore(
        settings.redis,
        settings,
        () => undefined,
        () => undefined,
      )
      try {
        for (let i = 0; i < 3; i++) {
          assert.equal(await store.find(name('mx.example'), 'A'), undefined)
          await new Promise((resolve) => setTimeout(resolve, 150))
        }
      } finally {
        close()
        for (const socket of sockets) socket.destroy()
        server.close()
      }
    })
  }
}

type Words = readonly string[]

/** Answers whole commands; what it says is up to the test. */
async function startFake(
  answer: (words: Words, port: number) => string,
): Promise<{ readonly port: number; readonly stop: () => void }> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    socket.on('data', (bytes) => {
      const commands = bytes.toString('latin1').match(/\*\d+\r\n(?:\$\d+\r\n[^\r]*\r\n)+/g) ?? []
      for (const command of commands) {
        const words = command.split('\r\n').filter((_, index) => index > 0 && index % 2 === 0)
        socket.write(answer(words, port))
      }
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  assert.ok(typeof address === 'object' && address)
  const { port } = address
  return {
    port,
    stop: () => {
      for (const socket of sockets) socket.destroy()
      server.close()
    },
  }
}

const bulk = (text: string): string => `$${text.length}\r\n${text}\r\n`

const SELF = 'PORT'
/** What a node that owns all slots may reply to a command. `PORT` is its own port. */
const FROM_A_NODE = [
  ['a redirection without slot and address', '-ASK\r\n'],
  ['a redirection without an address', '-ASK 1\r\n'],
  ['a redirection to an empty address', '-ASK 1 \r\n'],
  ['a redirection to a host without a port', '-ASK 1 nowhere\r\n'],
  ['a redirection to an impossible port', '-ASK 1 127.0.0.1:999999\r\n'],
  ['a redirection to a port that is a word', '-ASK 1 127.0.0.1:redis\r\n'],
  ['a redirection to a closed port', '-ASK 1 127.0.0.1:1\r\n'],
  ['a redirection of a slot that is a word', '-ASK x 127.0.0.1:1\r\n'],
  ['a redirection to itself', `-ASK 1 127.0.0.1:${SELF}\r\n`],
  ['a move without an address', '-MOVED 1\r\n'],
  ['a move to a host without a port', '-MOVED 1 nowhere\r\n'],
  ['a move to an impossible port', '-MOVED 1 127.0.0.1:999999\r\n'],
  ['a move to a closed port', '-MOVED 1 127.0.0.1:1\r\n'],
  ['a move to itself', `-MOVED 1 127.0.0.1:${SELF}\r\n`],
  ['that it should be tried again', '-TRYAGAIN\r\n'],
  ['that the Cluster is down', '-CLUSTERDOWN\r\n'],
  ['an empty error', '-\r\n'],
  ['a null', '$-1\r\n'],
  ['a null list', '*-1\r\n'],
  ['the null of another protocol', '_\r\n'],
  ['a list of nulls', '*2\r\n$-1\r\n$-1\r\n'],
] as const

const owner = (port: number): string =>
  `*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n$9\r\n127.0.0.1\r\n:${port}\r\n`

for (const isEverything of [false, true]) {
  for (const [circumstance, reply] of FROM_A_NODE) {
    const when = isEverything ? 'to all but CLUSTER SLOTS' : 'to commands'
    test(`a node of a Cluster replies with ${circumstance} ${when}: the process lives, and lookups end in DNS`, async () => {
      const node = await startFake((words, port) => {
        const said = words.slice(0, 2).join(' ').toLowerCase()
        if (said === 'cluster slots') return owner(port)
        if (!isEverything) {
          if (said === 'cluster info') return bulk('cluster_state:ok\r\n')
          if (said === 'info') return bulk('loading:0\r\n')
          if (/^(client|select|readonly|hello)/.test(said)) return '+OK\r\n'
        }
        return reply.replace(SELF, String(port))
      })
      const settings = parseSettings(`[redis]\ncluster[] = 127.0.0.1:${node.port}`)
      assert.ok(settings.redis)
      const { store, close } = openSharedStore(
        settings.redis,
        settings,
        () => undefined,
        () => undefined,
      )
      try {
        for (let i = 0; i < 4; i++) {
          assert.equal(await store.find(name('mx.example'), 'A'), undefined)
          await new Promise((resolve) => setTimeout(resolve, 300))
        }
      } finally {
        close()
        node.stop()
      }
    })
  }
}

for (const [circumstance, place] of [
  ['an impossible port', ['127.0.0.1', '999999']],
  ['a port that is a word', ['127.0.0.1', 'redis']],
  ['a host that is none', ['a\0b', '6379']],
] as const) {
  test(`a Sentinel names ${circumstance} for a while: Redis is used when it names the master again`, async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'dane-redis-'))
    const redis = await startRedis(folder)
    let isLying = true
    const sentinel = await startFake((words) => {
      if (words[0]?.toLowerCase() !== 'sentinel') return '+OK\r\n'
      if (words[1]?.toLowerCase() !== 'get-master-addr-by-name') return '*0\r\n'
      const [host, port] = isLying ? place : ['127.0.0.1', String(redis.port)]
      return `*2\r\n${bulk(host)}${bulk(port)}`
    })
    const settings = parseSettings(`[redis]\nsentinel[] = 127.0.0.1:${sentinel.port}`)
    assert.ok(settings.redis)
    const news: (string | undefined)[] = []
    const client = openRedis(settings.redis, undefined, (fault) => news.push(fault))
    try {
      await until('a fault', () => news.length > 0)
      assert.notEqual(news[0], undefined)
      isLying = false
      await until('Redis', () => news.includes(undefined), { timeoutMs: 15_000 })
      assert.equal(await client.left('absent'), -2)
    } finally {
      client.close()
      sentinel.stop()
      await redis.child.stop()
      rmSync(folder, { recursive: true })
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
    assert.equal((await client.read('huge', 1_000))?.text.length, 1_000)
    assert.equal(await client.read('absent', 1_000), undefined)
  } finally {
    client.close()
    await redis.child.stop()
    rmSync(folder, { recursive: true })
  }
})

test('commands of one turn are sent together, and the queue is bounded', async () => {
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

test('a process that is busy in the turn of its command does not consider Redis lost', async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'dane-redis-'))
  const redis = await startRedis(folder)
  // A millisecond of latency, as on another machine.
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
  const { store, client, close } = openSharedStore(
    settings.redis,
    settings,
    (event) => news.push(event),
    () => undefined,
  )
  try {
    await client.started
    await store.look()
    for (const label of ['a', 'b', 'c']) {
      const getting = store.find(name(`${label}.example`), 'A')
      const until = Date.now() + settings.redis.timeoutMs * 1.5
      while (Date.now() < until);
      assert.equal(await getting, undefined)
    }
    assert.deepEqual(news, [])
  } finally {
    close()
    away.close()
    await redis.child.stop()
    rmSync(folder, { recursive: true })
  }
})
