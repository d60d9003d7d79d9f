/** Data that others write into a shared Redis, and entries left by a resolver that lied. */
import assert from 'node:assert/strict'
import path from 'node:path'
import { after, before, describe, test } from 'node:test'
import { startChild, until } from '../../lab/child.js'
import type { Haraka } from '../../lab/haraka.js'
import { questionsAt } from '../../lab/name-servers.js'
import { startRedis } from '../../lab/redis.js'
import type { RedisServer } from '../../lab/redis.js'
import { ROOT } from '../../lab/root.js'
import { startForwarder } from '../support/forwarder.js'
import type { Mood } from '../support/forwarder.js'
import { count, domainOf, hostOf, startSharing } from '../support/sharing.js'
import type { Sharing } from '../support/sharing.js'

const COMMAND = path.join(ROOT, 'build/relay/node_modules/.bin/haraka-dane')
const KEY = 'key = not to be guessed, ever'

let sharing: Sharing
before(async () => {
  sharing = await startSharing({ good: {}, other: {}, third: {}, brief: { ttl: 10 } })
})
after(() => sharing.laboratory.stop())

const ownerOf = (label: string): string => `_${sharing.laboratory.smtpPort}._tcp.${hostOf(label)}`

/** Type and name of everything that a plan needs. */
const factsOf = (label: string): readonly string[] => [
  `MX:${domainOf(label)}`,
  `A:${hostOf(label)}`,
  `AAAA:${hostOf(label)}`,
  `TLSA:${ownerOf(label)}`,
]

/** A Redis per test. */
async function withRedis(
  work: (redis: RedisServer, lines: readonly string[]) => Promise<void>,
): Promise<void> {
  const redis = await startRedis(sharing.laboratory.folder)
  try {
    await work(redis, [`url = redis://127.0.0.1:${redis.port}`, 'timeout = 1s', KEY])
  } finally {
    await redis.child.stop()
  }
}

/** Whether the message was delivered to a host that DANE verified. */
async function isVerified(relay: Haraka, label: string): Promise<boolean> {
  const id = await relay.submit(`m@${domainOf(label)}`)
  assert.equal((await relay.outcomeOf(id)).kind, 'delivered')
  return relay.log(id).some((line) => line.includes(` for ${domainOf(label)}`))
}

const epochIn = async (redis: RedisServer): Promise<string> => {
  const [key = ''] = (await redis.cli('keys', '*epoch*')).trim().split('\n')
  return key === '' ? '' : (await redis.cli('get', key)).trim()
}

// A message that waited for each lease took 5.8 s and more, and so would every message. One
// may be slow because the machine is busy.
describe('forged leases', () => {
  /** Milliseconds until the message is delivered. */
  async function delivery(relay: Haraka, label: string): Promise<number> {
    const startedAt = Date.now()
    assert.ok(await isVerified(relay, label))
    return Date.now() - startedAt
  }
  /** All leases in one command, so that writing them takes little time. */
  const plant = async (redis: RedisServer, life: string): Promise<void> => {
    const claims = ['good', 'other', 'third'].flatMap(factsOf)
    const script = `for _, key in ipairs(KEYS) do redis.call('set', key, 'planted'${life}) end`
    const keys = [1, 2].flatMap((version) => claims.map((each) => `dane:${version}:claim:${each}`))
    await redis.cli('eval', script, String(keys.length), ...keys)
  }

  test('without expiry: no message waits', async () => {
    await withRedis(async (redis, redisLines) => {
      const relay = await sharing.startRelay({ redisLines })
      await plant(redis, '')
      const took: number[] = []
      for (const label of ['good', 'other', 'third']) took.push(await delivery(relay, label))
      assert.ok(Math.min(...took) < 4_500, `${took.join(', ')} ms`)
      await relay.stop()
    })
  })

  test('repeatedly, with a real lifetime: one wait in total, not one per fact and message', async () => {
    await withRedis(async (redis, redisLines) => {
      const relay = await sharing.startRelay({ redisLines })
      const over = new AbortController()
      const planting = (async () => {
        while (!over.signal.aborted) {
          await plant(redis, ", 'px', 2000")
          await new Promise((resolve) => setTimeout(resolve, 300))
        }
      })()
      try {
        await new Promise((resolve) => setTimeout(resolve, 500))
        const took: number[] = []
        for (const label of ['good', 'other', 'third']) took.push(await delivery(relay, label))
        assert.ok(Math.min(...took) < 4_500, `${took.join(', ')} ms`)
      } finally {
        over.abort()
        await planting
        await relay.stop()
      }
    })
  })
})

