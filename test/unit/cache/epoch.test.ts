/** Several processes on one Redis: which entries they accept, and how the epoch changes. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  composeEpoch,
  epochKey,
  nextEpoch,
  parseEpoch,
  purgeKey,
} from '../../../src/cache/epoch.js'
import { createEpochWatch } from '../../../src/cache/epoch-watch.js'
import { createHealth } from '../../../src/cache/redis-health.js'
import type { Vault } from '../../../src/cache/seal.js'
import { createClock } from '../../support/clock.js'
import { createRedisMap } from '../../support/redis-map.js'

const VAULT: Vault = { prefix: 'p:', secret: 'a key that cannot be guessed' }
const KEY = epochKey(VAULT)
const TICK = 5_000

function laboratory() {
  const clock = createClock()
  const redis = createRedisMap(clock)
  let drawn = 0
  /** A process whose wall clock may be wrong. */
  const start = (wallOffset = 0, vault = VAULT) => {
    const forgotten: boolean[] = []
    const health = createHealth({
      started: Promise.resolve(),
      timeoutMs: 100,
      now: clock.now,
      schedule: clock.schedule,
      observe: () => undefined,
    })
    const watch = createEpochWatch({
      commands: redis.commands,
      attempt: health.attempt,
      vault,
      now: clock.now,
      wall: () => clock.now() + wallOffset,
      nonce: () => (drawn++).toString(16).padStart(16, '0'),
      flush: (isNews) => forgotten.push(isNews),
    })
    const tick = (): void => {
      watch.look().catch(() => undefined)
      clock.schedule(TICK, tick)
    }
    tick()
    return {
      ...watch,
      forgotten,
      /** A process that has written something. */
      lapse: (): void => {
        watch.forWriting()
        watch.lapse()
      },
    }
  }
  return {
    clock,
    redis,
    start,
    stored: () => parseEpoch(VAULT, redis.text(KEY) ?? ''),
    store: (epoch: string) => redis.put(KEY, composeEpoch(VAULT, epoch), undefined),
    moves: () => redis.said.filter((each) => each === `set ${KEY}`).length,
    soon: () => clock.advance(1),
    later: () => clock.advance(2 * TICK),
  }
}

describe('an epoch', () => {
  test('is later than the previous one, whatever the clock says', () => {
    const first = nextEpoch(undefined, 1_750_000_000_000.5, '0123456789abcdef')
    assert.equal(first, '0001750000000000.0123456789abcdef')
    for (const wall of [0, 1_750_000_000_000, 1_760_000_000_000]) {
      assert.ok(nextEpoch(first, wall, '0000000000000000') > first)
    }
  })

  test('has a separate Redis key for each secret', () => {
    assert.equal(epochKey({ prefix: 'p:', secret: undefined }), 'p:2:epoch')
    assert.match(KEY, /^p:2:epoch:[0-9a-f]{16}$/)
    assert.notEqual(epochKey({ ...VAULT, secret: 'another key of that length' }), KEY)
  })

  const good = composeEpoch(VAULT, '0001750000000000.0123456789abcdef')
  for (const [circumstance, text] of [
    ['nothing', ''],
    ['a counter', '7'],
    ['not authenticated', `- ${good.slice(good.indexOf(' ') + 1)}`],
    ['modified', good.replace('0001750', '0001760')],
    ['longer', `${good}0`],
    ['huge', 'x'.repeat(100_000)],
  ] as const) {
    test(`is invalid: ${circumstance}`, () => {
      assert.equal(parseEpoch(VAULT, text), undefined)
    })
  }
})

