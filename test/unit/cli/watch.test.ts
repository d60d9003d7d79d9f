/** What `verify --watch` calls a change, and when it checks again. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { changesOf, changeText } from '../../../src/cli/report/watch.js'
import type { Sighting, What } from '../../../src/cli/report/watch.js'
import { waitAfter } from '../../../src/cli/verify-watch.js'

function sighting(seen: Readonly<Record<string, readonly string[]>>, ttlMs?: number): Sighting {
  const what = (key: string): What => (key === 'verdict' ? 'verdict' : 'tlsa')
  return {
    verdict: 'verified',
    instant: 0,
    ttlMs,
    seen: new Map(
      Object.entries(seen).map(([key, values]) => [key, { what: what(key), where: 'x', values }]),
    ),
  }
}

describe('changes', () => {
  const cases: readonly (readonly [string, Sighting | undefined, Sighting, readonly string[]])[] = [
    ['the first check: what there is', undefined, sighting({ a: ['1', '2'] }), ['TLSA of x: 1; 2']],
    ['nothing', sighting({ a: ['1'] }), sighting({ a: ['1'] }), []],
    ['one more', sighting({ a: ['1'] }), sighting({ a: ['1', '2'] }), ['TLSA of x: new: 2']],
    ['another one', sighting({ a: ['1'] }), sighting({ a: ['2'] }), ['TLSA of x: new: 2; gone: 1']],
    ['no host any more', sighting({ a: ['1'] }), sighting({}), ['TLSA of x: no longer seen']],
    [
      'the verdict',
      sighting({ verdict: ['verified'] }),
      sighting({ verdict: ['no-dane'] }),
      ['verdict for x: no-dane (before: verified)'],
    ],
  ]
  for (const [circumstance, before, after, wanted] of cases) {
    test(circumstance, () => {
      assert.deepEqual(changesOf(before, after).map(changeText), wanted)
    })
  }
})

test('the time to the next check: as given, or by the TTL from 10 seconds to 5 minutes', () => {
  for (const [ttlMs, interval, wanted] of [
    [undefined, undefined, 60_000],
    [0, undefined, 10_000],
    [30_000, undefined, 31_000],
    [3_600_000, undefined, 300_000],
    [30_000, 2_000, 2_000],
  ] as const)
    assert.equal(waitAfter(sighting({}, ttlMs), interval), wanted)
})