describe('a resolver lied, and is then found not to validate', () => {
  async function withLiar(
    work: (parts: {
      readonly redis: RedisServer
      readonly relay: Haraka
      readonly redisLines: readonly string[]
      readonly become: (mood: Mood) => void
    }) => Promise<void>,
  ): Promise<void> {
    const { port, become, stop } = await startForwarder(sharing.laboratory.names.unboundPort)
    try {
      await withRedis(async (redis, redisLines) => {
        const relay = await sharing.startRelay({
          resolverPort: port,
          // About the AD bit alone.
          resolverLines: ['validation = resolver', 'probe_interval = 1s'],
          redisLines,
        })
        try {
          await work({ redis, relay, redisLines, become })
        } finally {
          await relay.stop()
        }
      })
    } finally {
      stop()
    }
  }

  /** It lies and mail leaves without DANE; then it is detected; then it validates again. */
  async function lie(
    { relay, become }: { relay: Haraka; become: (mood: Mood) => void },
    meanwhile: () => Promise<void> = () => Promise.resolve(),
  ): Promise<void> {
    become('lying')
    assert.equal(await isVerified(relay, 'good'), false)
    await meanwhile()
    become('not-validating')
    await until('the resolver to be found out', () => count(relay, 'does not validate') >= 1, {
      timeoutMs: 60_000,
    })
  }

  async function recover({
    relay,
    become,
  }: {
    relay: Haraka
    become: (mood: Mood) => void
  }): Promise<void> {
    become('validating')
    await until(
      'the resolver to be used again',
      async () =>
        (await relay.submit(`probe@${domainOf('other')}`).then((id) => relay.outcomeOf(id)))
          .kind === 'delivered',
      { timeoutMs: 60_000 },
    )
  }

  test('its answers do not come back from Redis, and another relay stops using them too', async () => {
    await withLiar(async (parts) => {
      const { relay, redisLines } = parts
      const other = await sharing.startRelay({ redisLines })
      await lie(parts, async () => {
        assert.equal(await isVerified(other, 'good'), false, 'by what is shared')
      })
      await recover(parts)
      assert.ok(await isVerified(relay, 'good'))
      await until('the other relay', () => isVerified(other, 'good'), { timeoutMs: 12_000 })
      await other.stop()
    })
  })

  test('Redis hangs at that moment: its entries are not used here, and it gets the new epoch when it recovers', async () => {
    await withLiar(async (parts) => {
      const { redis, relay, redisLines } = parts
      const other = await sharing.startRelay({ redisLines })
      await lie(parts, async () => {
        assert.equal(await isVerified(other, 'good'), false, 'by what is shared')
        redis.child.signal('SIGSTOP')
      })
      await recover(parts)
      assert.ok(await isVerified(relay, 'good'), 'while Redis hangs')
      redis.child.signal('SIGCONT')
      await until('Redis to be back', () => count(relay, 'Redis is available again') >= 1, {
        timeoutMs: 60_000,
      })
      assert.ok(await isVerified(relay, 'good'), 'when it is back')
      await until('the other relay', () => isVerified(other, 'good'), { timeoutMs: 60_000 })
      const third = await sharing.startRelay({ redisLines })
      assert.ok(await isVerified(third, 'good'), 'one that starts later')
      await Promise.all([other.stop(), third.stop()])
    })
  })

  test('it fails repeatedly: the epoch is advanced once', async () => {
    await withLiar(async (parts) => {
      const { redis, relay, become } = parts
      await lie(parts)
      await until('the epoch', async () => (await epochIn(redis)) !== '')
      await recover(parts)
      const after = await epochIn(redis)
      for (let i = 0; i < 3; i++) {
        become('not-validating')
        const before = count(relay, 'does not validate')
        await until('it to be found out', () => count(relay, 'does not validate') > before, {
          timeoutMs: 60_000,
        })
        await recover(parts)
        assert.ok(await isVerified(relay, 'good'))
      }
      assert.equal(await epochIn(redis), after)
    })
  })
})

describe('two relays whose clocks differ', () => {
  for (const minutes of [-4, 4]) {
    const how = minutes > 0 ? 'ahead' : 'behind'
    test(`the clock of the writer is ${how}: the other uses the entry for its lifetime and no longer`, async () => {
      await withRedis(async (redis, redisLines) => {
        const { port, child } = await sharing.laboratory.names.startResolver({ isNoting: true })
        const setup = { resolverPort: port, redisLines }
        const writer = await sharing.startRelay({ ...setup, aheadMs: minutes * 60_000 })
        const reader = await sharing.startRelay(setup)
        assert.ok(await isVerified(writer, 'brief'))
        const told = questionsAt(child).length
        assert.ok(await isVerified(reader, 'brief'))
        assert.equal(questionsAt(child).length, told)
        // The absence of AAAA is cached by the SOA, not by the TTL of the records.
        await until('the entries to end', async () =>
          (await redis.cli('keys', '*brief*'))
            .trim()
            .split('\n')
            .every((key) => key.includes('AAAA')),
        )
        assert.ok(await isVerified(reader, 'brief'))
        assert.equal(questionsAt(child).length, told + 3)
        await Promise.all([writer.stop(), reader.stop()])
        await child.stop()
      })
    })
  }
})