describe('all processes agree on the epoch', () => {
  test('the first process creates it, the others adopt it', async () => {
    const { start, soon, stored, redis } = laboratory()
    const all = [start(), start(-3_600_000), start(3_600_000)]
    await soon()
    assert.ok(stored())
    assert.equal(redis.left(KEY), -1, 'for ever')
    for (const { current } of all) assert.equal(current(), stored())
  })

  test('a lapse seen by one process invalidates stored and in-memory entries for all', async () => {
    const { start, soon, later, stored, moves } = laboratory()
    const [one, other] = [start(), start()]
    await soon()
    const before = stored()
    one.lapse()
    assert.equal(one.current(), undefined, 'at once')
    await soon()
    assert.notEqual(stored(), before)
    assert.equal(one.current(), stored())
    await later()
    assert.equal(other.current(), stored())
    assert.deepEqual(other.forgotten, [true], 'and its resolvers are probed')
    assert.equal(moves(), 1)
  })

  for (const [circumstance, from, to] of [
    ['ahead', 3_600_000, 0],
    ['behind', -3_600_000, 0],
  ] as const) {
    test(`the clock of the process that advances it is ${circumstance}`, async () => {
      const { start, later, stored } = laboratory()
      const [one, other] = [start(from), start(to)]
      await later()
      for (const each of [one, other]) {
        const before = stored() ?? ''
        each.lapse()
        await later()
        assert.ok((stored() ?? '') > before)
        assert.equal(one.current(), stored())
        assert.equal(other.current(), stored())
      }
    })
  }

  test('two lapses and a purge at the same time', async () => {
    const { start, soon, later, stored, store, clock } = laboratory()
    const [one, other, third] = [start(), start(-10_000), start(10_000)]
    await soon()
    const before = stored() ?? ''
    store(nextEpoch(before, clock.now(), '00000000000000ff'))
    one.lapse()
    other.lapse()
    await later()
    await later()
    assert.ok((stored() ?? '') > before)
    for (const { current } of [one, other, third]) assert.equal(current(), stored())
  })

  test('a changed token clears the memory; stored entries stay valid', async () => {
    const { start, later, redis, stored } = laboratory()
    const { forgotten, current } = start()
    await later()
    const before = stored()
    redis.put(purgeKey(VAULT), 'anything', undefined)
    await later()
    assert.deepEqual(forgotten, [false])
    assert.equal(current(), before)
  })
})

describe('Redis is unavailable when a resolver turns out not to validate', () => {
  for (const trouble of ['isGone', 'isSilent', 'isFull'] as const) {
    test(`${trouble}: no stored entry is accepted here until Redis has the new epoch, however long it takes`, async () => {
      const { start, soon, later, stored, redis } = laboratory()
      const [one, other] = [start(), start()]
      await soon()
      const before = stored()
      redis[trouble]()
      one.lapse()
      for (let i = 0; i < 100; i++) {
        await later()
        assert.equal(one.current(), undefined)
        assert.equal(one.forWriting(), undefined)
      }
      assert.ok(one.isPending())
      redis.isWell()
      await later()
      assert.ok(!one.isPending())
      assert.notEqual(stored(), before)
      assert.equal(one.current(), stored())
      await later()
      assert.equal(other.current(), stored())
    })
  }

  test('another process has advanced it in the meantime: it is not advanced again', async () => {
    const { start, soon, later, stored, redis, moves } = laboratory()
    const [one, other] = [start(), start()]
    await soon()
    redis.isGone()
    one.lapse()
    await soon()
    redis.isWell()
    other.lapse()
    await later()
    assert.equal(one.current(), stored())
    assert.equal(moves(), 1)
  })

  test('a process that starts with a non-validating resolver advances it, since its predecessor may have trusted that resolver', async () => {
    const { start, soon, stored, store, later } = laboratory()
    store(nextEpoch(undefined, 0, '0000000000000000'))
    const before = stored()
    const { lapse, current } = start()
    lapse()
    await soon()
    await later()
    assert.notEqual(stored(), before)
    assert.equal(current(), stored())
  })

  test('a lapse while the same epoch is being restored is not lost', async () => {
    const { start, soon, later, stored, redis, clock } = laboratory()
    const { lapse, look, current } = start()
    await soon()
    const before = stored()
    redis.drop(KEY)
    redis.takes(50)
    const looking = look()
    // Redis has reported that there is none, and the reply to the restore is in flight.
    await clock.advance(60)
    assert.equal(stored(), before)
    lapse()
    await clock.advance(60)
    redis.takes(0)
    await later()
    await looking
    assert.notEqual(stored(), before)
    assert.equal(current(), stored())
  })
})

