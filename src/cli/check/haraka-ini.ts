/**
 * What does Haraka read in its own configuration?
 *
 * Haraka's reader skips a line that it does not understand; so does this one, since the
 * question is what Haraka makes of the file. Of a key that stands twice the last counts.
 * Pure.
 */
import { parseIni } from '../../ini.js'
import type { IniEntry } from '../../ini.js'

export type HarakaIni = {
  /** As it stands there; '' for the part before any section. */
  readonly value: (section: string, key: string) => string | undefined
  /** Of `key[]`. */
  readonly list: (section: string, key: string) => readonly string[]
  /** Every value of that key, whatever the section. */
  readonly everywhere: (key: string) => readonly string[]
}

export function readHarakaIni(text: string): HarakaIni {
  const entries = lenient(text)
  const of = (section: string, key: string, isList: boolean): readonly string[] =>
    entries
      .filter(
        (entry) => entry.key === key && entry.isList === isList && sectionOf(entry) === section,
      )
      .map(({ value }) => value)
  return {
    value: (section, key) => of(section, key, false).at(-1),
    list: (section, key) => of(section, key, true),
    everywhere: (key) => entries.filter((entry) => entry.key === key).map(({ value }) => value),
  }
}

/** As haraka-config has it. */
export function isTruth(value: string): boolean {
  return /^(?:true|yes|ok|enabled|on|1)$/i.test(value)
}

/** Lines that say something, as Haraka reads `config/plugins`. */
export function readHarakaList(text: string): readonly string[] {
  return text
    .split(/\r\n|\r|\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '' && !/^[;#]/.test(line))
}

function lenient(text: string): readonly IniEntry[] {
  const lines = text.split(/\r\n|\r|\n/).filter((line) => !('fault' in parseIni(line)))
  const entries = parseIni(lines.join('\n'))
  return 'fault' in entries ? [] : entries
}

function sectionOf({ section }: IniEntry): string {
  return section === 'main' ? '' : section
}
