/** Zones that several processes share through Redis: healthy, down, hostile, purged. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { composeEpoch, epochKey, purgeKey } from '../../../src/cache/epoch.js'
import { createRedisStore } from '../../../src/cache/redis-store.js'
import { createSharedZones } from '../../../src/validate/shared-zones.js'
import type { ValidatorParts } from '../../../src/validate/validator.js'
import { createMemoryZones } from '../../../src/validate/zone-store.js'
import { createClock } from '../../support/clock.js'
import { createRedisMap } from '../../support/redis-map.js'
import { wire } from '../../support/signed-records.js'
import { createWorld, NOW } from '../../support/signed-world.js'
import { outcome, rig } from '../../support/validator-rig.js'

const WORLD = createWorld({
  '.': {},
  org: { denial: 'opt-out' },
  'example.org': { records: ['mail A 192.0.2.1', 'other A 192.0.2.2'] },
  'plain.org': { denial: 'unsigned', records: ['mail A 192.0.2.3'] },
})
const VAULT = { prefix: 'p:', secret: 'secret' }
const EPOCH = '0001750000000000.0123456789abcdef'
const LATER = '0001750000000001.0123456789abcdef'

/** Redis, and processes that share it. */
function sharing() {
  const clock = createClock()
  const redis = createRedisMap(clock)
  const wall = (): number => NOW + clock.now() - start
  const start = clock.now()
  redis.put(epochKey(VAULT), composeEpoch(VAULT, EPOCH), undefined)
  const process = async (more: Partial<ValidatorParts> = {}, secret = VAULT.secret) => {
    const memory = createMemoryZones()
    const store = createRedisStore({
      commands: redis.commands,
      started: Promise.resolve(),
      vault: { ...VAULT, secret },
      timeoutMs: 100,
      patienceMs: 2_000,
      maxTtlMs: 3_600_000,
      now: clock.now,
      wall,
      nonce: () => '00000000000000ff',
      schedule: clock.schedule,
      flush: () => memory.clear(),
      observe: () => undefined,
    })
    await store.look()
    const zones = createSharedZones({
      memory,
      texts: store.zones,
      policy: { sha1: false },
      now: wall,
    })
    return { store, ...rig(WORLD, undefined, { zones, now: wall, ...more }) }
  }
  return { clock, redis, process }
}

const CHAIN = /^(?:DS|DNSKEY) /

describe('zones in Redis', () => {
  for (const [name, result] of [
    ['mail.example.org', 'found secure'],
    ['mail.plain.org', 'found insecure'],
  ] as const) {
    test(`another process needs no DS and no DNSKEY: ${name}`, async () => {
      const { process } = sharing()
      const [first, second] = [await process(), await process()]
      assert.equal(outcome(await first.look(name, 'A')), result)
      assert.ok(first.asked.some((question) => CHAIN.test(question)))
      assert.equal(outcome(await second.look(name, 'A')), result)
      assert.deepEqual(second.asked, [`A ${name}`])
    })
  }

  test('what is known in memory is not read, nor written again', async () => {
    const { process, redis } = sharing()
    const first = await process()
    await first.look('mail.example.org', 'A')
    redis.said.length = 0
    await first.look('mail.example.org', 'A')
    assert.deepEqual(
      redis.said.map((each) => each.replace(/[0-9a-f]{32}/, 'DIGEST')),
      ['read p:2:zone:DIGEST:mail.example.org'],
    )
  })

  test('another epoch forgets them, in Redis and in memory', async () => {
    const { process, redis } = sharing()
    const [first, second] = [await process(), await process()]
    await first.look('mail.example.org', 'A')
    redis.put(epochKey(VAULT), composeEpoch(VAULT, LATER), undefined)
    await second.store.look()
    await first.store.look()
    for (const each of [second, first]) {
      each.asked.length = 0
      assert.equal(outcome(await each.look('other.example.org', 'A')), 'found secure')
      assert.ok(each.asked.some((question) => CHAIN.test(question)))
      redis.flush()
    }
  })

  test('a purge forgets them in memory; what Redis still has counts', async () => {
    const { process, redis } = sharing()
    const first = await process()
    await first.look('mail.example.org', 'A')
    for (const key of redis.keys()) {
      if (key.endsWith(':example.org')) redis.drop(key)
    }
    redis.put(purgeKey(VAULT), 'token', undefined)
    await first.store.look()
    first.asked.length = 0
    assert.equal(outcome(await first.look('other.example.org', 'A')), 'found secure')
    assert.ok(first.asked.includes('DNSKEY example.org'))
    assert.ok(!first.asked.includes('DNSKEY org'))
  })

  for (const [what, more] of [
    ['other anchors', { insecureZones: [wire('elsewhere.example')] }],
    ['another policy', { isSha1Allowed: true }],
  ] as const) {
    test(`do not count for a relay with ${what}`, async () => {
      const { process } = sharing()
      const [first, other] = [await process(), await process(more)]
      await first.look('mail.example.org', 'A')
      assert.equal(outcome(await other.look('mail.example.org', 'A')), 'found secure')
      assert.ok(other.asked.some((question) => CHAIN.test(question)))
    })
  }

  test('do not count with another key', async () => {
    const { process } = sharing()
    const [first, other] = [await process(), await process({}, 'another')]
    await first.look('mail.example.org', 'A')
    await other.look('mail.example.org', 'A')
    assert.ok(other.asked.some((question) => CHAIN.test(question)))
  })

  test('do not count once they were changed, or copied to another zone', async () => {
    const { process, redis } = sharing()
    const [first, other] = [await process(), await process()]
    await first.look('mail.example.org', 'A')
    const keys = redis.keys().filter((key) => key.includes(':zone:'))
    const [root = ''] = keys
    for (const key of keys.slice(1)) redis.put(key, redis.text(root) ?? '', 60_000)
    redis.put(root, `${redis.text(root) ?? ''} `, 60_000)
    assert.equal(outcome(await other.look('mail.example.org', 'A')), 'found secure')
    assert.equal(other.asked.filter((question) => CHAIN.test(question)).length > 3, true)
  })

  test('a Redis that is gone, full or throws costs no lookup', async () => {
    for (const trouble of ['isGone', 'isFull', 'throws'] as const) {
      const { process, redis } = sharing()
      const first = await process()
      redis[trouble]()
      assert.equal(outcome(await first.look('mail.example.org', 'A')), 'found secure', trouble)
    }
  })

  test('a silent Redis costs one timeout, however many zones are looked for', async () => {
    const { process, redis, clock } = sharing()
    const first = await process()
    redis.isSilent()
    const answer = first.look('mail.example.org', 'A')
    await clock.advance(100)
    assert.equal(outcome(await answer), 'found secure')
  })
})
