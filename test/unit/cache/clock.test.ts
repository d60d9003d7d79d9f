import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createClock } from '../../../src/cache/clock.js'

/** Successive readings of the two clocks, and the resulting `now`. */
type Moment = readonly [wall: number, steady: number, now: number]

const cases: readonly (readonly [string, readonly Moment[]])[] = [
  [
    'time passes',
    [
      [1_000, 5, 1_000],
      [1_100, 105, 1_100],
    ],
  ],
  [
    'the wall clock is set back',
    [
      [1_000, 5, 1_000],
      [400, 105, 1_100],
    ],
  ],
  [
    'the machine was suspended',
    [
      [1_000, 5, 1_000],
      [9_000, 6, 9_000],
      [9_010, 16, 9_010],
    ],
  ],
  [
    'set ahead by mistake, then corrected: time continues from there',
    [
      [1_000, 5, 1_000],
      [9_000, 5, 9_000],
      [1_000, 5, 9_000],
      [1_200, 205, 9_200],
    ],
  ],
]

for (const [circumstance, moments] of cases) {
  test(`the clock of the cache: ${circumstance}`, () => {
    let wall = 0
    let steady = 0
    const clock = createClock(
      () => wall,
      () => steady,
    )
    for (const [atWall, atSteady, now] of moments) {
      wall = atWall
      steady = atSteady
      assert.equal(clock(), now)
    }
  })
}
