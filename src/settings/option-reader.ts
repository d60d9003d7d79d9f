/**
 * Reads and validates options of an ini file.
 *
 * Options are taken one by one, each with its range; those left over at the end are
 * unknown. An error is one line that names the file, the line, the option, its value and
 * what is expected. Pure.
 */
import { parseIni } from './ini.js'
import type { IniEntry } from './ini.js'
import { printable } from '../text.js'

/** A bad setting. The message is one line for the operator and has no stack. */
export class SettingsError extends Error {
  override readonly name = 'SettingsError'

  constructor(message: string) {
    super(printable(message, 400))
    this.stack = `${this.name}: ${this.message}`
  }
}

export class OptionReader {
  private readonly source: string
  private readonly left: Set<IniEntry>
  /** The sections in which each option was looked for. */
  private readonly known = new Map<string, Set<string>>()

  /** @param source the file's name in errors */
  constructor(text: string, source: string) {
    const ini = parseIni(text)
    if (ini.kind === 'unreadable') {
      throw new SettingsError(`${source} line ${ini.line}: ${ini.detail}`)
    }
    this.source = source
    this.left = new Set(ini.entries)
  }

  oneOf<T extends string>(section: string, key: string, words: readonly T[], fallback: T): T {
    const entry = this.scalar(section, key)
    return entry === undefined ? fallback : this.word(entry, words)
  }

  isOn(section: string, key: string, fallback: boolean): boolean {
    return YES.has(this.oneOf(section, key, YES_OR_NO, fallback ? 'yes' : 'no'))
  }

  /** Whether the section has any options. Must be called before they are taken. */
  has(section: string): boolean {
    return [...this.left].some((entry) => entry.section === section)
  }

  /** The line of an option, counted from 1. Must be called before it is taken. */
  lineOf(section: string, key: string): number | undefined {
    return this.find(section, key)[0]?.line
  }

  integer(section: string, key: string, least: number, most: number, fallback: number): number {
    const entry = this.scalar(section, key)
    if (entry === undefined) return fallback
    const value = /^\d{1,10}$/.test(entry.value) ? Number(entry.value) : NaN
    if (value >= least && value <= most) return value
    throw this.complaint(entry, `a whole number from ${least} to ${most}`)
  }

  /** In milliseconds; written as 500ms, 5s, 2m, 1h or a number of seconds. */
  duration(section: string, key: string, least: number, most: number, fallback: number): number {
    const entry = this.scalar(section, key)
    if (entry === undefined) return fallback
    const [, digits, unit = 's'] = /^(\d{1,7})(ms|s|m|h)?$/.exec(entry.value) ?? []
    const value = Number(digits ?? NaN) * (UNITS[unit] ?? NaN)
    if (value >= least && value <= most) return value
    throw this.complaint(
      entry,
      `a time from ${timeText(least)} to ${timeText(most)}, such as ${timeText(fallback)}`,
    )
  }

  /** The value as parsed by `parse`; `wanted` describes what it accepts. */
  parsed<T>(
    section: string,
    key: string,
    wanted: string,
    parse: (value: string) => T | undefined,
  ): T | undefined {
    const entry = this.scalar(section, key)
    return entry && this.parse(entry, wanted, parse)
  }

  /** The parsed values of `key[]`, without duplicates; `spell` normalizes spellings for that comparison. */
  list<T>(
    section: string,
    key: string,
    wanted: string,
    parse: (value: string) => T | undefined,
    spell?: (parsed: T) => string,
  ): readonly T[] {
    const seen = new Set<string>()
    return this.take(section, key).map((entry) => {
      if (!entry.isList) throw this.complaint(entry, `a list: write ${key}[] = ...`)
      const parsed = this.parse(entry, wanted, parse)
      const spelling = spell?.(parsed) ?? entry.value
      if (seen.has(spelling)) throw this.complaint(entry, 'each value once')
      seen.add(spelling)
      return parsed
    })
  }

