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
import { parseIni } from '../../src/settings/ini.js'
import { OptionReader, SettingsError } from '../../src/settings/option-reader.js'
import { parseSettings } from '../../src/settings/settings.js'
import { blocksOf, codesOf, entriesOf, PAGES, pageText, rowsOf } from '../support/pages.js'

describe('docs/options.md', () => {
  const options = entriesOf(pageText('docs/options.md')).map(({ group, name, facts, text }) => {
    const section = /^\[(\w+)\]$/.exec(group)?.[1] ?? ''
    const value = /^Default: `([^`]+)`\./.exec(facts)?.[1]
    const [, range] = /\bRange: (\d+\w* to \d+\w*)\./.exec(facts) ?? []
    const [, words = ''] = /\b(?:Values|Examples): (.*)\.$/.exec(facts) ?? []
    return { section, key: name, value, range, words: codesOf(words), text }
  })
  const nameOf = ({ section, key }: { section: string; key: string }): string =>
    `[${section}] ${key.replace('[]', '')}`
  const ini = ({ section, key }: { section: string; key: string }, value: string): string =>
    `${section === '' ? '' : `[${section}]\n`}${key} = ${value}\n`

  test('lists every option that the parser reads, and no other', () => {
    assert.deepEqual(options.map(nameOf).toSorted(), askedFor().toSorted())
  })

  test('lists every option of config/dane.ini with its default, and no other', () => {
    const shipped = shippedOptions()
    assert.deepEqual(options.map(nameOf).toSorted(), [...shipped.keys()].toSorted())
    for (const option of options) {
      assert.equal(option.value, shipped.get(nameOf(option)), nameOf(option))
      assert.ok(option.text.length > 10, nameOf(option))
    }
  })

  test('has a range or words to check', () => {
    assert.equal(options.filter(({ range }) => range !== undefined).length, 14)
    assert.equal(options.filter(({ words }) => words.length > 0).length, 14)
  })

  for (const option of options) {
    const { range, words } = option
    if (range !== undefined) {
      test(`${nameOf(option)}: ${range}`, () => {
        const [least = '', most = ''] = range.split(' to ')
        for (const good of [least, most]) parseSettings(ini(option, good))
        for (const bad of [below(least), above(most)]) refused(ini(option, bad))
      })
    }
    if (words.length > 0) {
      test(`${nameOf(option)}: ${words.join(', ')}`, () => {
        for (const good of words) parseSettings(ini(option, good))
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
        // The gateways differ in a single cell, `insecure_mx`.
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

  test('there are examples', () => {
    assert.ok(PAGES.flatMap((page) => blocksOf(pageText(page), 'ini')).length >= 8)
  })
})

test('no page has leftovers of a merge', () => {
  for (const page of PAGES) assert.doesNotMatch(pageText(page), /^(<{7}|={7}|>{7}|\| ={7}|> > > )/m)
})

describe('links', () => {
  for (const page of PAGES) {
    test(`${page}: every link leads to an existing page and heading`, () => {
      for (const [, target = ''] of pageText(page).matchAll(/\]\(([^)\s]+)\)/g)) {
        if (/^https?:/.test(target)) continue
        const [file = '', anchor] = target.split('#')
        const there = file === '' ? page : path.join(path.dirname(page), file)
        assert.ok(existsSync(path.join(ROOT, there)), target)
        if (anchor !== undefined) assert.ok(anchorsOf(pageText(there)).has(anchor), target)
      }
    })
  }

  test('none from a page of the package to one that is only in the repository', () => {
    const packed = PAGES.filter((page) => !page.startsWith('docs/dev/') && page !== 'README.md')
    for (const page of packed) assert.doesNotMatch(pageText(page), /\]\([^)]*dev\//, page)
    // In the README only where it says so.
    assert.doesNotMatch(pageText('README.md').split('\n## Development\n')[0] ?? '', /\]\(docs\/dev/)
  })

  test('README leads to every page for operators', () => {
    const readme = pageText('README.md')
    for (const page of PAGES.slice(1)) assert.ok(readme.includes(`](${page})`), page)
  })
})

/** Anchors as GitHub generates them. */
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

/** Every section and key that `parseSettings` reads, except [domains], whose keys are the operator's. */
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

/** By name; undefined if the file shows an example instead of a default. */
function shippedOptions(): ReadonlyMap<string, string | undefined> {
  const text = readFileSync(path.join(ROOT, 'config/dane.ini'), 'utf8')
  const read = (pattern: RegExp): readonly (readonly [string, string])[] => {
    const ini = parseIni(text.replace(pattern, ''))
    assert.ok(ini.kind === 'read')
    const { entries } = ini
    return entries
      .filter(({ section }) => section !== 'domains')
      .map(({ section, key, value }) => [`[${section}] ${key}`, value])
  }
  // A default has no space after its semicolon, an example has one.
  const defaults = new Map(read(/^;(?=[a-z_\d]+(\[\])? = )/gm))
  const all = read(/^; ?(?=[a-z_\d]+(\[\])? = )/gm)
  return new Map(all.map(([name]) => [name, defaults.get(name)]))
}

function refused(text: string): void {
  assert.throws(() => parseSettings(text), SettingsError, text)
}

/** The nearest value out of range: `below('10ms')` is `9ms`. */
function below(bound: string): string {
  return bound.replace(/\d+/, (digits) => String(Number(digits) - 1))
}

function above(bound: string): string {
  return bound.replace(/\d+/, (digits) => String(Number(digits) + 1))
}

test('every page has npx --no: without it, npx downloads a package of that name and runs it', () => {
  for (const page of PAGES) {
    const shown = blocksOf(pageText(page), 'sh').join('\n')
    assert.doesNotMatch(shown, /npx (?!--no )/, page)
    assert.doesNotMatch(shown, /(^|[^/-])\bnpx --no (?!haraka-dane)/, page)
  }
})
