/** How do tests read README.md and docs/*.md: tables, sections, blocks of code? */
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { ROOT } from '../../lab/root.js'

/** README.md, SECURITY.md and all of docs, by their way from the project's folder. */
export const PAGES: readonly string[] = [
  'README.md',
  'SECURITY.md',
  ...readdirSync(path.join(ROOT, 'docs'))
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

/** What stands in fenced blocks of this language, in order. */
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

/** The words in code of a cell. */
export function codesOf(cell: string): readonly string[] {
  return Array.from(cell.matchAll(/`([^`]+)`/g), ([, word = '']) => word)
}