  /** All entries of a section with arbitrary keys. */
  section(name: string): readonly IniEntry[] {
    const entries = [...this.left].filter(({ section }) => section === name)
    for (const entry of entries) this.left.delete(entry)
    return entries
  }

  word<T extends string>(entry: IniEntry, words: readonly T[]): T {
    return this.parse(entry, `one of ${words.join(', ')}`, (value) =>
      words.find((known) => known === value),
    )
  }

  refuseTheRest(): void {
    for (const entry of this.left) throw this.misplaced(entry, this.placeHint(entry))
  }

  /** @param hint where it belongs; may be empty */
  misplaced(entry: IniEntry, hint: string): SettingsError {
    return new SettingsError(
      `${this.source} line ${entry.line}: unknown option ${optionText(entry)}${hint}`,
    )
  }

  /**
   * Where an option belongs that is in the wrong section, as a line that was appended to
   * the file; empty if there is no such option. Must be called after it was looked for.
   */
  placeHint({ key, section }: IniEntry): string {
    const places = [...(this.known.get(key) ?? [])].filter((place) => place !== section)
    if (places.length === 0) return ''
    const names = places.map((place) =>
      place === '' ? 'at the top, before the first [section]' : `in [${place}]`,
    )
    return `: ${key} belongs ${names.join(' or ')}; a line belongs to the [section] above it`
  }

  complaint(entry: IniEntry, wanted: string): SettingsError {
    const { section, key, value, line } = entry
    const shown = mayShow(section, key) ? value : '(not shown)'
    const hint = /\s[;#]/.test(value) ? ' (comments go on separate lines)' : ''
    return new SettingsError(
      `${this.source} line ${line}: ${optionText(entry)} = ${shown}: expected ${wanted}${hint}`,
    )
  }

  /** An error about a combination of options. */
  fault(text: string): SettingsError {
    return new SettingsError(`${this.source}: ${text}`)
  }

  private parse<T>(entry: IniEntry, wanted: string, parse: (value: string) => T | undefined): T {
    const parsed = parse(entry.value)
    if (parsed !== undefined) return parsed
    throw this.complaint(entry, wanted)
  }

  private scalar(section: string, key: string): IniEntry | undefined {
    const [entry, second] = this.take(section, key)
    if (entry?.isList) throw this.complaint(entry, 'one value, not a list')
    if (second) throw this.complaint(second, `only once: line ${entry?.line ?? 0} sets it too`)
    return entry
  }

  private take(section: string, key: string): readonly IniEntry[] {
    const taken = this.find(section, key)
    for (const entry of taken) this.left.delete(entry)
    return taken
  }

  private find(section: string, key: string): readonly IniEntry[] {
    this.known.set(key, (this.known.get(key) ?? new Set()).add(section))
    // [main] is Haraka's name for options before any section.
    return [...this.left].filter(
      (entry) => entry.key === key && (entry.section === 'main' ? '' : entry.section) === section,
    )
  }
}

function optionText({
  section,
  key,
  isList,
}: Pick<IniEntry, 'section' | 'key' | 'isList'>): string {
  return `${section === '' ? '' : `[${section}] `}${key}${isList ? '[]' : ''}`
}

function timeText(milliseconds: number): string {
  return milliseconds % 1000 === 0 ? `${milliseconds / 1000}s` : `${milliseconds}ms`
}

const YES_OR_NO = ['yes', 'no', 'true', 'false', 'on', 'off'] as const
const YES: ReadonlySet<string> = new Set(['yes', 'true', 'on'])
/** [redis] has secrets, also under misspelled names; other sections have none. */
function mayShow(section: string, key: string): boolean {
  return section.toLowerCase() !== 'redis' || OPEN.has(key)
}

const OPEN: ReadonlySet<string> = new Set([
  'enabled',
  'port',
  'db',
  'tls',
  'ca_file',
  'prefix',
  'timeout',
  'master',
])
const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 }
