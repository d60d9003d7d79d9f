import assert from 'node:assert/strict'
import { test } from 'node:test'
import { mapConcurrently } from '../../../src/cli/map-concurrently.js'

const pause = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

async function* numbers(count: number, taken: number[]): AsyncGenerator<number> {
  for (let number = 0; number < count; number++) {
    await pause()
    taken.push(number)
    yield number
  }
}

test('never more than the limit at a time, and no item is taken before there is room', async () => {
  const taken: number[] = []
  const results: number[] = []
  let underway = 0
  let peak = 0
  const work = async (number: number): Promise<number> => {
    peak = Math.max(peak, ++underway)
    for (let turn = 0; turn < 8 + (number % 7); turn++) await pause()
    underway--
    return number
  }
  for await (const result of mapConcurrently(numbers(200, taken), 5, work)) {
    results.push(result)
    assert.ok(taken.length - results.length <= 5)
  }
  assert.equal(peak, 5)
  assert.deepEqual(
    results.toSorted((a, b) => a - b),
    Array.from({ length: 200 }, (_, index) => index),
  )
})

test('finished results are yielded while the source still waits', async () => {
  let release = (): void => undefined
  const gate = new Promise<void>((resolve) => {
    release = resolve
  })
  async function* slow(): AsyncGenerator<number> {
    yield 1
    await gate
    yield 2
  }
  const results: number[] = []
  for await (const result of mapConcurrently(slow(), 10, (number) => Promise.resolve(number))) {
    results.push(result)
    release()
  }
  assert.deepEqual(results, [1, 2])
})

test('a failure ends the iteration', async () => {
  const all = async (): Promise<void> => {
    const work = (number: number): Promise<number> =>
      number === 3 ? Promise.reject(new Error('three')) : Promise.resolve(number)
    for await (const _ of mapConcurrently(numbers(10, []), 2, work)) await pause()
  }
  await assert.rejects(all, /three/)
})
