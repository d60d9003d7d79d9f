/** The operator's pages say what the sources do: options, verdicts, examples, links. */
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { before, describe, test } from 'node:test'
import { beyondRows } from '../../lab/beyond-rows.js'
import { createAuthority } from '../../lab/laboratory.js'
import { ROOT } from '../../lab/root.js'
import { readTable } from '../../lab/rows.js'
import type { Row } from '../../lab/rows.js'
import { parseIni } from '../../src/ini.js'
import { OptionReader, SettingsError } from '../../src/option-reader.js'
import { parseSettings } from '../../src/settings.js'
import { blocksOf, codesOf, PAGES, pageText, rowsOf } from '../support/pages.js'

describe('docs/options.md', () => {
  const options = rowsOf(pageText('docs/options.md')).map(({ heading, cells }) => {
    const [name = '', value = '', range = '', told = ''] = cells
    const section = /^\[(\w+)\]$/.exec(heading)?.[1] ?? ''
    return { section, key: codesOf(name)[0] ?? '', value: codesOf(value)[0], range, told }
  })
  const nameOf = ({ section, key }: { section: string; key: string }): string =>
    `[${section}] ${key.replace('[]', '')}`
  const ini = ({ section, key }: { section: string; key: string }, value: string): string =>
    `${section === '' ? '' : `[${section}]\n`}${key} = ${value}\n`

  test('has every option that the parser asks for, and no other', () => {
    assert.deepEqual(options.map(nameOf).toSorted(), askedFor().toSorted())
  })

  test('has every option of config/dane.ini with its default, and no other', () => {
    const shipped = shippedOptions()
    assert.deepEqual(options.map(nameOf).toSorted(), [...shipped.keys()].toSorted())
    for (const option of options) {
      assert.equal(option.value, shipped.get(nameOf(option)), nameOf(option))
      assert.ok(option.told.length > 10, nameOf(option))
    }
  })

  for (const option of options) {
    const range = /^(\d+\w*) to (\d+\w*)$/.exec(option.range)
    if (range) {
      test(`${nameOf(option)}: ${option.range}`, () => {
        const [, least = '', most = ''] = range
        for (const good of [least, most]) parseSettings(ini(option, good))
        for (const bad of [below(least), above(most)]) refused(ini(option, bad))
      })
    } else if (/^(`[^`]+`(, )?)+$/.test(option.range)) {
      test(`${nameOf(option)}: ${option.range}`, () => {
        for (const good of codesOf(option.range)) parseSettings(ini(option, good))
        refused(ini(option, 'something else'))
      })
    }
  }
})

describe('docs/verdicts.md', () => {
  const rows = rowsOf(pageText('docs/verdicts.md'))
  const table = rows.filter(({ heading, cells }) => heading === 'The table' && cells.length === 6)
  const under = rows.filter(({ heading, cells }) => heading === 'The table' && cells.length === 5)
  const facts = (cells: readonly string[]): string => cells.slice(0, 4).join(', ')

  for (const row of readTable()) {
    const { source, policy, mx, address, tlsa, certificate, action, reason } = row
    const shown = certificate === 'any' ? ['match', 'mismatch'] : [certificate]
    for (const word of shown) {
      const known = facts([mx, address, tlsa, word])
      test(`${source}, ${policy}: ${known}`, () => {
        // The one cell in which the gateways differ is `insecure_mx`.
        const may = source === 'esa' && policy === 'opportunistic' ? under : []
        const { cells } = [...may, ...table].find((each) => facts(each.cells) === known) ?? {}
        const told = cells?.[policy === 'opportunistic' ? 4 : 5]
        if (reason === '') assert.equal(told?.split(':')[0], action)
        else assert.equal(told, `${action}: ${reason}`)
      })
    }
  }

  test('has no other rows', () => {
    const known = new Set(
      readTable().map((row) => facts([row.mx, row.address, row.tlsa, row.certificate])),
    )
    for (const { cells } of [...table, ...under]) assert.ok(known.has(facts(cells)), facts(cells))
    assert.equal(table.length, 15)
    assert.equal(under.length, 2)
  })

  describe('beyond the table', () => {
    let all: readonly Row[]
    before(async () => {
      all = await beyondRows(25, await createAuthority())
    })
    for (const { heading, cells } of rows) {
      if (heading !== 'Beyond the table') continue
      const [id = '', policy = '', , told = ''] = cells
      test(`${id}: ${told}`, () => {
        const row = all.find((each) => each.id === codesOf(id)[0])
        assert.ok(row)
        assert.equal(codesOf(policy)[0], row.policy)
        const { wanted } = row
        if ('reason' in wanted) assert.equal(told, `${wanted.action}: ${wanted.reason}`)
        else if ('isEncrypted' in wanted) assert.equal(told, `${wanted.action}, over TLS`)
        else assert.equal(told, wanted.action)
      })
    }
  })
})

describe('examples', () => {
  for (const page of PAGES) {
    for (const block of blocksOf(pageText(page), 'ini')) {
      test(`${page}: dane.ini takes ${block.split('\n').slice(0, 2).join(' ')}`, () => {
        parseSettings(block)
      })
    }
  }

  test('there are some', () => {
    assert.ok(PAGES.flatMap((page) => blocksOf(pageText(page), 'ini')).length >= 8)
  })
})

describe('links', () => {
  for (const page of PAGES) {
    test(`${page}: each leads to a page and a heading that there are`, () => {
      for (const [, target = ''] of pageText(page).matchAll(/\]\(([^)\s]+)\)/g)) {
        if (/^https?:/.test(target)) continue
        const [file = '', anchor] = target.split('#')
        const there = file === '' ? page : path.join(path.dirname(page), file)
        assert.ok(existsSync(path.join(ROOT, there)), target)
        if (anchor !== undefined) assert.ok(anchorsOf(pageText(there)).has(anchor), target)
      }
    })
  }

  test('README leads to every page for operators', () => {
    const readme = pageText('README.md')
    for (const page of PAGES.slice(1)) assert.ok(readme.includes(`](${page})`), page)
  })
})

/** As GitHub makes them. */
function anchorsOf(text: string): ReadonlySet<string> {
  const titles = Array.from(text.matchAll(/^#+ (.*)$/gm), ([, title = '']) => title)
  return new Set(
    titles.map((title) =>
      title
        .toLowerCase()
        .replace(/[^\w\- ]/g, '')
        .replaceAll(' ', '-'),
    ),
  )
}

/** Every section and key that `parseSettings` looks for, but for [domains], whose keys are the operator's. */
function askedFor(): readonly string[] {
  const asked = new Set<string>()
  const find: unknown = Reflect.get(OptionReader.prototype, 'find')
  assert.ok(typeof find === 'function')
  Reflect.set(OptionReader.prototype, 'find', function (this: unknown, ...args: unknown[]) {
    asked.add(`[${String(args[0])}] ${String(args[1])}`)
    const entries: unknown = Reflect.apply(find, this, args)
    return entries
  })
  try {
    parseSettings('')
  } finally {
    Reflect.set(OptionReader.prototype, 'find', find)
  }
  return [...asked]
}

/** By name; undefined where the file shows an example in place of a default. */
function shippedOptions(): ReadonlyMap<string, string | undefined> {
  const text = readFileSync(path.join(ROOT, 'config/dane.ini'), 'utf8')
  const entriesOf = (pattern: RegExp): readonly (readonly [string, string])[] => {
    const entries = parseIni(text.replace(pattern, ''))
    assert.ok(!('fault' in entries))
    return entries
      .filter(({ section }) => section !== 'domains')
      .map(({ section, key, value }) => [`[${section}] ${key}`, value])
  }
  // A default has no space behind its semicolon, an example has one.
  const defaults = new Map(entriesOf(/^;(?=[a-z_]+(\[\])? = )/gm))
  const all = entriesOf(/^; ?(?=[a-z_]+(\[\])? = )/gm)
  return new Map(all.map(([name]) => [name, defaults.get(name)]))
}

function refused(text: string): void {
  assert.throws(() => parseSettings(text), SettingsError, text)
}

/** The nearest that is out of range: `below('10ms')` is `9ms`. */
function below(bound: string): string {
  return bound.replace(/\d+/, (digits) => String(Number(digits) - 1))
}

function above(bound: string): string {
  return bound.replace(/\d+/, (digits) => String(Number(digits) + 1))
}
