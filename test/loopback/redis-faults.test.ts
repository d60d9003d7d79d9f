/** What happens to mail when Redis fails while it flows. */
import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import type { Socket } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { until } from '../../lab/child.js'
import type { Haraka } from '../../lab/haraka.js'
import { startCluster, startRedis, startSentinels } from '../../lab/redis.js'
import type { RedisServer } from '../../lab/redis.js'
import { BURST, burst, count, domainOf, hostOf, startSharing } from '../support/sharing.js'
import type { Sharing } from '../support/sharing.js'

let sharing: Sharing
before(async () => {
  sharing = await startSharing({ many: { isWild: true } })
})
after(() => sharing.laboratory.stop())

describe(`Redis fails during a burst of ${BURST} messages`, () => {
  async function withFault(
    work: (relay: Haraka, server: RedisServer) => Promise<void>,
  ): Promise<void> {
    const server = await startRedis(sharing.laboratory.folder)
    const relay = await sharing.startRelay({
      // 100 ms pass quickly on a busy machine, and lines about Redis are counted here.
      redisLines: [`url = redis://127.0.0.1:${server.port}`, 'timeout = 1s'],
    })
    try {
      await work(relay, server)
    } finally {
      await relay.stop()
      await server.child.stop()
    }
  }

  test('killed, and started again', async (context) => {
    await withFault(async (relay, server) => {
      await burst(context, sharing, relay, 'killed', async () => {
        server.child.signal('SIGKILL')
        await server.child.exited
      })
      assert.equal(count(relay, 'Redis is unavailable'), 1)
      const again = await startRedis(sharing.laboratory.folder, { port: server.port })
      context.after(() => again.child.stop())
      await until('its return', () => count(relay, 'Redis is available again') === 1, {
        timeoutMs: 60_000,
      })
      await burst(context, sharing, relay, 'restarted', undefined, 100)
      assert.ok(Number(await again.cli('dbsize')) > 50)
      assert.equal(count(relay, 'Redis is unavailable'), 1)
    })
  })

  test('stopped for ten seconds', async (context) => {
    await withFault(async (relay, server) => {
      await burst(context, sharing, relay, 'stopped', () => {
        server.child.signal('SIGSTOP')
        setTimeout(() => server.child.signal('SIGCONT'), 10_000)
        return Promise.resolve()
      })
      await until('its return', () => count(relay, 'Redis is available again') >= 1, {
        timeoutMs: 60_000,
      })
      assert.equal(count(relay, 'Redis is unavailable'), 1)
    })
  })

  test('full', async (context) => {
    await withFault(async (relay, server) => {
      await burst(context, sharing, relay, 'full', async () => {
        await server.cli('config', 'set', 'maxmemory-policy', 'noeviction')
        await server.cli('config', 'set', 'maxmemory', '1')
      })
      assert.equal(count(relay, 'Redis is not writable'), 1)
      assert.equal(count(relay, 'Redis is unavailable'), 0)
      await server.cli('config', 'set', 'maxmemory', '0')
      await burst(context, sharing, relay, 'roomy', undefined, 100)
      assert.equal(count(relay, 'Redis is writable again'), 1)
    })
  })

  test('garbage and wrong types under our keys', async (context) => {
    await withFault(async (relay, server) => {
      const owner = `_${sharing.laboratory.smtpPort}._tcp.${hostOf('many')}`
      await server.cli('set', `dane:2:TLSA:${owner}`, 'garbage')
      await server.cli('lpush', `dane:2:A:${hostOf('many')}`, 'not', 'a', 'string')
      for (let i = 0; i < BURST; i += 10) {
        await server.cli('set', `dane:2:MX:garbage-${i}.${domainOf('many')}`, '- ["secure"')
      }
      await burst(context, sharing, relay, 'garbage')
    })
  })

  test('flushed', async (context) => {
    await withFault(async (relay, server) => {
      await burst(context, sharing, relay, 'flushed', async () => {
        await server.cli('flushall')
      })
      assert.equal(count(relay, 'Redis is unavailable'), 0)
    })
  })

  test('read-only, as a replica', async (context) => {
    await withFault(async (relay, server) => {
      await burst(context, sharing, relay, 'replica', async () => {
        await server.cli('config', 'set', 'replica-serve-stale-data', 'yes')
        await server.cli('replicaof', '127.0.0.1', '1')
      })
      assert.equal(count(relay, 'READONLY'), 1)
    })
  })

  test('it accepts connections and never replies', async (context) => {
    const sockets = new Set<Socket>()
    const mute = createServer((socket) => {
      sockets.add(socket)
      socket.on('error', () => undefined)
    })
    await new Promise<void>((resolve) => mute.listen(0, '127.0.0.1', resolve))
    const address = mute.address()
    const port = typeof address === 'object' && address ? address.port : 0
    const relay = await sharing.startRelay({
      redisLines: [`host = 127.0.0.1`, `port = ${port}`],
    })
    context.after(async () => {
      await relay.stop()
      for (const socket of sockets) socket.destroy()
      mute.close()
    })
    await burst(context, sharing, relay, 'mute')
    assert.equal(count(relay, 'Redis is unavailable'), 1)
  })

  test('it was never reachable: Haraka starts, delivers and stops', async (context) => {
    const relay = await sharing.startRelay({
      redisLines: ['url = redis://127.0.0.1:1'],
    })
    await burst(context, sharing, relay, 'absent')
    assert.equal(count(relay, 'Redis is unavailable'), 1)
    await relay.stop()
    assert.equal(relay.child.isRunning(), false)
  })
})

describe('more than one machine', () => {
  test('a Cluster of three, one of them killed while mail flows', async (context) => {
    const cluster = await startCluster(sharing.laboratory.folder)
    context.after(cluster.stop)
    const relay = await sharing.startRelay({
      redisLines: cluster.nodes.map(({ port }) => `cluster[] = 127.0.0.1:${port}`),
    })
    await burst(context, sharing, relay, 'cluster')
    const sizes = await Promise.all(cluster.nodes.map(({ cli }) => cli('dbsize')))
    assert.ok(
      sizes.every((size) => Number(size) > BURST / 10),
      `facts on every node: ${sizes.join(' ')}`,
    )
    await burst(context, sharing, relay, 'broken-cluster', async () => {
      cluster.nodes[0]?.child.signal('SIGKILL')
      await cluster.nodes[0]?.child.exited
    })
  })

  test('a master that is lost to its Sentinels while mail flows', async (context) => {
    const { master, sentinelPorts, stop } = await startSentinels(sharing.laboratory.folder)
    context.after(stop)
    const relay = await sharing.startRelay({
      redisLines: sentinelPorts.map((port) => `sentinel[] = 127.0.0.1:${port}`),
    })
    await burst(context, sharing, relay, 'sentinel', async () => {
      master.child.signal('SIGKILL')
      await master.child.exited
    })
    await until('the new master', () => count(relay, 'Redis is available again') >= 1, {
      timeoutMs: 60_000,
    })
    await burst(context, sharing, relay, 'promoted', undefined, 100)
  })
})