describe('arbitrary values under our keys', () => {
  const plants: readonly (readonly [
    string,
    (redis: RedisServer, key: string) => Promise<unknown>,
  ])[] = [
    [
      'a list',
      async (redis, key) => {
        await redis.cli('del', key)
        return redis.cli('lpush', key, 'x')
      },
    ],
    ['a megabyte', (redis, key) => redis.cli('setrange', key, String(1024 * 1024), 'x')],
    ['nothing', (redis, key) => redis.cli('set', key, '')],
  ]
  for (const [what, plant] of plants) {
    test(`${what}, as entry, lease, epoch and token: mail is verified, and Redis does not count as lost`, async () => {
      await withRedis(async (redis, redisLines) => {
        const relay = await sharing.startRelay({ redisLines })
        assert.ok(await isVerified(relay, 'good'))
        const known = (await redis.cli('keys', '*')).trim().split('\n')
        const planted = [1, 2].flatMap((version) =>
          [...factsOf('other').flatMap((each) => [each, `claim:${each}`]), 'purge', 'epoch'].map(
            (each) => `dane:${version}:${each}`,
          ),
        )
        for (const key of [...known, ...planted]) await plant(redis, key)
        // The epoch is read every five seconds.
        await new Promise((resolve) => setTimeout(resolve, 6_000))
        assert.ok(await isVerified(relay, 'other'))
        assert.ok(await isVerified(relay, 'good'))
        assert.equal(count(relay, 'Redis is unavailable'), 0)
        assert.equal(count(relay, 'Redis is not writable'), 0)
        const fresh = await sharing.startRelay({ redisLines })
        assert.ok(await isVerified(fresh, 'other'))
        assert.ok(await isVerified(fresh, 'third'))
        assert.equal(count(fresh, 'Redis'), count(fresh, 'dane.ini'))
        await Promise.all([relay.stop(), fresh.stop()])
      })
    })
  }

  for (const [circumstance, lose] of [
    ['deleted', (redis: RedisServer, key: string) => redis.cli('del', key)],
    ['garbled', (redis: RedisServer, key: string) => redis.cli('set', key, 'garbage')],
    ['given an expiry', (redis: RedisServer, key: string) => redis.cli('pexpire', key, '10')],
  ] as const) {
    test(`the epoch is ${circumstance}: it is restored, and stored entries are still used`, async () => {
      await withRedis(async (redis, redisLines) => {
        const { names } = sharing.laboratory
        const { port, child } = await names.startResolver({ isNoting: true })
        const relay = await sharing.startRelay({ resolverPort: port, redisLines })
        assert.ok(await isVerified(relay, 'good'))
        const before = await epochIn(redis)
        const [key = ''] = (await redis.cli('keys', '*epoch*')).trim().split('\n')
        await lose(redis, key)
        await until('it to be gone', async () => (await epochIn(redis)) !== before)
        await until('it to be back', async () => (await epochIn(redis)) === before)
        const asked = questionsAt(child).length
        const second = await sharing.startRelay({ resolverPort: port, redisLines })
        assert.ok(await isVerified(second, 'good'))
        assert.equal(questionsAt(child).length, asked)
        await Promise.all([relay.stop(), second.stop()])
        await child.stop()
      })
    })
  }

  test('old authentic values: the epoch is not set back, and an entry of an earlier epoch is rejected', async () => {
    await withRedis(async (redis, redisLines) => {
      const relay = await sharing.startRelay({ redisLines })
      assert.ok(await isVerified(relay, 'good'))
      const keys = (await redis.cli('keys', 'dane:2:*')).trim().split('\n')
      const old = await Promise.all(
        keys.map(async (key) => [key, (await redis.cli('get', key)).trim()] as const),
      )
      const epoch = old.find(([key]) => key.includes('epoch'))?.[1]
      const [epochKey = ''] = keys.filter((key) => key.includes('epoch'))
      assert.ok(epoch)
      const folder = path.join(relay.folder, 'config')
      const purge = startChild(COMMAND, ['cache', 'purge', '--all', '--config', folder])
      assert.equal(await purge.exited, 0, purge.output())
      const later = await epochIn(redis)
      assert.notEqual(later, epoch)
      // The relay reads it every five seconds.
      await new Promise((resolve) => setTimeout(resolve, 6_000))
      for (const [key, value] of old) await redis.cli('set', key, value, 'px', '600000')
      await until(
        'it to be put back',
        async () => (await redis.cli('get', epochKey)).trim() === later,
      )
      assert.ok(await isVerified(relay, 'good'))
      await relay.stop()
    })
  })
})
