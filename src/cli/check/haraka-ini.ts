/**
 * Reads an ini file of Haraka's as Haraka does.
 *
 * Haraka's reader skips lines that it cannot parse, and so does this one. If a key occurs
 * twice, the last value counts. Pure.
 */
import { parseIni } from '../../settings/ini.js'
import type { IniEntry } from '../../settings/ini.js'

export type HarakaIni = {
  /** As written; section '' is the part before any section. */
  readonly value: (section: string, key: string) => string | undefined
  /** Whether it is set to a value that haraka-config reads as true. */
  readonly isOn: (section: string, key: string) => boolean
  /** The values of `key[]`. */
  readonly list: (section: string, key: string) => readonly string[]
  /** A whole section, each value as haraka-config returns it, with the booleans of tls.ini. */
  readonly options: (section: string) => Readonly<Record<string, unknown>>
  /** The values of that key in all sections. */
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
    isOn: (section, key) => isTruth(of(section, key, false).at(-1) ?? 'no'),
    list: (section, key) => of(section, key, true),
    options: (section) =>
      Object.fromEntries(
        entries
          .filter((entry) => sectionOf(entry) === section)
          .map(({ key, isList, value }) => [
            key,
            isList ? of(section, key, true).map(numberOrText) : typed(key, value),
          ]),
      ),
    everywhere: (key) => entries.filter((entry) => entry.key === key).map(({ value }) => value),
  }
}

function typed(key: string, value: string): unknown {
  return BOOLEANS.has(key) ? isTruth(value) : numberOrText(value)
}

function numberOrText(value: string): string | number {
  return /^-?\d+(?:\.\d+)?$/.test(value) ? Number(value) : value
}

/** The booleans that Haraka declares for every section of tls.ini. */
const BOOLEANS: ReadonlySet<string> = new Set([
  'requestCert',
  'rejectUnauthorized',
  'honorCipherOrder',
  'requestOCSP',
])

/** By the rule of haraka-config. */
export function isTruth(value: string): boolean {
  return /^(?:true|yes|ok|enabled|on|1)$/i.test(value)
}

/** Lines that are neither blank nor comments, as Haraka reads `config/plugins`. */
export function readHarakaList(text: string): readonly string[] {
  return text
    .split(/\r\n|\r|\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '' && !/^[;#]/.test(line))
}

function lenient(text: string): readonly IniEntry[] {
  const lines = text.split(/\r\n|\r|\n/).filter((line) => parseIni(line).kind === 'read')
  const ini = parseIni(lines.join('\n'))
  return ini.kind === 'read' ? ini.entries : []
}

function sectionOf({ section }: IniEntry): string {
  return section === 'main' ? '' : section
}
