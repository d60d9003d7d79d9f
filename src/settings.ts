/**
 * What did the operator ask for?
 *
 * `parseSettings` turns the text of dane.ini into frozen `Settings`, or throws a
 * `SettingsError` whose one line names the option, what stood there and what could.
 * Unknown sections, unknown keys, keys that stand twice and values out of range are
 * refused: a setting that is not understood is a promise that is not kept.
 *
 * Defaults are here; config/dane.ini documents them and a test holds the two
 * together. Pure.
 */
import { parseIni } from './ini.js'
import type { IniEntry } from './ini.js'
import { parseDomainName } from './name.js'
import type { DomainName } from './name.js'
import { INSECURE_MX, POLICIES } from './policy.js'
import type { InsecureMx, Policy } from './policy.js'
import { isLoopback, isPort, parseServerAddress } from './server-address.js'
import type { ServerAddress } from './server-address.js'
import { printable } from './text.js'

export const ROUTES = ['dane', 'skip', 'defer'] as const
/** What happens to a next hop that another plugin chose. */
export type RoutesPolicy = (typeof ROUTES)[number]

/** A line of [domains]. */
export type DomainRule = {
  readonly name: DomainName
  /** `.name`: everything below, not the name itself. */
  readonly isSuffix: boolean
  readonly policy: Policy
  /** In dane.ini, counted from 1. */
  readonly line: number
}

export type Settings = {
  readonly policy: Policy
  readonly insecureMx: InsecureMx
  readonly routes: RoutesPolicy
  /** The port of MX hosts: 25 outside laboratories. */
  readonly port: number
  /** By `ruleKey`. */
  readonly domains: ReadonlyMap<string, DomainRule>
  readonly resolver: { readonly server: ServerAddress; readonly timeoutMs: number }
  readonly cache: { readonly entries: number }
}

/** A bad setting. The message is one line for the operator and has no stack. */
export class SettingsError extends Error {
  override readonly name = 'SettingsError'

  constructor(message: string) {
    super(printable(message, 400))
    this.stack = `${this.name}: ${this.message}`
  }
}

/** @param source how messages name the file */
export function parseSettings(text: string, source = 'dane.ini'): Settings {
  const entries = parseIni(text)
  if ('fault' in entries)
    throw new SettingsError(`${source} line ${entries.line}: ${entries.fault}`)
  const reader = new Reader(source, entries)
  const settings: Settings = {
    policy: reader.oneOf('', 'policy', POLICIES, 'opportunistic'),
    insecureMx: reader.oneOf('', 'insecure_mx', INSECURE_MX, 'dane'),
    routes: reader.oneOf('', 'routes', ROUTES, 'dane'),
    port: reader.integer('', 'port', 1, 65535, 25),
    domains: reader.domains(),
    resolver: {
      server: reader.server(),
      timeoutMs: reader.duration('resolver', 'timeout', 100, 10_000, 5_000),
    },
    cache: { entries: reader.integer('cache', 'entries', 100, 10_000_000, 20_000) },
  }
  reader.refuseTheRest()
  return Object.freeze(settings)
}

/** Which policy holds for a domain, and the rule that says so; without one it is the default. */
export function policyFor(
  settings: Settings,
  domain: DomainName,
): { readonly policy: Policy; readonly rule: DomainRule | undefined } {
  let rule = settings.domains.get(domain)
  // The longest match wins: the name itself, then ever shorter suffixes.
  for (
    let at = domain.indexOf('.');
    rule === undefined && at !== -1;
    at = domain.indexOf('.', at + 1)
  ) {
    rule = settings.domains.get(domain.slice(at))
  }
  return { policy: rule?.policy ?? settings.policy, rule }
}

/** Takes options out of the file one by one; what is left over nobody understood. */
class Reader {
  private readonly source: string
  private readonly left: Set<IniEntry>

  constructor(source: string, entries: readonly IniEntry[]) {
    this.source = source
    this.left = new Set(entries)
  }

  oneOf<T extends string>(section: string, key: string, words: readonly T[], fallback: T): T {
    const entry = this.scalar(section, key)
    if (entry === undefined) return fallback
    return this.word(entry, words)
  }

