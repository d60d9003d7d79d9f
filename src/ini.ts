/**
 * What stands in an ini file, line by line?
 *
 * The dialect of Haraka's own reader (sections, `key = value`, `key[] = value`,
 * comments with `;` or `#` on lines of their own), with two differences: a line that
 * is none of these is refused instead of skipped, and every value knows its line. A
 * domain whose policy was lost to a typing mistake would be mail without DANE.
 *
 * Says nothing about what keys mean. Pure.
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

/** A line that cannot be read: 1 for the first. */
export type IniFault = { readonly line: number; readonly fault: string }

export function parseIni(text: string): readonly IniEntry[] | IniFault {
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
    if (equals < 1) return { line, fault: 'neither a section, nor key = value, nor a comment' }
    const name = content.slice(0, equals).trim()
    const isList = name.endsWith('[]')
    const key = isList ? name.slice(0, -2).trim() : name
    entries.push({ section, key, isList, value: content.slice(equals + 1).trim(), line })
  }
  return entries
}
