/**
 * The two stores of TLS reports keep the same promises: totals of several processes are
 * summed, nothing counts twice, one process at most makes each step of a report.
 */
import assert from 'node:assert/strict'
import { appendFile, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, describe, test } from 'node:test'
import { startRedis } from '../../lab/redis.js'
import type { RedisServer } from '../../lab/redis.js'
import { openClient } from '../../src/assemble.js'
import type { RedisClient } from '../../src/cache/redis-client.js'
import { seal, unseal } from '../../src/cache/seal.js'
import { parseSettings } from '../../src/settings/settings.js'
import type { FailureDetail, ReportPolicy, Tally } from '../../src/tlsrpt/counts.js'
import { parseUtcDay, startOf } from '../../src/tlsrpt/day.js'
import type { UtcDay } from '../../src/tlsrpt/day.js'
import { createFileStore } from '../../src/tlsrpt/file-store.js'
import { createRedisReports } from '../../src/tlsrpt/redis-reports.js'
import type { RedisReports } from '../../src/tlsrpt/redis-reports.js'
import type { ReportState, ReportStore } from '../../src/tlsrpt/store.js'
import { name } from '../support/names.js'

const DAY = dayOf('2026-03-01')
const NEXT = dayOf('2026-03-02')
const A = name('a.example.org')
const B = name('b.example.org')
const TLSA: ReportPolicy = {
  kind: 'tlsa',
  domain: name('mx.example.org'),
  records: [`3 1 1 ${'ab'.repeat(32)}`],
}
const NO_TLSA: ReportPolicy = { kind: 'no-policy-found', domain: A }
const EXPIRED: FailureDetail = {
  resultType: 'certificate-expired',
  sendingMtaIp: '192.0.2.1',
  receivingMxHostname: 'mx.example.org',
  receivingMxHelo: 'mx.example.org',
  receivingIp: '2001:db8::1',
  reasonCode: 'certificate-expired',
  additionalInformation: 'server certificate not trusted',
}
const LEASE = 60_000

let folder: string
let redis: RedisServer
const clients: RedisClient[] = []
/** Of the stores: in the next day. */
let clock: number
/** Each test has a folder, or a prefix, of its own. */
let place = 0

before(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'tlsrpt-'))
  redis = await startRedis(folder)
})

after(async () => {
  for (const { close } of clients) close()
  await redis.child.stop()
  await rm(folder, { recursive: true, force: true })
})

const now = (): number => clock

function filesAt(writer: string): ReportStore {
  return createFileStore({ folder: path.join(folder, `files-${place}`), writer, now })
}

function redisAt(writer: string, secret?: string): RedisReports {
  const settings = parseSettings(`[redis]\nurl = redis://127.0.0.1:${redis.port}`)
  assert.ok(settings.redis)
  const client = openClient(settings.redis, () => undefined)
  clients.push(client)
  const vault = { prefix: `t${place}:`, secret }
  return createRedisReports({
    call: async (...command) => {
      await client.started
      return client.call(...command)
    },
    prefix: vault.prefix,
    seal: (where, content) => seal(vault, where, content),
    unseal: (where, text) => unseal(vault, where, text),
    writer,
    now,
    quietMs: 0,
    retentionMs: 259_200_000,
  })
}

const kinds: readonly (readonly [string, (writer: string) => ReportStore])[] = [
  ['files', filesAt],
  ['Redis', redisAt],
  ['Redis with a key', (writer) => redisAt(writer, 'x'.repeat(32))],
]

