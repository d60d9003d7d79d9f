/**
 * Parses dane.ini.
 *
 * `parseSettings` turns its text into frozen `Settings`, or throws a `SettingsError` of one
 * line that names the option, its value and what is expected. Unknown sections and keys,
 * duplicate keys and values out of range are refused: an ignored setting could mean mail
 * without DANE.
 *
 * Defaults are defined here; config/dane.ini documents them and a test compares the two.
 * Pure.
 */
import { parseDomainName } from '../name.js'
import type { DomainName } from '../name.js'
import { OptionReader } from './option-reader.js'
import { INSECURE_MX, POLICIES } from '../policy.js'
import type { InsecureMx, Policy } from '../policy.js'
import { readRedis } from './redis-settings.js'
import type { RedisDefaults } from './redis-ini.js'
import type { RedisSettings } from './redis-settings.js'
import { readResolver } from './resolver-settings.js'
import type { ResolverSettings } from './resolver-settings.js'
import { readTlsrpt } from './tlsrpt-settings.js'
import type { TlsrptSettings } from './tlsrpt-settings.js'
import { USUAL_FIRST_OPEN_PORT } from '../server-address.js'
import type { ResolverAddress } from '../server-address.js'

export type { ResolverSettings, Validation } from './resolver-settings.js'

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
  /** Its line in dane.ini, counted from 1; undefined: it is the default. */
  readonly policyLine: number | undefined
  readonly insecureMx: InsecureMx
  readonly routes: RoutesPolicy
  /** The port of MX hosts: 25 outside laboratories. */
  readonly port: number
  /** For one connection to an MX host, from connect to the end of the TLS handshake. */
  readonly sessionTimeoutMs: number
  /** By `ruleKey`. */
  readonly domains: ReadonlyMap<string, DomainRule>
  readonly resolver: ResolverSettings
  readonly cache: CacheSettings
  /** Undefined: no shared cache. */
  readonly redis: RedisSettings | undefined
  readonly audit: AuditSettings
  /** Undefined: no metrics. */
  readonly metrics: MetricsSettings | undefined
  /** Undefined: no delivery status. */
  readonly status: StatusSettings | undefined
  /** Undefined: no TLS reports. */
  readonly tlsrpt: TlsrptSettings | undefined
}

export type AuditSettings = {
  /** Destinations in the summary; the least recently used is dropped first. */
  readonly destinations: number
  readonly summaryMs: number
}

export type MetricsSettings = {
  /** Path on Haraka's HTTP server. */
  readonly path: string
  /** Destinations that have a label of their own. */
  readonly destinations: number
}

export type StatusSettings = {
  /** Path on Haraka's HTTP server. */
  readonly path: string
  /** The operator states that a proxy decides who gets there. */
  readonly isProxied: boolean
  /** Names, in lower case, that a Host header may have besides addresses of this machine. */
  readonly hosts: readonly string[]
}

export type CacheSettings = {
  /** Facts kept in the memory of a process. */
  readonly entries: number
  /** Facts with a shorter lifetime are not cached, in milliseconds. */
  readonly minTtlMs: number
  /** No fact is cached for longer, in milliseconds. */
  readonly maxTtlMs: number
}

/**
 * @param source the file's name in messages
 * @param redisDefaults from Haraka's redis.ini
 * @param firstOpenPort the first port that any process of this machine can bind
 * @param systemServers the resolvers of resolv.conf, for where server[] is not set
 */