describe('the epoch is lost, damaged or set back to an older one', () => {
  const old = '0000000000000001.0123456789abcdef'
  const losses: readonly (readonly [string, (lab: ReturnType<typeof laboratory>) => unknown])[] = [
    ['lost', ({ redis }) => redis.drop(KEY)],
    ['flushed', ({ redis }) => redis.flush()],
    ['garbage', ({ redis }) => redis.put(KEY, 'garbage', undefined)],
    ['not a string', ({ redis }) => redis.put(KEY, '', undefined)],
    ['huge', ({ redis }) => redis.put(KEY, 'x'.repeat(1_000_000), undefined)],
    ['set back', ({ store }) => store(old)],
  ]
  for (const [circumstance, lose] of losses) {
    test(`${circumstance}: a running process restores the one it knows and continues`, async () => {
      const lab = laboratory()
      const { current, forgotten } = lab.start()
      await lab.soon()
      const before = lab.stored()
      lose(lab)
      await lab.later()
      assert.equal(lab.stored(), before)
      assert.equal(current(), before)
      assert.deepEqual(forgotten, [])
    })

    test(`${circumstance}, and a process starts before the restore: all agree in the end`, async () => {
      const lab = laboratory()
      const one = lab.start()
      await lab.soon()
      const before = lab.stored() ?? ''
      lose(lab)
      const other = lab.start()
      await lab.later()
      await lab.later()
      assert.ok((lab.stored() ?? '') >= before)
      assert.equal(one.current(), lab.stored())
      assert.equal(other.current(), lab.stored())
    })
  }
})

describe('a resolver that repeatedly fails its probe', () => {
  test('the epoch is advanced once for what was written, not at each failure', async () => {
    const { start, soon, later, moves, stored } = laboratory()
    const { lapse, forWriting, isHolding, current } = start()
    await soon()
    for (let i = 0; i < 50; i++) {
      lapse()
      await later()
    }
    assert.equal(moves(), 1)
    assert.equal(current(), stored())
    assert.ok(isHolding())
    assert.equal(forWriting(), undefined, 'nothing is written for a while')
  })

  test('after a quiet period it writes again, and a lapse advances the epoch again', async () => {
    const { start, soon, later, clock, moves } = laboratory()
    const { lapse, forWriting } = start()
    await soon()
    lapse()
    await clock.advance(600_000)
    await later()
    assert.ok(forWriting())
    lapse()
    await later()
    assert.equal(moves(), 2)
  })
})

test('an outdated reading of the epoch is not used: it is read again', async () => {
  const { start, soon, clock, redis, stored, store } = laboratory()
  const { current, believed } = start()
  await soon()
  redis.isGone()
  await clock.advance(11_000)
  assert.equal(current(), undefined)
  assert.equal(await believed(), undefined)
  redis.isWell()
  const later = nextEpoch(stored(), clock.now(), '00000000000000ff')
  store(later)
  await clock.advance(1_000)
  const asked = believed()
  await soon()
  assert.equal(await asked, later)
})

test('relays with different keys have separate epochs', async () => {
  const { start, later, moves } = laboratory()
  const one = start()
  const other = start(0, { ...VAULT, secret: 'another key of that length' })
  const open = start(0, { ...VAULT, secret: undefined })
  for (let i = 0; i < 5; i++) await later()
  assert.equal(moves(), 0)
  for (const { forgotten } of [one, other, open]) assert.deepEqual(forgotten, [])
})
