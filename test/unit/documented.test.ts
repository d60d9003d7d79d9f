/** docs/reasons.md and docs/metrics.md say what the sources say, and no more. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, test } from 'node:test'
import { ROOT } from '../../lab/root.js'
import { METRICS } from '../../src/metrics/catalog.js'
import { ALL_REASONS, phraseOf, statusOf } from '../../src/reason.js'
import type { Reason } from '../../src/reason.js'
import { entriesOf, pageText } from '../support/pages.js'

/** The rows of a file's tables whose first cell is one word in code. */
function rowsOf(file: string): readonly (readonly string[])[] {
  return readFileSync(path.join(ROOT, 'docs', file), 'utf8')
    .split('\n')
    .map((line) => line.split('|').map((cell) => cell.trim()))
    .filter(([, first]) => /^`[\w-]+`$/.test(first ?? ''))
    .map(([, first = '', ...rest]) => [first.slice(1, -1), ...rest])
}

describe('docs/reasons.md', () => {
  const entries = entriesOf(pageText('docs/reasons.md'))

  test('lists every reason exactly once, and no other word', () => {
    assert.deepEqual(entries.map(({ name }) => name).toSorted(), ALL_REASONS.toSorted())
  })

  for (const reason of ALL_REASONS) {
    test(`${reason}: phrase and status match the source, with meaning and advice`, () => {
      const { facts = '', text = '' } = entries.find(({ name }) => name === reason) ?? {}
      const [, status, phrase, mail = ''] = /^([\d.]+), "(.+)"\. Mail: (.+)\.$/.exec(facts) ?? []
      assert.equal(phrase, phraseOf(reason))
      assert.equal(status, statusOf(reason).join('.'))
      assert.match(mail, statusOf(reason)[0] === 5 ? /^returned$/ : /waits$/)
      assert.match(text, /^.+\n\nWhat to do(, at the destination)?: .{4,}$/m)
    })
  }
})

describe('docs/metrics.md', () => {
  test('lists every metric with its type and labels, and no other', () => {
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

  test('alerts use only metrics and labels that exist', () => {
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
