/** docs/rfc-map.md against the sources and the tests, both ways. */
import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, test } from 'node:test'
import { ROOT } from '../../lab/root.js'

/**
 * What has no rows yet: finding the host, status codes, reports, MTA-STS and REQUIRETLS.
 * Who maps a section takes it out of this list.
 */
const OPEN = [
  'R-STATUS-',
  'R5321-',
  'R7505-',
  'R7672-1.1-',
  'R7672-10-',
  'R7672-2.2',
  'R8460-',
  'R8461-',
  'R8689-',
]

/** Who does it where no function of ours does. */
const ELSEWHERE = ['server', 'Haraka', 'Node']

const ID = /^(?:R\d{4}|R-STATUS|DERIVED)-[\w./-]+$/

type Row = {
  readonly id: string
  readonly level: string
  readonly where: string
  readonly tests: string
}

const rows: readonly Row[] = read('docs/rfc-map.md')
  .split('\n')
  .filter((line) => /^\| (R\d|R-|DERIVED)/.test(line))
  .map((line) => {
    const [, id = '', level = '', , where = '', tests = ''] = line
      .split('|')
      .map((cell) => cell.trim())
    return { id, level, where, tests }
  })

function read(file: string): string {
  return readFileSync(path.join(ROOT, file), 'utf8')
}

/** What stands in code spans. */
function spans(cell: string): readonly string[] {
  return Array.from(cell.matchAll(/`([^`]+)`/g), ([, text = '']) => text)
}

/** The ids in square brackets; in scenario files those of headings, which are the titles there. */
function idsIn(file: string): ReadonlySet<string> {
  const text = read(file)
  const titles = file.endsWith('.txt')
    ? text.split('\n').filter((line) => line.startsWith('=='))
    : [text]
  return new Set(
    titles.flatMap((title) =>
      Array.from(title.matchAll(/\[([^[\]]+)\]/g), ([, ids = '']) => ids.split(' '))
        .filter((ids) => ids.every((id) => ID.test(id)))
        .flat(),
    ),
  )
}

const LEVELS = [
  'MUST',
  'MUST NOT',
  'must',
  'SHOULD',
  'SHOULD NOT',
  'should',
  'RECOMMENDED',
  'MAY',
  'def',
]

describe('docs/rfc-map.md', () => {
  test('holds every requirement once', () => {
    assert.ok(rows.length > 80)
    const ids = rows.map(({ id }) => id)
    assert.deepEqual(
      ids.filter((id, index) => ids.indexOf(id) !== index),
      [],
    )
  })

  for (const { id, level, where, tests } of rows) {
    test(`row ${id}`, () => {
      assert.match(id, ID)
      assert.ok(LEVELS.includes(level.replace(/^srv /, '')) || level === 'srv', level)
      assert.deepEqual(
        OPEN.filter((prefix) => id.startsWith(prefix)),
        [],
        'open and mapped',
      )

      const places = spans(where)
      assert.ok(places.length > 0 || ELSEWHERE.includes(where), where)
      for (const place of places) {
        const [file = '', name = ''] = place.split(': ')
        assert.ok(existsSync(path.join(ROOT, file)), file)
        // A function, or a method of a class.
        const isThere = new RegExp(`(function ${name}\\b|^  (private )?${name}\\()`, 'm')
        assert.match(read(file), isThere, place)
      }

      const files = spans(tests)
      assert.ok(files.length > 0 || where === 'server', 'a test')
      for (const file of files) {
        assert.ok(existsSync(path.join(ROOT, file)), file)
        assert.ok(idsIn(file).has(id), `${file} has a test for [${id}]`)
      }
    })
  }
})

test('every requirement that a test claims is in the map, and the test with it', () => {
  const files = readdirSync(path.join(ROOT, 'test'), { recursive: true, encoding: 'utf8' })
    .filter((file) => /\.(test\.ts|txt)$/.test(file))
    .map((file) => `test/${file}`)
  const missing = files.flatMap((file) =>
    [...idsIn(file)]
      .filter((id) => !OPEN.some((prefix) => id.startsWith(prefix)))
      .filter((id) => !rows.some((row) => row.id === id && spans(row.tests).includes(file)))
      .map((id) => `${id} ${file}`),
  )
  assert.deepEqual(missing, [])
})