for (const [kind, open] of kinds) {
  describe(kind, () => {
    const each = (what: string, work: () => Promise<void>): void => {
      test(what, async () => {
        place++
        clock = startOf(NEXT) + 3_600_000
        await work()
      })
    }

    each('totals of several processes are summed, the same again changes nothing', async () => {
      const [one, other] = [open('one'), open('other')]
      await one.add([tally(A, TLSA, undefined, 3), tally(A, TLSA, EXPIRED, 1)])
      await one.add([tally(A, TLSA, undefined, 5)])
      await one.add([tally(A, TLSA, undefined, 5)])
      await other.add([tally(A, TLSA, undefined, 2), tally(A, NO_TLSA, undefined, 7)])
      await other.add([tally(B, TLSA, EXPIRED, 1), tally(B, TLSA, EXPIRED, 4, NEXT)])
      for (const store of [one, other, open('reader')]) {
        assert.deepEqual(await store.days(), [DAY, NEXT])
        assert.deepEqual(await store.domains(DAY), [A, B])
        assert.deepEqual(await store.domains(NEXT), [B])
        const counts = await store.read({ day: DAY, domain: A })
        assert.deepEqual(sorted(counts?.policies ?? []), [
          { policy: NO_TLSA, successful: 7, failed: 0, details: [] },
          { policy: TLSA, successful: 7, failed: 1, details: [{ ...EXPIRED, sessions: 1 }] },
        ])
        const b = await store.read({ day: NEXT, domain: B })
        assert.deepEqual(b?.policies, [
          { policy: TLSA, successful: 0, failed: 4, details: [{ ...EXPIRED, sessions: 4 }] },
        ])
        assert.equal(await store.read({ day: NEXT, domain: A }), undefined)
      }
    })

    each('one of many gets the claim, and the others get nothing', async () => {
      const stores = Array.from({ length: 6 }, (_, index) => open(`w${index}`))
      const key = { day: DAY, domain: A }
      const all = await Promise.all(
        stores.flatMap((store) => [store, store]).map((store) => store.claim(key, clock, LEASE)),
      )
      assert.equal(all.filter((claim) => claim !== undefined).length, 1)
      assert.equal((await open('x').state(key)).kind, 'open')
      // Another report is another claim.
      assert.ok(await open('x').claim({ day: DAY, domain: B }, clock, LEASE))
    })

    each('a holder whose lease has ended cannot note anything after the next one', async () => {
      const [slow, quick] = [open('slow'), open('quick')]
      const key = { day: DAY, domain: A }
      const first = await slow.claim(key, clock, LEASE)
      assert.ok(first)
      assert.equal(await quick.claim(key, clock, LEASE), undefined)
      clock += LEASE + 1
      const second = await quick.claim(key, clock, LEASE)
      assert.ok(second)
      assert.ok(second.fence > first.fence)
      assert.equal(await slow.note(first, state('sending')), false)
      assert.equal(await quick.note(second, state('sending', 0, 'second')), true)
      assert.equal(await slow.note(first, state('done')), false)
      await slow.release(first)
      assert.deepEqual(await slow.state(key), state('sending', 0, 'second'))
      assert.equal(await quick.note(second, state('done', 0, 'second')), true)
      assert.equal(await slow.claim(key, clock, LEASE), undefined)
      assert.deepEqual(await open('x').state(key), state('done', 0, 'second'))
    })

    each('who comes after a sender that ended while sending sees that', async () => {
      const key = { day: DAY, domain: A }
      const dead = open('dead')
      const claim = await dead.claim(key, clock, LEASE)
      assert.ok(claim && (await dead.note(claim, state('sending', 0, 'id "1"\n\u00fc'))))
      clock += LEASE + 1
      const next = await open('next').claim(key, clock, LEASE)
      assert.deepEqual(next?.state, state('sending', 0, 'id "1"\n\u00fc'))
    })

    each('a report that waits is claimed from its time on', async () => {
      const key = { day: DAY, domain: A }
      const store = open('one')
      const claim = await store.claim(key, clock, LEASE)
      assert.ok(claim)
      assert.equal(await store.note(claim, state('waiting', clock + 1000)), true)
      // The claim has ended with that.
      assert.equal(await store.note(claim, state('done')), false)
      assert.equal(await open('x').claim(key, clock, LEASE), undefined)
      assert.ok(await open('x').claim(key, clock + 1000, LEASE))
    })

    each('a claim that is released is free', async () => {
      const key = { day: DAY, domain: A }
      const store = open('one')
      const claim = await store.claim(key, clock, LEASE)
      assert.ok(claim)
      await store.release(claim)
      assert.ok(await open('x').claim(key, clock, LEASE))
    })

    each('values that senders share', async () => {
      const store = open('one')
      assert.equal(await store.recall('a@example.org'), undefined)
      await store.remember('a@example.org', 'refused 2', 60_000)
      assert.equal(await open('x').recall('a@example.org'), 'refused 2')
      const sums = [await store.tally('b', 3_600_000), await open('x').tally('b', 3_600_000)]
      assert.deepEqual(sums, [1, 2])
      assert.equal(await store.tally('c', 3_600_000), 1)
    })

    each('days that are forgotten are gone, others stay', async () => {
      const store = open('one')
      await store.add([tally(A, TLSA, undefined, 1), tally(A, TLSA, undefined, 2, NEXT)])
      await store.forget(NEXT)
      assert.deepEqual(await open('x').days(), [NEXT])
      assert.ok(await open('x').read({ day: NEXT, domain: A }))
    })
  })
}

