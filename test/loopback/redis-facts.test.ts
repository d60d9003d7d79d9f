/** DNS facts that several Harakas share through a real Redis. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { tlsaFor } from '../../lab/certificates.js'
import { until } from '../../lab/child.js'
import { questionsAt } from '../../lab/name-servers.js'
import { startRedis } from '../../lab/redis.js'
import type { RedisServer } from '../../lab/redis.js'
import { PLACE } from '../../lab/rows.js'
import type { Row } from '../../lab/rows.js'
import { domainOf, hostOf, startSharing } from '../support/sharing.js'
import type { Setup, Sharing } from '../support/sharing.js'

let sharing: Sharing
let redis: RedisServer
before(async () => {
  sharing = await startSharing({
    good: {},
    brief: { ttl: 4 },
    rolled: {},
    late: { tlsa: 'none' },
  })
  redis = await startRedis(sharing.laboratory.folder)
})
after(async () => {
  await redis.child.stop()
  await sharing.laboratory.stop()
})

/** Runs the work with a resolver that records its queries and an empty Redis. */
async function fresh(
  work: (resolverPort: number, questions: () => readonly string[]) => Promise<void>,
): Promise<void> {
  await redis.cli('flushall')
  const { port, child } = await sharing.laboratory.names.startResolver({ isNoting: true })
  try {
    await work(port, () => questionsAt(child))
  } finally {
    await child.stop()
  }
}

/** All keys but the epoch's. */
async function factKeys(): Promise<readonly string[]> {
  const keys = (await redis.cli('keys', '*')).trim().split('\n')
  return keys.filter((key) => !key.includes(':epoch'))
}

/** With a long timeout: queries are counted, and 100 ms pass quickly on a busy machine. */
const url = (): string => `url = redis://127.0.0.1:${redis.port}/0\ntimeout = 2s`

