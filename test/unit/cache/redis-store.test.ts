/** A Redis that is well, slow, gone, full or silent, on a clock of the test's own. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { composeEntry } from '../../../src/cache/entry.js'
import { createRedisStore } from '../../../src/cache/redis-store.js'
import type { RedisCommands } from '../../../src/cache/redis-store.js'
import { OURS, THEIRS } from '../../../src/cache/shared-store.js'
import type { Fact, LookupEvent } from '../../../src/lookup.js'
import { createClock } from '../../support/clock.js'
import { name } from '../../support/names.js'

const MX = name('mx.example')
const KEY = 'p:1:A:mx.example'
const CLAIM = 'p:1:claim:A:mx.example'

/** Redis as a map, and what goes wrong with it: by command, or in all of them. */
function store(started = Promise.resolve(), isInOrder = true) {
  const clock = createClock()
  let lead = 0
  const held = new Map<string, string>()
  const lives = new Map<string, number>()
  const said: string[] = []
  const news: string[] = []
  let trouble: ((command: keyof RedisCommands) => Promise<never> | undefined) | undefined
  const run = <T>(command: keyof RedisCommands, key: string, work: () => T): Promise<T> => {
    said.push(`${command} ${key}`)
    return trouble?.(command) ?? Promise.resolve(work())
  }
  const put = (key: string, value: string, milliseconds: number): boolean => {
    lives.set(key, milliseconds)
    return held.set(key, value).size > 0
  }
  const commands: RedisCommands = {
    isInOrder,
    get: (key) => run('get', key, () => held.get(key) ?? null),
    set: (key, value, milliseconds) => run('set', key, () => put(key, value, milliseconds)),
    setNew: (key, value, milliseconds) =>
      run('setNew', key, () => !held.has(key) && put(key, value, milliseconds)),
    remove: (key) => run('remove', key, () => held.delete(key)),
  }
  const made = createRedisStore({
    commands,
    started,
    prefix: 'p:',
    secret: undefined,
    timeoutMs: 100,
    patienceMs: 2_000,
    maxTtlMs: 3_600_000,
    now: () => clock.now() + lead,
    lead: () => lead,
    schedule: clock.schedule,
    observe: (event: LookupEvent) => {
      if (event.kind === 'redis') news.push(`${event.what}: ${event.fault ?? 'well'}`)
    },
  })
  const fact: Fact = {
    kind: 'found',
    records: [{ type: 'A', address: '192.0.2.1' }],
    security: 'secure',
    canonicalName: MX,
    aliases: [],
    expiresAt: clock.now() + 60_000,
  }
  const rejecting = (message: string) => () => Promise.reject(new Error(message))
  return {
    ...made,
    ...{ clock, held, lives, said, news, fact },
    /** From now on, until it is well again. */
    isGone: () => (trouble = rejecting('no connection')),
    isSilent: () => (trouble = () => new Promise<never>(() => undefined)),
    isFull: () =>
      (trouble = (command) =>
        command === 'get' ? undefined : Promise.reject(new Error('OOM command not allowed'))),
    isWell: () => (trouble = undefined),
    throws: () =>
      (trouble = () => {
        throw new Error('a bug')
      }),
    /** This process's clock runs ahead of the wall clock from now on. */
    isAhead: (milliseconds: number) => (lead = milliseconds),
  }
}

/** The promise's value, or 'nothing yet'. */
async function soFar<T>(promise: Promise<T>): Promise<T | 'nothing yet'> {
  const pause = new Promise<'nothing yet'>((resolve) => {
    setImmediate(() => resolve('nothing yet'))
  })
  return Promise.race([promise, pause])
}

