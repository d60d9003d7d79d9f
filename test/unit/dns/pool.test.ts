import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { createPool } from '../../../src/dns/pool.js'
import type { Member, Pool } from '../../../src/dns/pool.js'
import type { FailureCause, Lookup, LookupEvent, Proof } from '../../../src/lookup.js'
import { createClock } from '../../support/clock.js'
import type { Clock } from '../../support/clock.js'
import { name } from '../../support/names.js'

const TIMEOUT = 4_000
const INTERVAL = 60_000
const MX = name('mx.example')

const found = (address: string): Lookup => ({
  kind: 'found',
  records: [{ type: 'A', address }],
  security: 'secure',
  canonicalName: MX,
  aliases: [],
  expiresAt: 0,
})
const failed = (cause: FailureCause, detail = ''): Lookup => ({
  kind: 'failed',
  cause,
  detail,
  extendedErrors: [],
})
const validating: Proof = { kind: 'validating' }
const notValidating: Proof = { kind: 'not-validating', detail: 'no AD bit' }
const unconfirmed: Proof = { kind: 'validating', caveat: 'broken.example shows nothing' }
const failing: Proof = { kind: 'failing', detail: 'timeout' }

/** A resolver that can be told what to show of itself, what to say, and how long to take. */
type Player = { proof: Proof; answer: Lookup; takes: number; asked: number; probed: number }

type Stage = {
  readonly clock: Clock
  readonly players: readonly Player[]
  readonly events: LookupEvent[]
  readonly pool: Pool
  /** How often what was remembered was to be forgotten. */
  readonly forgotten: () => number
  /** What a lookup comes to, in short words, and the milliseconds it took. */
  readonly ask: () => Promise<readonly [string, number]>
}

function stage(...proofs: readonly Proof[]): Stage {
  return slowStage([], ...proofs)
}

/** @param takes milliseconds, in the order of the resolvers; 10 for the rest */
function slowStage(takes: readonly number[], ...proofs: readonly Proof[]): Stage {
  const clock = createClock()
  const players = proofs.map((proof, index) => ({
    proof,
    answer: found(`192.0.2.${index + 1}`),
    takes: takes[index] ?? 10,
    asked: 0,
    probed: 0,
  }))
  const members = players.map((player, index): Member => ({
    server: `resolver ${index + 1}`,
    lookup(_, __, deadline) {
      player.asked++
      const left = deadline - clock.now()
      return player.takes > left
        ? clock.after(left, failed('timeout'))
        : clock.after(player.takes, player.answer)
    },
    prove(deadline) {
      player.probed++
      const left = deadline - clock.now()
      return player.takes > left
        ? clock.after(left, failing)
        : clock.after(player.takes, player.proof)
    },
  }))
  const events: LookupEvent[] = []
  let forgotten = 0
  const pool = createPool({
    members,
    timeoutMs: TIMEOUT,
    probeIntervalMs: INTERVAL,
    now: clock.now,
    schedule: clock.schedule,
    random: () => 0.5,
    observe: (event) => events.push(event),
    forget: () => forgotten++,
  })
  const ask = async (): Promise<readonly [string, number]> => {
    const startedAt = clock.now()
    let result: readonly [string, number] | undefined
    const asking = pool.lookup(MX, 'A').then((lookup) => {
      result = [text(lookup), clock.now() - startedAt]
    })
    for (let step = 0; result === undefined && step <= 2 * TIMEOUT; step += 10) {
      await clock.advance(10)
    }
    await asking
    assert.ok(result)
    return result
  }
  return { clock, players, events, pool, forgotten: () => forgotten, ask }
}

function text(lookup: Lookup): string {
  switch (lookup.kind) {
    case 'found':
      return lookup.records.map((record) => (record.type === 'A' ? record.address : '')).join()
    case 'absent':
      return lookup.reason
    case 'failed':
      return lookup.detail === '' ? lookup.cause : `${lookup.cause}: ${lookup.detail}`
  }
}

/** The only one that plays a part in a test. */
const only = <T>(items: readonly T[], index = 0): T => {
  const item = items[index]
  assert.ok(item !== undefined)
  return item
}

