/** Reads tables, sections and code blocks of README.md and docs/*.md. */
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { ROOT } from '../../lab/root.js'

/** README.md, SECURITY.md and all of docs, relative to the project's folder. */
export const PAGES: readonly string[] = [
  'README.md',
  'SECURITY.md',
  ...readdirSync(path.join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
]

export function pageText(page: string): string {
  return readFileSync(path.join(ROOT, page), 'utf8')
}

export type TableRow = {
  /** The heading above it, without its marks. */
  readonly heading: string
  readonly cells: readonly string[]
}

/** The rows of all tables of a page, without header and rule. */
export function rowsOf(text: string): readonly TableRow[] {
  const rows: TableRow[] = []
  let heading = ''
  let isBody = false
  for (const line of text.split('\n')) {
    const title = /^#+ (.*)$/.exec(line)
    if (title) heading = title[1]?.replaceAll('`', '') ?? ''
    if (!line.startsWith('|')) isBody = false
    else if (/^\|[-| ]+\|$/.test(line)) isBody = true
    else if (isBody) {
      const cells = line.split('|').slice(1, -1)
      rows.push({ heading, cells: cells.map((cell) => cell.trim()) })
    }
  }
  return rows
}

export type Entry = {
  /** The `##` heading above it. */
  readonly group: string
  readonly name: string
  /** Its first paragraph, which is one line of facts in a fixed form. */
  readonly facts: string
  /** All that follows. */
  readonly text: string
}

/** The `###` sections of a page whose heading is one word in code. */
export function entriesOf(text: string): readonly Entry[] {
  return text.split(/^## /m).flatMap((part) => {
    const [heading = '', ...sections] = part.split(/^### /m)
    const group = heading.split('\n')[0]?.replaceAll('`', '') ?? ''
    return sections.flatMap((section) => {
      const [, name, facts = '', rest = ''] = /^`([^`\n]+)`\n\n(.*)\n\n?([^]*)$/.exec(section) ?? []
      return name === undefined ? [] : [{ group, name, facts, text: rest.trim() }]
    })
  })
}

/** The contents of fenced blocks of this language, in order. */
export function blocksOf(text: string, language: string): readonly string[] {
  return Array.from(text.matchAll(/^```(\w*)\n(.*?)^```$/gms))
    .filter(([, mark]) => mark === language)
    .map(([, , code = '']) => code)
}

/** The text under a heading, its subsections included. */
export function sectionOf(text: string, heading: string): string {
  const [, after] = text.split(`\n## ${heading}\n`)
  if (after === undefined) throw new Error(`no section ${heading}`)
  return after.split(/^## /m)[0] ?? ''
}

/** The code spans of a cell. */
export function codesOf(cell: string): readonly string[] {
  return Array.from(cell.matchAll(/`([^`]+)`/g), ([, word = '']) => word)
}