describe('a Redis that is well', () => {
  test('a fact that is released is there for as long as it lives, and the claim is not', async () => {
    const { claim, release, get, lives, held, fact } = store()
    assert.deepEqual(await claim(MX, 'A'), OURS)
    assert.deepEqual(await claim(MX, 'A'), THEIRS)
    await release(MX, 'A', fact)
    assert.deepEqual([...held.keys()], [KEY])
    assert.equal(lives.get(KEY), 60_000)
    assert.deepEqual(await get(MX, 'A'), fact)
    assert.equal(await get(MX, 'AAAA'), undefined)
    assert.deepEqual(await claim(MX, 'A', fact.expiresAt), OURS)
  })

  for (const isInOrder of [true, false]) {
    const how = isInOrder ? 'one connection' : 'several nodes'
    test(`${how}: what is found between the look and the claim is seen, and the claim given up`, async () => {
      const { claim, held, said, fact } = store(Promise.resolve(), isInOrder)
      held.set(KEY, composeEntry(MX, 'A', fact, undefined))
      assert.deepEqual(await claim(MX, 'A'), { kind: 'known', fact })
      assert.deepEqual(said, [`setNew ${CLAIM}`, `get ${KEY}`, `remove ${CLAIM}`])
      held.set(CLAIM, '1')
      assert.deepEqual(await claim(MX, 'A'), { kind: 'known', fact })
      assert.ok(held.has(CLAIM), 'the claim of somebody else stays')
      held.delete(CLAIM)
      assert.deepEqual(await claim(MX, 'A', fact.expiresAt), OURS, 'not outlived')
      assert.deepEqual(await claim(MX, 'A', fact.expiresAt), THEIRS)
      assert.deepEqual(await claim(MX, 'A', fact.expiresAt - 1_000), { kind: 'known', fact })
    })
  }

  test('the same fact read again is no newer one, though clocks differ by part of a millisecond', async () => {
    const { claim, release, held, fact, isAhead } = store()
    held.set(KEY, composeEntry(MX, 'A', fact, undefined))
    isAhead(0.7)
    assert.deepEqual(await claim(MX, 'A', fact.expiresAt), OURS)
    await release(MX, 'A', undefined)
  })

  test('several nodes: nobody looks before the claim is there', async () => {
    const { claim, said, isSilent } = store(Promise.resolve(), false)
    isSilent()
    assert.equal(await soFar(claim(MX, 'A')), 'nothing yet')
    assert.deepEqual(said, [`setNew ${CLAIM}`])
  })

  test('a clock that runs ahead lengthens no life: entries go by the wall clock', async () => {
    const { release, get, lives, fact, isAhead } = store()
    isAhead(3_000_000)
    const ours = { ...fact, expiresAt: fact.expiresAt + 3_000_000 }
    await release(MX, 'A', ours)
    assert.equal(lives.get(KEY), 60_000)
    assert.deepEqual(await get(MX, 'A'), ours)
    isAhead(0)
    assert.deepEqual(await get(MX, 'A'), fact, 'as others have it')
  })

  test('the key lives no longer than the fact, to the millisecond', async () => {
    const { release, lives, fact } = store()
    await release(MX, 'A', { ...fact, expiresAt: fact.expiresAt - 0.5 })
    assert.equal(lives.get(KEY), 59_999)
  })

  test('a fact whose life is over is not written, and its claim ends', async () => {
    const { claim, release, clock, held, fact } = store()
    await claim(MX, 'A')
    await clock.advance(60_000)
    await release(MX, 'A', fact)
    assert.equal(held.size, 0)
  })

  test('who waits has the fact as soon as it is there', async () => {
    const { wait, claim, release, clock, fact } = store()
    await claim(MX, 'A')
    const waiting = wait(MX, 'A')
    await clock.advance(50)
    assert.equal(await soFar(waiting), 'nothing yet')
    await release(MX, 'A', fact)
    await clock.advance(100)
    assert.deepEqual(await soFar(waiting), fact)
  })

  test('who waits for one that found nothing, or died, waits no longer than the claim', async () => {
    const { wait, claim, held, clock } = store()
    await claim(MX, 'A')
    const waiting = wait(MX, 'A')
    await clock.advance(50)
    held.delete(CLAIM)
    await clock.advance(100)
    assert.equal(await soFar(waiting), undefined)
  })

  test('nobody waits for longer than is allowed', async () => {
    const { wait, claim, clock } = store()
    await claim(MX, 'A')
    const waiting = wait(MX, 'A')
    await clock.advance(1_800)
    assert.equal(await soFar(waiting), 'nothing yet')
    await clock.advance(200)
    assert.equal(await soFar(waiting), undefined)
  })

  test('what is no entry of ours is nothing', async () => {
    const { get, held, fact } = store()
    for (const text of ['', 'garbage', '- {}', `v2 ${composeEntry(MX, 'A', fact, undefined)}`]) {
      held.set(KEY, text)
      assert.equal(await get(MX, 'A'), undefined)
    }
  })

  test('purges are counted where all can see it', async () => {
    const { epoch, held } = store()
    assert.equal(await epoch(), '')
    held.set('p:1:epoch', '3')
    assert.equal(await epoch(), '3')
  })
})