describe('who is asked', () => {
  const cases: readonly (readonly [string, readonly Proof[], string])[] = [
    ['the preferred of two that validate', [validating, validating], '192.0.2.1'],
    ['the second where the first does not validate', [notValidating, validating], '192.0.2.2'],
    ['the second where the first fails', [failing, validating], '192.0.2.2'],
    ['the third of three', [failing, notValidating, validating], '192.0.2.3'],
    [
      'nobody where none validates: a failure that says why [DERIVED-dns-e R6698-4.1-c]',
      [notValidating, failing],
      'no-resolver: resolver 1 does not validate: no AD bit; resolver 2 fails: timeout',
    ],
    ['nobody where the only one fails', [failing], 'no-resolver: resolver 1 fails: timeout'],
  ]
  for (const [circumstance, proofs, wanted] of cases) {
    test(circumstance, async () => {
      const { ask, players } = stage(...proofs)
      const [answer] = await ask()
      assert.equal(answer, wanted)
      for (const [index, { kind }] of proofs.entries()) {
        if (kind !== 'validating') assert.equal(only(players, index).asked, 0)
      }
    })
  }
})

describe('what one answers, and whether another is asked', () => {
  const cases: readonly (readonly [string, Lookup, string, number])[] = [
    ['an answer', found('192.0.2.9'), '192.0.2.9', 0],
    ['bogus is final (RFC 8914 §6) [DERIVED-dns-e]', failed('bogus'), 'bogus', 0],
    ['an alias loop is the data’s own', failed('alias-loop'), 'alias-loop', 0],
    ['SERVFAIL that is not bogus', failed('servfail'), '192.0.2.2', 1],
    ['REFUSED', failed('refused'), '192.0.2.2', 1],
    ['a strange RCODE', failed('rcode'), '192.0.2.2', 1],
    ['garbage', failed('malformed'), '192.0.2.2', 1],
    ['a closed port', failed('network'), '192.0.2.2', 1],
  ]
  for (const [circumstance, answer, wanted, others] of cases) {
    test(circumstance, async () => {
      const { ask, players } = stage(validating, validating)
      only(players).answer = answer
      assert.equal((await ask())[0], wanted)
      assert.equal(only(players, 1).asked, others)
    })
  }

  test('all fail: the failure of the preferred one', async () => {
    const { ask, players } = stage(validating, validating)
    only(players).answer = failed('servfail', 'first')
    only(players, 1).answer = failed('network', 'second')
    assert.equal((await ask())[0], 'servfail: first')
  })

  test('all fail, the preferred one last: its failure all the same', async () => {
    const { ask, players } = stage(validating, validating)
    await ask()
    Object.assign(only(players), { answer: failed('servfail', 'first'), takes: 2_000 })
    only(players, 1).answer = failed('network', 'second')
    assert.equal((await ask())[0], 'servfail: first')
  })

  test('once there is an answer nobody else is asked, whatever comes in late', async () => {
    const { ask, players, clock } = stage(validating, validating, validating)
    await ask()
    Object.assign(only(players), { answer: failed('servfail'), takes: 1_500 })
    only(players, 1).takes = 200
    assert.equal((await ask())[0], '192.0.2.2')
    await clock.advance(TIMEOUT)
    assert.equal(only(players, 2).asked, 0)
  })

  test('bogus from the second is final too', async () => {
    const { ask, players } = stage(validating, validating, validating)
    only(players).answer = failed('servfail')
    only(players, 1).answer = failed('bogus')
    assert.equal((await ask())[0], 'bogus')
    assert.equal(only(players, 2).asked, 0)
  })

  test('a slow one has the next asked beside it, and the first answer counts', async () => {
    const { ask, players } = stage(validating, validating)
    await ask()
    only(players).takes = 3_000
    const [answer, milliseconds] = await ask()
    assert.equal(answer, '192.0.2.2')
    assert.ok(milliseconds < TIMEOUT / 2, `${milliseconds} ms`)
  })

  test('a slow one that is the only one has all the time there is', async () => {
    const { ask, players } = stage(validating)
    await ask()
    only(players).takes = 3_500
    assert.deepEqual(await ask(), ['192.0.2.1', 3_500])
  })

  test('both slow: the preferred one may still be the first', async () => {
    const { ask, players } = stage(validating, validating)
    await ask()
    only(players).takes = 2_000
    only(players, 1).takes = 3_500
    assert.deepEqual(await ask(), ['192.0.2.1', 2_000])
  })

  test('all silent: a failure by the deadline, not later', async () => {
    const { ask, players } = stage(validating, validating)
    await ask()
    for (const player of players) player.takes = 100_000
    const [answer, milliseconds] = await ask()
    assert.equal(answer, 'timeout')
    assert.equal(milliseconds, TIMEOUT)
  })
})