describe('files', () => {
  test('what a process could not finish writing is ignored', async () => {
    place++
    const store = filesAt('one')
    await store.add([tally(A, TLSA, undefined, 12)])
    const home = path.join(folder, `files-${place}`, DAY)
    const [file = ''] = await readdir(home)
    for (const torn of ['+1 b.exam', '\n+x\n=0:\n=:5 a:1 0:-4\n', '=0:123']) {
      await appendFile(path.join(home, file), torn)
      const counts = await filesAt('x').read({ day: DAY, domain: A })
      assert.equal(counts?.policies[0]?.successful, 12)
      assert.deepEqual(await filesAt('x').domains(DAY), [A])
    }
    await appendFile(path.join(home, 'states'), 'a.example.org 1 one 99999')
    const claim = await store.claim({ day: DAY, domain: A }, clock, LEASE)
    assert.equal(claim?.fence, 1)
    await writeFile(path.join(home, 'counts-two.0.tmp'), '+0 nonsense')
    assert.deepEqual(await filesAt('x').domains(DAY), [A])
  })

  test('of two steps with one number the first in the file counts', async () => {
    place++
    const key = { day: DAY, domain: A }
    const store = filesAt('one')
    const claim = await store.claim(key, clock, LEASE)
    assert.ok(claim)
    const late = `${A} ${claim.fence} late 0 ["done",0,""]\n`
    await appendFile(path.join(folder, `files-${place}`, DAY, 'states'), late)
    assert.equal((await filesAt('x').state(key)).kind, 'open')
    assert.equal(await store.note(claim, state('sending')), true)
  })

  test('a long day takes a few megabytes: earlier totals are dropped', async () => {
    place++
    const store = filesAt('one')
    const tallies = Array.from({ length: 500 }, (_, index) => name(`d${index}.example.org`))
    for (let second = 1; second <= 2_000; second++) {
      await store.add(tallies.map((domain) => tally(domain, TLSA, undefined, second)))
    }
    const home = path.join(folder, `files-${place}`, DAY)
    const files = await readdir(home)
    const sizes = await Promise.all(
      files.map(async (file) => (await stat(path.join(home, file))).size),
    )
    assert.equal(files.length, 1, files.join())
    assert.ok((sizes[0] ?? 0) < 5_000_000, String(sizes[0]))
    const counts = await filesAt('x').read({ day: DAY, domain: name('d7.example.org') })
    assert.equal(counts?.policies[0]?.successful, 2_000)
  })

  test('a disk that fails is reported, and the next write has everything', async () => {
    place++
    const home = path.join(folder, `files-${place}`)
    await writeFile(home, 'in the way')
    const store = filesAt('one')
    await assert.rejects(store.add([tally(A, TLSA, undefined, 1)]))
    await assert.rejects(store.claim({ day: DAY, domain: A }, clock, LEASE))
    await rm(home)
    await store.add([tally(B, TLSA, undefined, 2)])
    assert.deepEqual(await filesAt('x').domains(DAY), [A, B])
  })
})

describe('Redis', () => {
  test('a server that has lost its data: no second report, nothing lost', async () => {
    place++
    const [sender, other] = [redisAt('sender'), redisAt('other')]
    const key = { day: DAY, domain: A }
    await sender.add([tally(A, TLSA, undefined, 1)])
    const claim = await sender.claim(key, clock, LEASE)
    assert.ok(claim && (await sender.note(claim, state('sending'))))
    assert.deepEqual(await other.begun(DAY), [A])
    await redis.cli('flushall')
    await sender.restore()
    assert.deepEqual(await other.begun(DAY), [A])
    assert.equal(await other.claim(key, clock, LEASE), undefined)
    assert.equal(await sender.note(claim, state('done')), true)
    // An older step does not replace a later one.
    await other.restore()
    assert.equal((await other.state(key)).kind, 'done')
  })

  test('with a key: what others write is ignored, and a state of theirs sends nothing', async () => {
    place++
    const store = redisAt('one', 'x'.repeat(32))
    await store.add([tally(A, TLSA, undefined, 1)])
    const [counts = ''] = (await redis.cli('keys', `t${place}:*counts*`)).split('\n')
    const fields = (await redis.cli('hkeys', counts))
      .split('\n')
      .filter((field) => !field.startsWith('='))
    await redis.cli('hset', counts, fields[0] ?? '', '- 1000000', 'forged.x', '- 5')
    assert.equal(await store.read({ day: DAY, domain: A }), undefined)
    await redis.cli('set', `t${place}:report1:step:${DAY}:${A}`, '- 1 x 0 ["open",0,""]')
    assert.equal(await store.claim({ day: DAY, domain: A }, clock, LEASE), undefined)
  })

  test('names of strangers are bounded, and keys end', async () => {
    place++
    const store = redisAt('one')
    const many = Array.from({ length: 10_050 }, (_, index) => name(`d${index}.example.org`))
    await store.add(many.map((domain) => tally(domain, TLSA, undefined, 1)))
    assert.equal((await store.domains(DAY)).length, 10_000)
    const keys = (await redis.cli('keys', `t${place}:*`)).trim().split('\n')
    assert.equal(keys.filter((key) => key.includes(':counts:')).length, 10_000)
    const some = keys.filter((key, index) => index % 500 === 0 && !key.endsWith(':days'))
    for (const key of some) assert.ok(Number(await redis.cli('pttl', key)) > 0, key)
  })
})

function tally(
  domain: Tally['domain'],
  policy: ReportPolicy,
  detail: FailureDetail | undefined,
  sessions: number,
  day = DAY,
): Tally {
  return { day, domain, policy, detail, sessions }
}

function state(kind: ReportState['kind'], notBefore = 0, note = ''): ReportState {
  return { kind, notBefore, note }
}

function dayOf(text: string): UtcDay {
  const day = parseUtcDay(text)
  assert.ok(day)
  return day
}

function sorted<T extends { readonly policy: ReportPolicy }>(policies: readonly T[]): readonly T[] {
  return policies.toSorted((a, b) => (a.policy.kind < b.policy.kind ? -1 : 1))
}