describe('a Redis that is not', () => {
  test('gone: DNS is asked at once, its loss is told once, and it is left alone for a second', async () => {
    const { get, claim, wait, release, epoch, isGone, said, news, clock, fact } = store()
    isGone()
    assert.equal(await get(MX, 'A'), undefined)
    assert.deepEqual(await claim(MX, 'A'), OURS)
    await release(MX, 'A', fact)
    assert.equal(await epoch(), undefined)
    const waiting = wait(MX, 'A')
    await clock.advance(4)
    assert.equal(await soFar(waiting), undefined)
    assert.deepEqual(news, ['read: no connection'])
    const asked = said.length
    await get(MX, 'A')
    await claim(MX, 'A')
    assert.equal(said.length, asked)
    await clock.advance(1_000)
    // One finds out; the others do not wait for what it finds.
    await Promise.all([get(MX, 'A'), get(MX, 'A'), get(MX, 'A')])
    assert.equal(said.length, asked + 1)
    assert.equal(news.length, 1)
  })

  for (const isInOrder of [true, false]) {
    const how = isInOrder ? 'one connection' : 'several nodes'
    test(`${how}: a claim that meets it gone or silent tells that it is lost, and no more`, async () => {
      for (const trouble of ['isGone', 'isSilent'] as const) {
        const made = store(Promise.resolve(), isInOrder)
        made[trouble]()
        const claiming = made.claim(MX, 'A')
        for (let i = 0; i < 4; i++) {
          await made.clock.advance(100)
          await soFar(claiming)
        }
        assert.deepEqual(await soFar(claiming), OURS)
        assert.equal(made.news.length, 1, made.news.join('; '))
        assert.match(made.news[0] ?? '', /^read: /)
      }
    })
  }

  test('a client that throws, before it has started or after, is one that fails', async () => {
    for (const isEarly of [true, false]) {
      let start: () => void = () => undefined
      const started = new Promise<void>((resolve) => {
        start = resolve
      })
      const { get, throws, news } = store(started)
      throws()
      if (!isEarly) start()
      await soFar(started)
      const getting = get(MX, 'A')
      start()
      await soFar(started)
      assert.equal(await soFar(getting), undefined)
      assert.deepEqual(news, ['read: a bug'])
    }
  })

  test('back: told once', async () => {
    const { get, isGone, isWell, news, clock } = store()
    isGone()
    await get(MX, 'A')
    isWell()
    await clock.advance(1_000)
    await get(MX, 'A')
    await get(MX, 'A')
    assert.deepEqual(news, ['read: no connection', 'read: well'])
  })

  test('the client has a connection again: used at once', async () => {
    const { get, held, fact, isGone, isWell, noteConnection, news } = store()
    held.set(KEY, composeEntry(MX, 'A', fact, undefined))
    isGone()
    await get(MX, 'A')
    isWell()
    noteConnection(undefined)
    assert.deepEqual(await get(MX, 'A'), fact)
    assert.deepEqual(news, ['read: no connection', 'read: well'])
  })

  test('silent: the wait is bounded', async () => {
    const { get, isSilent, news, clock } = store()
    isSilent()
    const getting = get(MX, 'A')
    await clock.advance(99)
    assert.equal(await soFar(getting), 'nothing yet')
    await clock.advance(1)
    assert.equal(await soFar(getting), undefined)
    assert.deepEqual(news, ['read: no answer within 100 ms'])
  })

  test('full: what it has is used, that it takes nothing is told once, and its end', async () => {
    const { get, claim, release, held, isFull, isWell, noteConnection, news, clock, fact } = store()
    held.set(KEY, composeEntry(MX, 'A', fact, undefined))
    isFull()
    for (let i = 0; i < 3; i++) {
      assert.deepEqual(await claim(MX, 'A', fact.expiresAt), OURS)
      await release(MX, 'A', fact)
      // A new connection says nothing about whether it takes writes.
      noteConnection(undefined)
      await clock.advance(1_000)
    }
    assert.deepEqual(await get(MX, 'A'), fact)
    assert.deepEqual(news, ['write: OOM command not allowed'])
    isWell()
    await clock.advance(1_000)
    await release(MX, 'A', fact)
    assert.deepEqual(news, ['write: OOM command not allowed', 'write: well'])
  })

  test('not there yet: what nobody waits for any more is not said to it later', async () => {
    let start: () => void = () => undefined
    const started = new Promise<void>((resolve) => {
      start = resolve
    })
    const { get, claim, said, clock } = store(started)
    const getting = get(MX, 'A')
    await clock.advance(100)
    assert.equal(await soFar(getting), undefined)
    const claiming = claim(MX, 'AAAA')
    start()
    assert.deepEqual(await claiming, OURS)
    assert.deepEqual(said, ['setNew p:1:claim:AAAA:mx.example'])
  })
})