  integer(section: string, key: string, least: number, most: number, fallback: number): number {
    const entry = this.scalar(section, key)
    if (entry === undefined) return fallback
    const value = /^\d{1,10}$/.test(entry.value) ? Number(entry.value) : NaN
    if (value >= least && value <= most) return value
    throw this.complaint(entry, `a whole number from ${least} to ${most}`)
  }

  /** In milliseconds; written as 500ms, 5s, 2m or a number of seconds. */
  duration(section: string, key: string, least: number, most: number, fallback: number): number {
    const entry = this.scalar(section, key)
    if (entry === undefined) return fallback
    const [, digits, unit = 's'] = /^(\d{1,7})(ms|s|m)?$/.exec(entry.value) ?? []
    const value = Number(digits ?? NaN) * (unit === 'ms' ? 1 : unit === 's' ? 1_000 : 60_000)
    if (value >= least && value <= most) return value
    throw this.complaint(
      entry,
      `a time from ${least}ms to ${most / 1000}s, such as ${fallback / 1000}s`,
    )
  }

  server(): ServerAddress {
    const entries = this.take('resolver', 'server')
    const [entry, second] = entries
    if (entry === undefined) return { address: '127.0.0.1', port: 53 }
    if (!entry.isList) throw this.complaint(entry, 'a list: write server[] = ...')
    if (second) throw this.complaint(second, 'a single server')
    const server = parseServerAddress(entry.value)
    if (server === undefined || !isPort(server.port)) {
      throw this.complaint(entry, 'an IP address with or without a port, such as 127.0.0.1:53')
    }
    // RFC 4035 §4.9.3: anyone between us and a resolver elsewhere could forge its verdicts.
    if (!isLoopback(server)) {
      throw this.complaint(
        entry,
        'a resolver on this machine (127.0.0.0/8 or ::1), whose answers nobody can change',
      )
    }
    return server
  }

  domains(): ReadonlyMap<string, DomainRule> {
    const rules = new Map<string, DomainRule>()
    for (const entry of [...this.left].filter(({ section }) => section === 'domains')) {
      this.left.delete(entry)
      const isSuffix = entry.key.startsWith('.')
      const name = entry.isList ? undefined : parseDomainName(entry.key.slice(isSuffix ? 1 : 0))
      if (name === undefined)
        throw this.complaint(entry, 'a domain name, or .name for all below it')
      const rule = { name, isSuffix, policy: this.word(entry, POLICIES), line: entry.line }
      const twin = rules.get(ruleKey(rule))
      if (twin) throw this.complaint(entry, `only once: it stands in line ${twin.line} too`)
      rules.set(ruleKey(rule), rule)
    }
    return rules
  }

  refuseTheRest(): void {
    for (const entry of this.left) throw this.complaint(entry, 'an option that exists')
  }

  private scalar(section: string, key: string): IniEntry | undefined {
    const [entry, second] = this.take(section, key)
    if (entry?.isList) throw this.complaint(entry, 'one value, not a list')
    if (second) throw this.complaint(second, `only once: it stands in line ${entry?.line ?? 0} too`)
    return entry
  }

  private take(section: string, key: string): readonly IniEntry[] {
    // [main] is Haraka's name for what stands before any section.
    const taken = [...this.left].filter(
      (entry) => entry.key === key && (entry.section === 'main' ? '' : entry.section) === section,
    )
    for (const entry of taken) this.left.delete(entry)
    return taken
  }

  private word<T extends string>(entry: IniEntry, words: readonly T[]): T {
    const word = words.find((known) => known === entry.value)
    if (word !== undefined) return word
    throw this.complaint(entry, `one of ${words.join(', ')}`)
  }

  private complaint(
    { section, key, isList, value, line }: IniEntry,
    wanted: string,
  ): SettingsError {
    const option = `${section === '' ? '' : `[${section}] `}${key}${isList ? '[]' : ''}`
    const hint = /\s[;#]/.test(value) ? ' (comments stand on lines of their own)' : ''
    return new SettingsError(
      `${this.source} line ${line}: ${option} = ${value}: expected ${wanted}${hint}`,
    )
  }
}

function ruleKey({ name, isSuffix }: Pick<DomainRule, 'name' | 'isSuffix'>): string {
  return isSuffix ? `.${name}` : name
}
