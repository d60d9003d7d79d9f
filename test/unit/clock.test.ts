import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createClock } from '../../src/clock.js'

/** What the two clocks show, one moment after the other, and what `now` and `lead` make of it. */
type Moment = readonly [wall: number, steady: number, now: number, lead: number]

const cases: readonly (readonly [string, readonly Moment[]])[] = [
  [
    'time goes by',
    [
      [1_000, 5, 1_000, 0],
      [1_100, 105, 1_100, 0],
    ],
  ],
  [
    'the wall clock is set back',
    [
      [1_000, 5, 1_000, 0],
      [400, 105, 1_100, 700],
    ],
  ],
  [
    'the machine slept',
    [
      [1_000, 5, 1_000, 0],
      [9_000, 6, 9_000, 0],
      [9_010, 16, 9_010, 0],
    ],
  ],
  [
    'set ahead by mistake, then right again: time goes on from there',
    [
      [1_000, 5, 1_000, 0],
      [9_000, 5, 9_000, 0],
      [1_000, 5, 9_000, 8_000],
      [1_200, 205, 9_200, 8_000],
    ],
  ],
]

for (const [circumstance, moments] of cases) {
  test(`the clock that facts are held by: ${circumstance}`, () => {
    let wall = 0
    let steady = 0
    const clock = createClock(
      () => wall,
      () => steady,
    )
    for (const [atWall, atSteady, now, lead] of moments) {
      wall = atWall
      steady = atSteady
      assert.deepEqual([clock.now(), clock.lead()], [now, lead])
    }
  })
}
