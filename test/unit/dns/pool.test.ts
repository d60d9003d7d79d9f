import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { createPool } from '../../../src/dns/pool.js'
import type { Pool } from '../../../src/dns/pool.js'
import type { Member } from '../../../src/dns/probed-resolver.js'
import { ofType } from '../../../src/lookup.js'
import type { FailureCause, Lookup, LookupEvent, ProbeResult } from '../../../src/lookup.js'
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
const validating: ProbeResult = { kind: 'validating' }
const notValidating: ProbeResult = { kind: 'not-validating', detail: 'no AD bit' }
const unconfirmed: ProbeResult = { kind: 'validating', caveat: 'broken.example is inconclusive' }
const failing: ProbeResult = { kind: 'failing', detail: 'timeout' }
const passing: ProbeResult = { kind: 'passing' }
const noLongerBelieved: ProbeResult = { ...passing, byItself: notValidating }
const dropping: ProbeResult = { kind: 'unusable', problem: 'drops-denial', detail: 'no NSEC' }

/** A resolver with scripted probe results, answers and delays. */
type Player = { result: ProbeResult; answer: Lookup; takes: number; asked: number; probed: number }

type Stage = {
  readonly clock: Clock
  readonly players: readonly Player[]
  readonly events: LookupEvent[]
  readonly pool: Pool
  /** How often the cache was to be flushed. */
  readonly forgotten: () => number
  /** The result of a lookup in short form, and the milliseconds it took. */
  readonly ask: () => Promise<readonly [string, number]>
}

function stage(...results: readonly ProbeResult[]): Stage {
  return slowStage([], ...results)
}

