/** Zones that several processes share through Redis: healthy, down, hostile, purged. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { composeEpoch, epochKey, purgeKey } from '../../../src/cache/epoch.js'
import { createRedisStore } from '../../../src/cache/redis-store.js'
import { RR_TYPE } from '../../../src/signed-message.js'
import { createSharedZones } from '../../../src/validate/shared-zones.js'
import type { ValidatorParts } from '../../../src/validate/validator.js'
import { createMemoryZones } from '../../../src/validate/zone-store.js'
import type { ClearableZones, KeptZone } from '../../../src/validate/zone-store.js'
import { createClock } from '../../support/clock.js'
import { createRedisMap } from '../../support/redis-map.js'
import { wire } from '../../support/signed-records.js'
import { createWorld, NOW } from '../../support/signed-world.js'
import { domain, outcome, rig } from '../../support/validator-rig.js'

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
function sharing(maxTtlMs = 3_600_000) {
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
      maxTtlMs,
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
    return { store, memory, ...rig(WORLD, undefined, { zones, now: wall, ...more }) }
  }
  return { clock, redis, process }
}

const CHAIN = /^(?:DS|DNSKEY) /

/** What a process has in memory of example.org. */
function known({ memory }: { readonly memory: ClearableZones }): KeptZone {
  const zone = memory.get(wire('example.org'))
  assert.ok(zone)
  return zone
}

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
    // Else it would withdraw what it has just written.
    await first.store.look()
    await first.store.look()
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

  test('what was read while everything was being forgotten is not kept', async () => {
    const { process, redis, clock } = sharing()
    const [first, second] = [await process(), await process()]
    await first.look('mail.example.org', 'A')
    redis.takes(50)
    const answer = second.look('other.example.org', 'A')
    await clock.advance(10)
    second.memory.clear()
    await clock.advance(5_000)
    assert.equal(outcome(await answer), 'found secure')
    assert.ok(second.asked.includes('DNSKEY example.org'))
  })

  test('what was proven while an entry was read is newer', async () => {
    const { process, redis, clock } = sharing()
    const [first, second] = [await process(), await process()]
    await first.look('mail.example.org', 'A')
    redis.takes(50)
    const answer = second.look('other.example.org', 'A')
    await clock.advance(10)
    const own = { ...known(first), detail: 'proven here' }
    second.memory.put(own)
    await clock.advance(5_000)
    assert.equal(outcome(await answer), 'found secure')
    assert.equal(known(second), own)
  })

  test('as many are read as one lookup may cost, the uppermost', async () => {
    const { process, redis } = sharing()
    const first = await process()
    redis.said.length = 0
    await first.look(`${'a.'.repeat(15)}example.org`, 'A')
    const read = redis.said.filter((each) => each.startsWith('read p:2:zone:'))
    assert.equal(read.length, 12)
    assert.ok(read.at(-1)?.endsWith(':.'))
    assert.ok(read[0]?.endsWith(`:${'a.'.repeat(9)}example.org`))
  })

  for (const [what, endsAfter, maxTtlMs] of [
    ['end when Redis would forget them', 5_000, 3_600_000],
    ['end after max_ttl', 3_600_000, 5_000],
  ] as const) {
    test(`they ${what}`, async () => {
      const { process, redis, clock } = sharing(maxTtlMs)
      const [first, second] = [await process(), await process()]
      await first.look('mail.example.org', 'A')
      for (const key of redis.keys().filter((each) => each.includes(':zone:'))) {
        redis.put(key, redis.text(key) ?? '', endsAfter)
      }
      await second.look('other.example.org', 'A')
      assert.ok(!second.asked.includes('DNSKEY example.org'))
      await clock.advance(6_000)
      redis.flush()
      second.asked.length = 0
      await second.look('mail.example.org', 'A')
      assert.ok(second.asked.includes('DNSKEY example.org'))
    })
  }

  test('an answer shared after a purge that was not noticed yet is withdrawn', async () => {
    const { process, redis, clock } = sharing()
    const first = await process()
    const answer = await first.look('mail.example.org', 'A')
    if (answer.kind !== 'found') throw new Error(outcome(answer))
    const share = (host: string) =>
      first.store.release(domain(host), 'A', { ...answer, expiresAt: clock.now() + 60_000 })
    await share('early.example.org')
    await first.store.look()
    await first.store.look()
    redis.put(purgeKey(VAULT), 'token', undefined)
    await share('late.example.org')
    const answers = () => redis.keys().filter((key) => key.includes(':A:'))
    assert.deepEqual(answers(), ['p:2:A:early.example.org', 'p:2:A:late.example.org'])
    await first.store.look()
    await first.store.look()
    assert.deepEqual(answers(), ['p:2:A:early.example.org'])
  })

  test('what was asked before a purge is not kept, nor shared', async () => {
    const { process, redis } = sharing()
    let purge = (): unknown => undefined
    const first = await process({
      ask: async (question) => {
        const reply = WORLD.answer(question)
        if (question.type === RR_TYPE.DNSKEY && question.name === wire('org')) await purge()
        return reply
      },
    })
    purge = () => {
      for (const key of redis.keys()) if (key.includes(':zone:')) redis.drop(key)
      redis.put(purgeKey(VAULT), 'token', undefined)
      return first.store.look()
    }
    assert.equal(outcome(await first.look('mail.plain.org', 'A')), 'found insecure')
    assert.deepEqual(
      redis.keys().filter((key) => key.includes(':zone:')),
      [],
    )
    assert.equal(first.memory.get(wire('plain.org')), undefined)
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
