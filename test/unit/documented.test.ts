/** docs/reasons.md and docs/metrics.md say what the sources say, and no more. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, test } from 'node:test'
import { ROOT } from '../../lab/root.js'
import { METRICS } from '../../src/metrics/catalog.js'
import { ALL_REASONS, phraseOf, statusOf } from '../../src/reason.js'
import type { Reason } from '../../src/reason.js'

/** The rows of a file's tables whose first cell is one word in code. */
function rowsOf(file: string): readonly (readonly string[])[] {
  return readFileSync(path.join(ROOT, 'docs', file), 'utf8')
    .split('\n')
    .map((line) => line.split('|').map((cell) => cell.trim()))
    .filter(([, first]) => /^`[\w-]+`$/.test(first ?? ''))
    .map(([, first = '', ...rest]) => [first.slice(1, -1), ...rest])
}

describe('docs/reasons.md', () => {
  const rows = rowsOf('reasons.md')

  test('has every reason once, and no other', () => {
    assert.deepEqual(rows.map(([reason]) => reason).toSorted(), ALL_REASONS.toSorted())
  })

  for (const reason of ALL_REASONS) {
    test(`${reason}: phrase and status of the source, and every cell filled`, () => {
      const [, phrase, status, ...told] = rows.find(([each]) => each === reason) ?? []
      assert.equal(phrase, phraseOf(reason))
      assert.equal(status, statusOf(reason).join('.'))
      assert.equal(told.length, 4)
      for (const cell of told.slice(0, 3)) assert.ok(cell.length > 3)
      assert.match(told[2] ?? '', statusOf(reason)[0] === 5 ? /^returned$/ : /waits$/)
    })
  }
})

describe('docs/metrics.md', () => {
  test('has every metric with its type and labels, and no other', () => {
    const documented = rowsOf('metrics.md').map(([name, type, labels = '', what = '']) => {
      assert.ok(what.length > 20)
      return [name, type, Array.from(labels.matchAll(/`(\w+)`/g), ([, label]) => label)]
    })
    const there = Object.entries(METRICS).map(([name, { type, labels }]) => [
      name,
      type,
      [...labels],
    ])
    assert.deepEqual(documented.toSorted(), there.toSorted())
  })

  test('its alerts ask for metrics and labels that exist', () => {
    const text = readFileSync(path.join(ROOT, 'docs/metrics.md'), 'utf8')
    const labels = new Map<string, readonly string[]>(
      Object.entries(METRICS).map(([name, definition]) => [name, definition.labels]),
    )
    const asked = [...text.matchAll(/(?<!`)\b(dane_\w+)\b(?!`)(?:\{(\w+)!?=)?/g)]
    assert.ok(asked.length >= 8)
    for (const [whole, name = '', label] of asked) {
      assert.ok(labels.has(name), whole)
      if (label !== undefined) assert.ok(labels.get(name)?.includes(label), whole)
    }
    for (const [, reasons = ''] of text.matchAll(/reason=~"([^"]+)"/g)) {
      for (const reason of reasons.split('|')) assert.ok(isReason(reason), reason)
    }
  })
})

function isReason(word: string): word is Reason {
  return ALL_REASONS.some((reason) => reason === word)
}