describe('contents of Redis', () => {
  test('one key per name and type, which expires with the fact', async () => {
    await fresh(async (resolverPort) => {
      const relay = await sharing.startRelay({
        resolverPort,
        redisLines: [url(), 'prefix = test:'],
      })
      assert.equal(await sharing.deliver(relay, `keys@${domainOf('good')}`), 'delivered')
      const owner = `_${sharing.laboratory.smtpPort}._tcp.${hostOf('good')}`
      const keys = (await factKeys()).toSorted()
      assert.deepEqual(keys, [
        `test:2:A:${hostOf('good')}`,
        `test:2:AAAA:${hostOf('good')}`,
        `test:2:MX:${domainOf('good')}`,
        `test:2:TLSA:${owner}`,
      ])
      for (const key of keys) {
        const value = await redis.cli('get', key)
        const left = Number(await redis.cli('pttl', key))
        const [mac, epoch, askedAt, life, body] = value.split(' ')
        assert.ok(left > 270_000 && left <= 300_000, `${key}: ${left} ms`)
        // As long as the fact lives, and what the way there took on a busy machine.
        assert.ok(Math.abs(Date.now() + left - Number(askedAt) - Number(life)) < 30_000, value)
        assert.equal(`${mac} ${epoch}`, (await redis.cli('get', 'test:2:epoch')).trim())
        assert.match(body ?? '', /^\["secure",/)
      }
      await relay.stop()
    })
  })

  test('failures are not stored, and leases are removed when released', async () => {
    await fresh(async (resolverPort) => {
      const relay = await sharing.startRelay({ resolverPort, redisLines: [url()] })
      assert.match(
        await sharing.deliver(relay, `broken@x.${PLACE.expired}`),
        /^deferred: host or domain/,
      )
      assert.deepEqual(await factKeys(), [])
      await relay.stop()
    })
  })

  test('a second Haraka, and each of its workers, sends no DNS query', async () => {
    await fresh(async (resolverPort, questions) => {
      const setup: Setup = { resolverPort, redisLines: [url()] }
      const first = await sharing.startRelay(setup)
      assert.equal(await sharing.deliver(first, `first@${domainOf('good')}`), 'delivered')
      assert.equal(questions().length, 4)
      const second = await sharing.startRelay({ ...setup, workers: 2 })
      for (let i = 0; i < 8; i++) {
        assert.equal(await sharing.deliver(second, `second-${i}@${domainOf('good')}`), 'delivered')
      }
      assert.equal(questions().length, 4)
      await Promise.all([first.stop(), second.stop()])
    })
  })

  test('after the TTL the change of the zone is seen, and no older data is used', async () => {
    await fresh(async (resolverPort, questions) => {
      const relay = await sharing.startRelay({ resolverPort, redisLines: [url()] })
      assert.equal(await sharing.deliver(relay, `before@${domainOf('brief')}`), 'delivered')
      assert.equal(questions().length, 4)
      // The zone publishes another key, and the host has not changed its own: a mismatch.
      const other = await sharing.authority.issue(hostOf('brief'))
      await sharing.laboratory.publish(
        sharing.rows.map((row) => (row.id === 'brief' ? withTlsa(row, other) : row)),
      )
      // The absence of AAAA is cached by the SOA, not by the TTL of the records.
      await until('the keys to expire', async () => {
        return (await factKeys()).every((key) => key.includes(':AAAA:'))
      })
      // The resolver counts whole seconds, and may cache for one more.
      await new Promise((resolve) => setTimeout(resolve, 1_100))
      assert.match(
        await sharing.deliver(relay, `after@${domainOf('brief')}`),
        /certificate-mismatch/,
      )
      assert.equal(questions().length, 4 + 4)
      await sharing.laboratory.publish(sharing.rows)
      await relay.stop()
    })
  })
})

/** The row with a TLSA record of a different certificate. */
function withTlsa(row: Row, certificate: Parameters<typeof tlsaFor>[3]): Row {
  return {
    ...row,
    records: row.records.map((line) =>
      line.replace(/ TLSA .*/, ` TLSA ${tlsaFor(3, 1, 1, certificate)}`),
    ),
  }
}

describe('one query for many messages', () => {
  for (const workers of [0, 4]) {
    test(`1,000 messages at once for a cold domain, ${workers === 0 ? 'one process' : `${workers} workers`}: four queries`, async (context) => {
      await fresh(async (resolverPort, questions) => {
        const relay = await sharing.startRelay({ resolverPort, redisLines: [url()], workers })
        const before = sharing.arrivals(hostOf('good')).length
        const startedAt = Date.now()
        await Promise.all(
          Array.from({ length: 1000 }, (_, i) =>
            relay.submit(`w${workers}-${i}@${domainOf('good')}`),
          ),
        )
        await until('all of them', () => sharing.arrivals(hostOf('good')).length - before >= 1000, {
          timeoutMs: 60_000,
        })
        context.diagnostic(`${questions().length} questions, ${Date.now() - startedAt} ms`)
        assert.deepEqual([...questions()].sort(), [
          `A ${hostOf('good')}`,
          `AAAA ${hostOf('good')}`,
          `MX ${domainOf('good')}`,
          `TLSA _${sharing.laboratory.smtpPort}._tcp.${hostOf('good')}`,
        ])
        await relay.stop()
      })
    })
  }
})

describe('cached data is out of date', () => {
  /** Changes the zone and the resolver's cache, like a resolver that prefetches. */
  async function changed(
    rowsNow: readonly Row[],
    resolver: { port: number; child: { stop: () => Promise<void> } },
  ): Promise<void> {
    await sharing.laboratory.publish(rowsNow)
    await resolver.child.stop()
    Object.assign(resolver, await sharing.laboratory.names.startResolver({ port: resolver.port }))
  }

  test('key rollover inside the TTL: delivered at the first attempt', async () => {
    await redis.cli('flushall')
    const resolver = await sharing.laboratory.names.startResolver()
    const relay = await sharing.startRelay({ resolverPort: resolver.port, redisLines: [url()] })
    assert.equal(await sharing.deliver(relay, `old@${domainOf('rolled')}`), 'delivered')
    const leaf = await sharing.authority.issue(hostOf('rolled'))
    sharing.laboratory.hosts.get(hostOf('rolled'))?.present({ leaf })
    await changed(
      sharing.rows.map((row) => (row.id === 'rolled' ? withTlsa(row, leaf) : row)),
      resolver,
    )
    const id = await relay.submit(`new@${domainOf('rolled')}`)
    assert.equal((await relay.outcomeOf(id)).kind, 'delivered')
    const log = relay.log(id).join('\n')
    assert.match(log, /TLSA rollover: current records match, cached ones did not host=mx-rolled/)
    assert.match(log, new RegExp(`TLS success .* for ${domainOf('rolled')} `))
    assert.doesNotMatch(log, /host refused/)
    await relay.stop()
    await resolver.child.stop()
  })

  test('a real mismatch is still refused, after a second query', async () => {
    await fresh(async (resolverPort, questions) => {
      const relay = await sharing.startRelay({ resolverPort, redisLines: [url()] })
      // The zone has the old key again: sharing.rows were first published with it.
      await sharing.laboratory.publish(sharing.rows)
      assert.match(
        await sharing.deliver(relay, `wrong@${domainOf('rolled')}`),
        /certificate-mismatch/,
      )
      assert.equal(questions().filter((question) => question.startsWith('TLSA')).length, 2)
      await relay.stop()
    })
  })

  test('newly published TLSA records of a mandatory domain are found at once', async () => {
    await redis.cli('flushall')
    const resolver = await sharing.laboratory.names.startResolver()
    const relay = await sharing.startRelay({
      resolverPort: resolver.port,
      redisLines: [url()],
      policyLines: ['[domains]', `${domainOf('late')} = mandatory`],
    })
    assert.match(await sharing.deliver(relay, `none@${domainOf('late')}`), /no TLSA record/)
    const leaf = await sharing.authority.issue(hostOf('late'))
    sharing.laboratory.hosts.get(hostOf('late'))?.present({ leaf })
    const owner = `_${sharing.laboratory.smtpPort}._tcp.${hostOf('late')}`
    await changed(
      sharing.rows.map((row) =>
        row.id === 'late'
          ? { ...row, records: [...row.records, `${owner}. TLSA ${tlsaFor(3, 1, 1, leaf)}`] }
          : row,
      ),
      resolver,
    )
    await new Promise((resolve) => setTimeout(resolve, 5_100))
    assert.equal(await sharing.deliver(relay, `some@${domainOf('late')}`), 'delivered')
    await sharing.laboratory.publish(sharing.rows)
    await relay.stop()
    await resolver.child.stop()
  })
})

describe('a program that can write to Redis', () => {
  const epoch = `${String(Date.now()).padStart(16, '0')}.0123456789abcdef`
  /** Writes that the host of the domain securely has no TLSA records. */
  const forge = async (): Promise<void> => {
    const owner = `_${sharing.laboratory.smtpPort}._tcp.${hostOf('good')}`
    const body = JSON.stringify(['secure', owner, [], 'nodata'])
    await redis.cli('set', 'dane:2:epoch', `- ${epoch}`)
    await redis.cli(
      ...['set', `dane:2:TLSA:${owner}`, `- ${epoch} ${Date.now()} 60000 ${body}`],
      ...['px', '60000'],
    )
  }

  for (const [circumstance, lines, isVerified] of [
    [
      'cannot switch DANE off if entries are authenticated',
      ['key = not to be guessed, ever'],
      true,
    ],
    ['can switch DANE off if they are not, as documented', [], false],
  ] as const) {
    test(circumstance, async () => {
      await fresh(async (resolverPort) => {
        await forge()
        const relay = await sharing.startRelay({ resolverPort, redisLines: [url(), ...lines] })
        const id = await relay.submit(`forged@${domainOf('good')}`)
        assert.equal((await relay.outcomeOf(id)).kind, 'delivered')
        const said = relay.log(id).some((line) => line.includes(` for ${domainOf('good')}`))
        assert.equal(said, isVerified)
        await relay.stop()
      })
    })
  }
})
