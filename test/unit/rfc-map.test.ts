/** Checks docs/dev/rfc-map.md against the sources and the tests, in both directions. */
import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, test } from 'node:test'
import { ROOT } from '../../lab/root.js'

/**
 * Sections without rows: status codes, fallback relays, reports, MTA-STS and REQUIRETLS.
 * When a section is mapped, remove it from this list.
 */
const OPEN = ['R-STATUS-', 'R7672-1.1-', 'R8460-', 'R8461-', 'R8689-']

/** What meets a requirement that no function of this project meets. */
const ELSEWHERE = ['server', 'Haraka', 'Node']

const ID = /^(?:R\d{4}|R-STATUS|DERIVED|DNSSEC)-[\w./-]+$/

type Row = {
  readonly id: string
  readonly level: string
  readonly where: string
  readonly tests: string
}

/** `- ID, LEVEL: requirement`, and below it `where:` and `tests:`. */
const ROW = /^- (\S+), ([\w ]+): .+\n {2}- where: (.+)\n {2}- tests: (.+)$/gm

const rows: readonly Row[] = Array.from(
  read('docs/dev/rfc-map.md').matchAll(ROW),
  ([, id = '', level = '', where = '', tests = '']) => ({ id, level, where, tests }),
)

function read(file: string): string {
  return readFileSync(path.join(ROOT, file), 'utf8')
}

/** The contents of code spans. */
function spans(cell: string): readonly string[] {
  return Array.from(cell.matchAll(/`([^`]+)`/g), ([, text = '']) => text)
}

/** The ids in square brackets; in scenario files only those in headings. */
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

describe('docs/dev/rfc-map.md', () => {
  test('lists every requirement once', () => {
    const all = read('docs/dev/rfc-map.md').match(/^- (?:R|DERIVED|DNSSEC)[\w-]*\d|^- DERIVED/gm)
    assert.ok(rows.length > 150)
    assert.equal(rows.length, all?.length)
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

test('every requirement that a test names is in the map, with that test', () => {
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
