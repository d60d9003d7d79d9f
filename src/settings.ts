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
import { parseDomainName } from './name.js'
import type { DomainName } from './name.js'
import { OptionReader } from './option-reader.js'
import { INSECURE_MX, POLICIES } from './policy.js'
import type { InsecureMx, Policy } from './policy.js'
import { readRedis } from './redis-settings.js'
import type { RedisDefaults, RedisSettings } from './redis-settings.js'
import { isTrustedChannel, parseResolverAddress, serverText } from './server-address.js'
import type { ResolverAddress } from './server-address.js'

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

export type ResolverSettings = {
  /** The preferred first; never empty. */
  readonly servers: readonly ResolverAddress[]
  /** The operator vouches for the network to plain servers on other machines. */
  readonly isNetworkTrusted: boolean
  /** A file of certificates that DNS over TLS trusts in place of Node's own list. */
  readonly caFile: string | undefined
  /** For one lookup with all its attempts. */
  readonly timeoutMs: number
  readonly probe: {
    /** A signed name. */
    readonly name: DomainName | '.'
    /** A name that does not validate. */
    readonly bogusName: DomainName | undefined
    readonly intervalMs: number
  }
}

export type Settings = {
  readonly policy: Policy
  /** Where it stands in dane.ini, counted from 1; undefined: nowhere, it is the default. */
  readonly policyLine: number | undefined
  readonly insecureMx: InsecureMx
  readonly routes: RoutesPolicy
  /** The port of MX hosts: 25 outside laboratories. */
  readonly port: number
  /** By `ruleKey`. */
  readonly domains: ReadonlyMap<string, DomainRule>
  readonly resolver: ResolverSettings
  readonly cache: CacheSettings
  /** Undefined: facts stay in the process. */
  readonly redis: RedisSettings | undefined
  readonly audit: AuditSettings
  /** Undefined: nothing is counted. */
  readonly metrics: MetricsSettings | undefined
}

export type AuditSettings = {
  /** Destinations that the summary knows; the one that had mail longest ago is forgotten first. */
  readonly destinations: number
  readonly summaryMs: number
}

export type MetricsSettings = {
  /** Where Haraka's HTTP server shows them. */
  readonly path: string
  /** Destinations that have a label of their own. */
  readonly destinations: number
}

export type CacheSettings = {
  /** Facts held in the process. */
  readonly entries: number
  /** Facts that live shorter are not kept, in milliseconds. */
  readonly minTtlMs: number
  /** No fact is kept longer, in milliseconds. */
  readonly maxTtlMs: number
}

/**
 * @param source how messages name the file
 * @param redisDefaults what Haraka's redis.ini says
 */
export function parseSettings(
  text: string,
  source = 'dane.ini',
  redisDefaults: RedisDefaults = {},
): Settings {
  const reader = new OptionReader(text, source)
  const settings: Settings = {
    policyLine: reader.lineOf('', 'policy'),
    policy: reader.oneOf('', 'policy', POLICIES, 'opportunistic'),
    insecureMx: reader.oneOf('', 'insecure_mx', INSECURE_MX, 'dane'),
    routes: reader.oneOf('', 'routes', ROUTES, 'dane'),
    port: reader.integer('', 'port', 1, 65535, 25),
    domains: readDomains(reader),
    resolver: readResolver(reader),
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

function readDomains(reader: OptionReader): ReadonlyMap<string, DomainRule> {
  const rules = new Map<string, DomainRule>()
  for (const entry of reader.section('domains')) {
    const isSuffix = entry.key.startsWith('.')
    const name = entry.isList ? undefined : parseDomainName(entry.key.slice(isSuffix ? 1 : 0))
    if (name === undefined)
      throw reader.complaint(entry, 'a domain name, or .name for all below it')
    const rule = { name, isSuffix, policy: reader.word(entry, POLICIES), line: entry.line }
    const twin = rules.get(ruleKey(rule))
    if (twin) throw reader.complaint(entry, `only once: it stands in line ${twin.line} too`)
    rules.set(ruleKey(rule), rule)
  }
  return rules
}

function ruleKey({ name, isSuffix }: Pick<DomainRule, 'name' | 'isSuffix'>): string {
  return isSuffix ? `.${name}` : name
}

function readResolver(reader: OptionReader): ResolverSettings {
  const isNetworkTrusted = reader.isOn('resolver', 'trust', false)
  // RFC 4035 §4.9.3: anyone between us and a resolver elsewhere could forge its verdicts.
  const parseServer = (text: string): ResolverAddress | undefined => {
    const server = parseResolverAddress(text)
    return server && isTrustedChannel(server, isNetworkTrusted) ? server : undefined
  }
  const servers = reader.list('resolver', 'server', SERVER_WANTED, parseServer, serverText)
  const parseProbe = (text: string): DomainName | '.' | undefined =>
    text === '.' ? text : parseDomainName(text)
  const probeName =
    reader.parsed('resolver', 'probe', 'a domain name, or . for the root', parseProbe) ?? '.'
  const bogusName = reader.parsed('resolver', 'probe_bogus', 'a domain name', parseDomainName)
  if (probeName === bogusName) {
    throw reader.fault(
      `[resolver] probe = probe_bogus = ${bogusName}: no name validates and does not`,
    )
  }
  return {
    // Without a list not the system's own: nobody has said that it validates.
    servers: servers.length > 0 ? servers : [LOOPBACK_RESOLVER],
    isNetworkTrusted,
    caFile: reader.parsed('resolver', 'ca_file', 'a file name', (text) => text || undefined),
    timeoutMs: reader.duration('resolver', 'timeout', 100, 10_000, 5_000),
    probe: {
      name: probeName,
      bogusName,
      intervalMs: reader.duration('resolver', 'probe_interval', 1_000, 3_600_000, 60_000),
    },
  }
}

function readMetrics(reader: OptionReader): MetricsSettings | undefined {
  const isOn = reader.isOn('metrics', 'enabled', false)
  const wanted = 'a path of letters, digits and _ . - between slashes, such as /metrics/dane'
  const parsePath = (text: string): string | undefined =>
    /^(\/[\w.-]+)+$/.test(text) ? text : undefined
  const metrics = {
    path: reader.parsed('metrics', 'path', wanted, parsePath) ?? '/metrics/dane',
    destinations: reader.integer('metrics', 'destinations', 0, 10_000, 100),
  }
  return isOn ? metrics : undefined
}

const SERVER_WANTED =
  'an IP address of this machine with or without a port, such as 127.0.0.1:53, or ' +
  'tls://ADDRESS:PORT#NAME; an IP address elsewhere only where trust = yes vouches for the network'
const LOOPBACK_RESOLVER: ResolverAddress = { address: '127.0.0.1', port: 53, tlsName: undefined }
