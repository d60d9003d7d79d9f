/**
 * Parses an ini file.
 *
 * The dialect of Haraka's own reader (sections, `key = value`, `key[] = value`,
 * comments with `;` or `#` on separate lines), with two differences: any other line is
 * refused instead of skipped, and every value has its line number. A policy lost to a
 * typing mistake would mean mail without DANE.
 *
 * Does not interpret keys. Pure.
 */

export type IniEntry = {
  /** The section's name; '' before the first section header. */
  readonly section: string
  /** Without the `[]` of a list. */
  readonly key: string
  readonly isList: boolean
  readonly value: string
  /** Counted from 1. */
  readonly line: number
}

export type Ini =
  | { readonly kind: 'read'; readonly entries: readonly IniEntry[] }
  /** The first line that cannot be read. */
  | { readonly kind: 'unreadable'; readonly line: number; readonly detail: string }

export function parseIni(text: string): Ini {
  const entries: IniEntry[] = []
  let section = ''
  for (const [index, raw] of text
    .replace(/^\uFEFF/, '')
    .split(/\r\n|\r|\n/)
    .entries()) {
    const content = raw.trim()
    const line = index + 1
    if (content === '' || content.startsWith(';') || content.startsWith('#')) continue
    const header = /^\[([^\]]*)\]$/.exec(content)
    if (header) {
      section = (header[1] ?? '').trim()
      continue
    }
    const equals = content.indexOf('=')
    if (equals < 1) {
      const detail = 'neither a section, nor key = value, nor a comment'
      return { kind: 'unreadable', line, detail }
    }
    const name = content.slice(0, equals).trim()
    const isList = name.endsWith('[]')
    const key = isList ? name.slice(0, -2).trim() : name
    entries.push({ section, key, isList, value: content.slice(equals + 1).trim(), line })
  }
  return { kind: 'read', entries }
}