/** @param takes milliseconds, in the order of the resolvers; 10 for the rest */
function slowStage(takes: readonly number[], ...results: readonly ProbeResult[]): Stage {
  const clock = createClock()
  const players = results.map((result, index) => ({
    result,
    answer: found(`192.0.2.${index + 1}`),
    takes: takes[index] ?? 10,
    asked: 0,
    probed: 0,
  }))
  const members = players.map((player, index): Member => ({
    server: `resolver ${index + 1}`,
    async lookup(_, type, deadline) {
      player.asked++
      const left = deadline - clock.now()
      const answer = await (player.takes > left
        ? clock.after(left, failed('timeout'))
        : clock.after(player.takes, player.answer))
      return ofType(answer, type)
    },
    async validated(_, type) {
      player.asked++
      return ofType(await clock.after(player.takes, found(`198.51.100.${index + 1}`)), type)
    },
    probe(deadline) {
      player.probed++
      const left = deadline - clock.now()
      return player.takes > left
        ? clock.after(left, failing)
        : clock.after(player.takes, player.result)
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
    flush: () => forgotten++,
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

/** The one resolver that matters in a test. */
const only = <T>(items: readonly T[], index = 0): T => {
  const item = items[index]
  assert.ok(item !== undefined)
  return item
}

describe('which resolver is queried', () => {
  const cases: readonly (readonly [string, readonly ProbeResult[], string])[] = [
    ['the preferred of two that validate', [validating, validating], '192.0.2.1'],
    ['the second if the first does not validate', [notValidating, validating], '192.0.2.2'],
    ['the second if the first fails', [failing, validating], '192.0.2.2'],
    ['the third of three', [failing, notValidating, validating], '192.0.2.3'],
    [
      'none if none validates: a failure with the cause [DERIVED-dns-e R6698-4.1-c]',
      [notValidating, failing],
      'no-resolver: resolver 1 does not validate: no AD bit; resolver 2 fails: timeout',
    ],
    ['none if the only one fails', [failing], 'no-resolver: resolver 1 fails: timeout'],
  ]
  for (const [circumstance, results, wanted] of cases) {
    test(circumstance, async () => {
      const { ask, players } = stage(...results)
      const [answer] = await ask()
      assert.equal(answer, wanted)
      for (const [index, { kind }] of results.entries()) {
        if (kind !== 'validating') assert.equal(only(players, index).asked, 0)
      }
    })
  }
})

describe('which answers are final, and which make the next resolver be queried', () => {
  const cases: readonly (readonly [string, Lookup, string, number])[] = [
    ['an answer', found('192.0.2.9'), '192.0.2.9', 0],
    ['bogus is final (RFC 8914 §6) [DERIVED-dns-e]', failed('bogus'), 'bogus', 0],
    ['an alias loop is a fault of the data', failed('alias-loop'), 'alias-loop', 0],
    ['SERVFAIL that is not bogus', failed('servfail'), '192.0.2.2', 1],
    ['REFUSED', failed('refused'), '192.0.2.2', 1],
    ['an unexpected RCODE', failed('rcode'), '192.0.2.2', 1],
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

  test('all fail: the failure of the preferred resolver is returned', async () => {
    const { ask, players } = stage(validating, validating)
    only(players).answer = failed('servfail', 'first')
    only(players, 1).answer = failed('network', 'second')
    assert.equal((await ask())[0], 'servfail: first')
  })

  test('all fail, the preferred one last: its failure is still returned', async () => {
    const { ask, players } = stage(validating, validating)
    await ask()
    Object.assign(only(players), { answer: failed('servfail', 'first'), takes: 2_000 })
    only(players, 1).answer = failed('network', 'second')
    assert.equal((await ask())[0], 'servfail: first')
  })

  test('after an answer no other resolver is queried, whatever arrives late', async () => {
    const { ask, players, clock } = stage(validating, validating, validating)
    await ask()
    Object.assign(only(players), { answer: failed('servfail'), takes: 1_500 })
    only(players, 1).takes = 200
    assert.equal((await ask())[0], '192.0.2.2')
    await clock.advance(TIMEOUT)
    assert.equal(only(players, 2).asked, 0)
  })

  test('bogus from the second resolver is final too', async () => {
    const { ask, players } = stage(validating, validating, validating)
    only(players).answer = failed('servfail')
    only(players, 1).answer = failed('bogus')
    assert.equal((await ask())[0], 'bogus')
    assert.equal(only(players, 2).asked, 0)
  })

  test('a slow resolver is hedged by the next, and the first answer wins', async () => {
    const { ask, players } = stage(validating, validating)
    await ask()
    only(players).takes = 3_000
    const [answer, milliseconds] = await ask()
    assert.equal(answer, '192.0.2.2')
    assert.ok(milliseconds < TIMEOUT / 2, `${milliseconds} ms`)
  })

  test('a slow resolver without alternative gets the whole timeout', async () => {
    const { ask, players } = stage(validating)
    await ask()
    only(players).takes = 3_500
    assert.deepEqual(await ask(), ['192.0.2.1', 3_500])
  })

  test('both slow: the preferred resolver may still answer first', async () => {
    const { ask, players } = stage(validating, validating)
    await ask()
    only(players).takes = 2_000
    only(players, 1).takes = 3_500
    assert.deepEqual(await ask(), ['192.0.2.1', 2_000])
  })

  test('all silent: a failure at the deadline', async () => {
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

  test('a preferred resolver that is silent from the start delays the first lookup only', async () => {
    const { ask, clock } = slowStage([100_000], validating, validating)
    assert.deepEqual(await ask(), ['192.0.2.2', 1_010])
    await clock.advance(TIMEOUT)
    assert.deepEqual(await ask(), ['192.0.2.2', 10])
  })

  test('a resolver that stops validating is not used after the next probe', async () => {
    const { ask, players, clock } = stage(validating, validating)
    await ask()
    only(players).result = notValidating
    await clock.advance(INTERVAL + 1_000)
    assert.equal((await ask())[0], '192.0.2.2')
  })

  const foundOut: readonly (readonly [string, readonly ProbeResult[], string])[] = [
    ['the only one: no answer', [validating], 'no-resolver: resolver 1 does not validate'],
    ['the preferred of two: the other is queried', [validating, validating], '192.0.2.2'],
  ]
  for (const [circumstance, results, wanted] of foundOut) {
    test(`a resolver that fails its probe during a query, ${circumstance} [R6698-4.1-c]`, async () => {
      const { ask, players, clock } = stage(...results)
      await clock.advance(INTERVAL - 500)
      const first = only(players)
      first.result = notValidating
      first.takes = 900
      const asking = ask()
      first.takes = 10
      const [answer] = await asking
      assert.ok(answer.startsWith(wanted), answer)
    })
  }

  test('what a resolver says that only passes data on is validated here, and never believed', async () => {
    const { ask } = stage(passing)
    assert.equal((await ask())[0], '198.51.100.1')
  })

  test('a resolver that drops what validation needs is not asked, and named', async () => {
    const { ask, players } = stage(dropping)
    assert.match((await ask())[0], /^no-resolver: resolver 1 is not used: drops-denial/)
    assert.equal(only(players).asked, 0)
    const { ask: askNext } = stage(dropping, passing)
    assert.equal((await askNext())[0], '198.51.100.2')
  })

  test('an answer by an AD bit that is no longer believed is not used [R6698-4.1-c]', async () => {
    const { ask, players, clock } = stage(validating)
    await clock.advance(INTERVAL - 500)
    const first = only(players)
    first.result = noLongerBelieved
    first.takes = 900
    const asking = ask()
    first.takes = 10
    assert.equal((await asking)[0], '198.51.100.1')
  })

  const remembered: readonly (readonly [string, readonly ProbeResult[], number])[] = [
    ['it continues to validate', [validating], 0],
    ['it fails', [failing], 0],
    ['its answers are validated here', [passing], 0],
    ['its answers are validated here, since its own word is wrong', [noLongerBelieved], 1],
    ['it drops what validation needs', [dropping], 0],
    ['it no longer validates', [notValidating], 1],
    ['it fails, and then does not validate', [failing, notValidating], 1],
    ['it does not validate, again and again', [notValidating, failing, notValidating], 1],
    [
      'it does not validate, then does, then does not',
      [notValidating, validating, notValidating],
      2,
    ],
  ]
  for (const [circumstance, results, wanted] of remembered) {
    test(`the cache is flushed ${wanted} times: ${circumstance}`, async () => {
      const { players, clock, forgotten } = stage(validating)
      await clock.advance(1_000)
      for (const result of results) {
        only(players).result = result
        await clock.advance(2 * INTERVAL)
      }
      assert.equal(forgotten(), wanted)
    })
  }

  test('a resolver that does not validate from the start: one flush, since the previous process may have trusted it', async () => {
    const { clock, forgotten } = stage(notValidating, validating)
    await clock.advance(2 * INTERVAL)
    assert.equal(forgotten(), 1)
  })

  test('all are probed when another relay reports a lapse, but not repeatedly', async () => {
    const { clock, players, pool } = stage(validating, validating)
    await clock.advance(10_000)
    const before = players.map(({ probed }) => probed)
    for (let i = 0; i < 10; i++) pool.probe()
    await clock.advance(100)
    assert.deepEqual(
      players.map(({ probed }) => probed),
      before.map((probed) => probed + 1),
    )
    pool.probe()
    await clock.advance(100)
    assert.deepEqual(
      players.map(({ probed }) => probed),
      before.map((probed) => probed + 1),
    )
    pool.close()
  })

  test('a resolver that validates again is used again, without a restart', async () => {
    const { ask, players, clock } = stage(notValidating)
    assert.match((await ask())[0], /^no-resolver/)
    only(players).result = validating
    await clock.advance(INTERVAL + 1_000)
    assert.equal((await ask())[0], '192.0.2.1')
  })

  test('the first resolver is preferred again once it is healthy', async () => {
    const { ask, players, clock } = stage(validating, validating)
    await clock.advance(5_000)
    Object.assign(only(players), { answer: failed('network'), result: failing })
    assert.equal((await ask())[0], '192.0.2.2')
    await clock.advance(100)
    const before = only(players).asked
    assert.equal((await ask())[0], '192.0.2.2')
    assert.equal(only(players).asked, before, 'a failing resolver is not asked')
    Object.assign(only(players), { answer: found('192.0.2.1'), result: validating })
    await clock.advance(INTERVAL)
    assert.equal((await ask())[0], '192.0.2.1')
  })

  test('a resolver that has only been seen to set AD is used, and probed soon', async () => {
    const { ask, players, clock } = stage(unconfirmed)
    assert.equal((await ask())[0], '192.0.2.1')
    await clock.advance(3_500)
    assert.equal(only(players).probed, 3, 'at 0, 1 and 3 seconds')
  })

  for (const lost of [failing, notValidating]) {
    test(`${lost.kind}: probed soon, then at growing intervals up to the configured one`, async () => {
      const { players, clock } = stage(lost)
      await clock.advance(3_500)
      assert.equal(only(players).probed, 3, 'at 0, 1 and 3 seconds')
      await clock.advance(600_000)
      const before = only(players).probed
      await clock.advance(600_000)
      assert.ok(only(players).probed - before >= 9 && only(players).probed - before <= 11)
    })

    test(`${lost.kind}, and none left: a lookup triggers a probe at once`, async () => {
      const { ask, players, clock } = stage(lost)
      await clock.advance(100_000)
      only(players).result = validating
      assert.equal((await ask())[0], '192.0.2.1')
    })
  }

  test('with none left, the first to recover answers; the probes of the others are not waited for', async () => {
    const { ask, players, clock } = stage(failing, failing)
    await clock.advance(100_000)
    only(players).takes = 3_500
    only(players, 1).result = validating
    const [answer, milliseconds] = await ask()
    assert.equal(answer, '192.0.2.2')
    assert.ok(milliseconds < TIMEOUT / 2, `${milliseconds} ms`)
  })

  test('a thousand lookups with none left share a few probes', async () => {
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

  test('a failure of the queried name triggers no probe, a failure of the server does', async () => {
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

  test('an exception in a probe counts as a failed resolver', async () => {
    const clock = createClock()
    const pool = createPool({
      members: [
        {
          server: 'resolver 1',
          lookup: () => Promise.reject(new Error('not to be asked')),
          probe: () => Promise.reject(new Error('a bug\nof ours')),
        },
      ],
      timeoutMs: TIMEOUT,
      probeIntervalMs: INTERVAL,
      now: clock.now,
      schedule: clock.schedule,
      random: Math.random,
      observe: () => undefined,
      flush: () => undefined,
    })
    assert.equal(text(await pool.lookup(MX, 'A')), 'no-resolver: resolver 1 fails: a bug?of ours')
  })

  test('closed during a probe: nothing is reported afterwards', async () => {
    const { pool, events, clock } = slowStage([500], failing)
    await clock.advance(100)
    pool.close()
    await clock.advance(10 * INTERVAL)
    assert.deepEqual(events, [])
  })

  test('no probes after close', async () => {
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

test('only changes are reported, and once when none is left', async () => {
  const { players, events, clock } = stage(validating, validating)
  await clock.advance(1_000)
  for (const player of players) player.result = notValidating
  await clock.advance(3 * INTERVAL)
  for (const player of players) player.result = validating
  await clock.advance(3 * INTERVAL)
  assert.deepEqual(
    events.map((event) =>
      event.kind === 'resolver'
        ? `${event.server} ${event.result.kind}${event.isFirst ? ' first' : ''}`
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