export function parseSettings(
  text: string,
  source = 'dane.ini',
  redisDefaults: RedisDefaults = {},
  firstOpenPort = USUAL_FIRST_OPEN_PORT,
  systemServers: readonly ResolverAddress[] = [],
): Settings {
  const reader = new OptionReader(text, source)
  const settings: Settings = {
    policyLine: reader.lineOf('', 'policy'),
    policy: reader.oneOf('', 'policy', POLICIES, 'opportunistic'),
    insecureMx: reader.oneOf('', 'insecure_mx', INSECURE_MX, 'dane'),
    routes: reader.oneOf('', 'routes', ROUTES, 'dane'),
    port: reader.integer('', 'port', 1, 65535, 25),
    sessionTimeoutMs: reader.duration('', 'session_timeout', 1_000, 3_600_000, 300_000),
    domains: readDomains(reader),
    resolver: readResolver(reader, firstOpenPort, systemServers),
    cache: {
      entries: reader.integer('cache', 'entries', 100, 10_000_000, 20_000),
      minTtlMs: reader.duration('cache', 'min_ttl', 0, 60_000, 1_000),
      maxTtlMs: reader.duration('cache', 'max_ttl', 60_000, 86_400_000, 86_400_000),
    },
    redis: readRedis(reader, redisDefaults),
    audit: {
      destinations: reader.integer('audit', 'destinations', 1, 100_000, 1_000),
      summaryMs: reader.duration('audit', 'summary', 1_000, 86_400_000, 3_600_000),
    },
    metrics: readMetrics(reader),
    status: readStatus(reader),
    tlsrpt: readTlsrpt(reader),
  }
  reader.refuseTheRest()
  return Object.freeze(settings)
}

/** The policy for a domain, and the rule it comes from; undefined if it is the default. */
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

/** The policy for a destination, and the line of dane.ini that sets it; none if it is the default. */
export function policyByLine(
  settings: Settings,
  domain: DomainName | undefined,
): {
  readonly policy: Policy
  /** Counted from 1. */
  readonly line: number | undefined
  /** As written, such as `.example.org = mandatory`. */
  readonly text: string | undefined
} {
  const rule = domain && policyFor(settings, domain).rule
  if (rule) {
    const { policy, line } = rule
    return { policy, line, text: `${rule.isSuffix ? '.' : ''}${rule.name} = ${policy}` }
  }
  const { policy, policyLine: line } = settings
  return { policy, line, text: line === undefined ? undefined : `policy = ${policy}` }
}

function readDomains(reader: OptionReader): ReadonlyMap<string, DomainRule> {
  const rules = new Map<string, DomainRule>()
  for (const entry of reader.section('domains')) {
    // `policy = none` appended to the file would be a rule for a domain named policy.
    const hint = entry.key.includes('.') ? '' : reader.placeHint(entry)
    if (hint !== '') throw reader.misplaced(entry, hint)
    const isSuffix = entry.key.startsWith('.')
    const name = entry.isList ? undefined : parseDomainName(entry.key.slice(isSuffix ? 1 : 0))
    if (name === undefined)
      throw reader.complaint(entry, 'a domain name, or .name for all below it')
    const rule = { name, isSuffix, policy: reader.word(entry, POLICIES), line: entry.line }
    const earlier = rules.get(ruleKey(rule))
    if (earlier) throw reader.complaint(entry, `only once: line ${earlier.line} sets it too`)
    rules.set(ruleKey(rule), rule)
  }
  return rules
}

function ruleKey({ name, isSuffix }: Pick<DomainRule, 'name' | 'isSuffix'>): string {
  return isSuffix ? `.${name}` : name
}

function readMetrics(reader: OptionReader): MetricsSettings | undefined {
  const isOn = reader.isOn('metrics', 'enabled', false)
  const metrics = {
    path: readPath(reader, 'metrics', '/metrics/dane'),
    destinations: reader.integer('metrics', 'destinations', 0, 10_000, 100),
  }
  return isOn ? metrics : undefined
}

function readStatus(reader: OptionReader): StatusSettings | undefined {
  const isOn = reader.isOn('status', 'enabled', false)
  const status = {
    path: readPath(reader, 'status', '/dane'),
    isProxied: reader.isOn('status', 'proxy', false),
    hosts: reader.list('status', 'host', 'a host name without a port', parseDomainName, String),
  }
  return isOn ? status : undefined
}

/** A path on Haraka's HTTP server. */
function readPath(reader: OptionReader, section: string, usual: string): string {
  const wanted = `a path of letters, digits and _ . - between slashes, such as ${usual}`
  const parsePath = (text: string): string | undefined =>
    /^(\/[\w.-]+)+$/.test(text) ? text : undefined
  return reader.parsed(section, 'path', wanted, parsePath) ?? usual
}