describe('probes', () => {
  test('the first lookup waits for the preferred resolver’s first probe', async () => {
    const { ask, players } = slowStage([400], validating, validating)
    assert.deepEqual(await ask(), ['192.0.2.1', 800])
    assert.equal(only(players, 1).asked, 0)
  })

  test('a preferred resolver that is silent from the start costs some patience, then nothing', async () => {
    const { ask, clock } = slowStage([100_000], validating, validating)
    assert.deepEqual(await ask(), ['192.0.2.2', 1_010])
    await clock.advance(TIMEOUT)
    assert.deepEqual(await ask(), ['192.0.2.2', 10])
  })

  test('one that stops validating is out of use by the next probe', async () => {
    const { ask, players, clock } = stage(validating, validating)
    await ask()
    only(players).proof = notValidating
    await clock.advance(INTERVAL + 1_000)
    assert.equal((await ask())[0], '192.0.2.2')
  })

  const foundOut: readonly (readonly [string, readonly Proof[], string])[] = [
    ['the only one: no answer', [validating], 'no-resolver: resolver 1 does not validate'],
    ['the preferred of two: the other is asked', [validating, validating], '192.0.2.2'],
  ]
  for (const [circumstance, proofs, wanted] of foundOut) {
    test(`one found out while it is asked, ${circumstance} [R6698-4.1-c]`, async () => {
      const { ask, players, clock } = stage(...proofs)
      await clock.advance(INTERVAL - 500)
      const first = only(players)
      first.proof = notValidating
      first.takes = 900
      const asking = ask()
      first.takes = 10
      const [answer] = await asking
      assert.ok(answer.startsWith(wanted), answer)
    })
  }

  const remembered: readonly (readonly [string, readonly Proof[], number])[] = [
    ['it goes on validating', [validating], 0],
    ['it fails', [failing], 0],
    ['it does not validate any more', [notValidating], 1],
    ['it fails, and then does not validate', [failing, notValidating], 1],
    ['it does not validate, again and again', [notValidating, failing, notValidating], 1],
    [
      'it does not validate, then does, then does not',
      [notValidating, validating, notValidating],
      2,
    ],
  ]
  for (const [circumstance, proofs, wanted] of remembered) {
    test(`what a resolver said is forgotten ${wanted} times: ${circumstance}`, async () => {
      const { players, clock, forgotten } = stage(validating)
      await clock.advance(1_000)
      for (const proof of proofs) {
        only(players).proof = proof
        await clock.advance(2 * INTERVAL)
      }
      assert.equal(forgotten(), wanted)
    })
  }

  test('nothing is forgotten for one that never validated', async () => {
    const { clock, forgotten } = stage(notValidating, validating)
    await clock.advance(2 * INTERVAL)
    assert.equal(forgotten(), 0)
  })

  test('one that begins to validate is in use again, without a restart', async () => {
    const { ask, players, clock } = stage(notValidating)
    assert.match((await ask())[0], /^no-resolver/)
    only(players).proof = validating
    await clock.advance(INTERVAL + 1_000)
    assert.equal((await ask())[0], '192.0.2.1')
  })

  test('back to the first when it is healthy again', async () => {
    const { ask, players, clock } = stage(validating, validating)
    await clock.advance(5_000)
    Object.assign(only(players), { answer: failed('network'), proof: failing })
    assert.equal((await ask())[0], '192.0.2.2')
    await clock.advance(100)
    const before = only(players).asked
    assert.equal((await ask())[0], '192.0.2.2')
    assert.equal(only(players).asked, before, 'a failing resolver is not asked')
    Object.assign(only(players), { answer: found('192.0.2.1'), proof: validating })
    await clock.advance(INTERVAL)
    assert.equal((await ask())[0], '192.0.2.1')
  })

  test('one that has shown AD alone is used, and probed soon', async () => {
    const { ask, players, clock } = stage(unconfirmed)
    assert.equal((await ask())[0], '192.0.2.1')
    await clock.advance(3_500)
    assert.equal(only(players).probed, 3, 'at 0, 1 and 3 seconds')
  })

  for (const lost of [failing, notValidating]) {
    test(`${lost.kind}: probed soon, then ever less often, never less than the interval`, async () => {
      const { players, clock } = stage(lost)
      await clock.advance(3_500)
      assert.equal(only(players).probed, 3, 'at 0, 1 and 3 seconds')
      await clock.advance(600_000)
      const before = only(players).probed
      await clock.advance(600_000)
      assert.ok(only(players).probed - before >= 9 && only(players).probed - before <= 11)
    })

    test(`${lost.kind}, and none left: a lookup has it probed at once`, async () => {
      const { ask, players, clock } = stage(lost)
      await clock.advance(100_000)
      only(players).proof = validating
      assert.equal((await ask())[0], '192.0.2.1')
    })
  }

  test('with none left, the first that is back answers; the others’ probes are not waited for', async () => {
    const { ask, players, clock } = stage(failing, failing)
    await clock.advance(100_000)
    only(players).takes = 3_500
    only(players, 1).proof = validating
    const [answer, milliseconds] = await ask()
    assert.equal(answer, '192.0.2.2')
    assert.ok(milliseconds < TIMEOUT / 2, `${milliseconds} ms`)
  })

  test('a thousand lookups with none left are no thousand probes', async () => {
    const { pool, players, clock } = stage(failing)
    await clock.advance(100_000)
    const before = only(players).probed
    const all = Promise.all(Array.from({ length: 1000 }, () => pool.lookup(MX, 'A')))
    await clock.advance(100)
    assert.deepEqual(
      new Set((await all).map(text)),
      new Set(['no-resolver: resolver 1 fails: timeout']),
    )
    assert.equal(only(players).probed - before, 1)
  })

  test('a failure of the name is no reason to probe, one of the server is', async () => {
    for (const [cause, probes] of [
      ['servfail', 0],
      ['alias-loop', 0],
      // Its clock or its trust anchor may be wrong.
      ['bogus', 1],
      ['timeout', 1],
      ['network', 1],
      ['refused', 1],
    ] as const) {
      const { ask, players, clock } = stage(validating)
      await clock.advance(5_000)
      only(players).answer = failed(cause)
      const before = only(players).probed
      await ask()
      assert.equal(only(players).probed - before, probes, cause)
    }
  })

  test('a probe that breaks is a resolver that fails', async () => {
    const clock = createClock()
    const pool = createPool({
      members: [
        {
          server: 'resolver 1',
          lookup: () => Promise.reject(new Error('not to be asked')),
          prove: () => Promise.reject(new Error('a bug\nof ours')),
        },
      ],
      timeoutMs: TIMEOUT,
      probeIntervalMs: INTERVAL,
      now: clock.now,
      schedule: clock.schedule,
      random: Math.random,
      observe: () => undefined,
      forget: () => undefined,
    })
    assert.equal(text(await pool.lookup(MX, 'A')), 'no-resolver: resolver 1 fails: a bug?of ours')
  })

  test('closed with a probe underway: nothing is said any more', async () => {
    const { pool, events, clock } = slowStage([500], failing)
    await clock.advance(100)
    pool.close()
    await clock.advance(10 * INTERVAL)
    assert.deepEqual(events, [])
  })

  test('after close there are no more probes', async () => {
    const { pool, players, clock } = stage(validating, failing)
    await clock.advance(100)
    pool.close()
    const before = players.map(({ probed }) => probed)
    await clock.advance(10 * INTERVAL)
    assert.deepEqual(
      players.map(({ probed }) => probed),
      before,
    )
  })
})

test('what is told: changes alone, and once when none is left', async () => {
  const { players, events, clock } = stage(validating, validating)
  await clock.advance(1_000)
  for (const player of players) player.proof = notValidating
  await clock.advance(3 * INTERVAL)
  for (const player of players) player.proof = validating
  await clock.advance(3 * INTERVAL)
  assert.deepEqual(
    events.map((event) =>
      event.kind === 'resolver'
        ? `${event.server} ${event.proof.kind}${event.isFirst ? ' first' : ''}`
        : event.kind === 'resolvers'
          ? `out ${String(event.isOut)}`
          : event.kind,
    ),
    [
      'resolver 1 validating first',
      'resolver 2 validating first',
      'resolver 1 not-validating',
      'resolver 2 not-validating',
      'out true',
      'resolver 1 validating',
      'out false',
      'resolver 2 validating',
    ],
  )
})
