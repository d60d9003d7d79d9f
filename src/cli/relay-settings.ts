/**
 * What does the relay's own config folder say, and what the person at the terminal?
 *
 * Options of the command line are held to the rules of dane.ini, so that both say the
 * same, and take the place of what dane.ini says. Which policy holds for a domain comes
 * with the line that says so. Effects: reads files.
 */
import { existsSync } from 'node:fs'
import path from 'node:path'
import { readConfigFile, readRedisDefaults } from '../config-folder.js'
import { parseDomainName } from '../name.js'
import type { DomainName } from '../name.js'
import { OptionReader } from '../option-reader.js'
import type { EnforcedPolicy } from '../policy.js'
import { parseSettings, policyFor } from '../settings.js'
import type { Settings } from '../settings.js'
import type { PolicyInForce } from './report/report.js'
import { UsageError } from './usage.js'

/** Throws a UsageError where there is no dane.ini, a SettingsError where it is not understood. */
export function readSettings(folder: string): Settings {
  const text = readConfigFile(folder, 'dane.ini')
  if (text === '') throw new UsageError(`${folder} has no dane.ini: give Haraka's config folder`)
  return parseSettings(text, 'dane.ini', readRedisDefaults(folder))
}

/** As `readSettings`; without a dane.ini the defaults hold, as they do in Haraka. */
export function readSettingsOrDefaults(folder: string): Settings {
  if (!existsSync(folder))
    throw new UsageError(`${folder} is not there: give Haraka's config folder`)
  return parseSettings(readConfigFile(folder, 'dane.ini'), 'dane.ini', readRedisDefaults(folder))
}

/** What was given at the terminal; undefined: it was not. */
export type Given = {
  readonly config: string | undefined
  readonly resolver: readonly string[] | undefined
  readonly port: string | undefined
  readonly timeout: string | undefined
}

export type VerifySettings = {
  readonly settings: Settings
  /** For one connection to a mail host, up to the end of the handshake. */
  readonly connectMs: number
}

export function verifySettings({ config, resolver, port, timeout }: Given): VerifySettings {
  const relay = config === undefined ? undefined : readSettings(config)
  const given = parseSettings(
    [
      ...(port === undefined ? [] : [`port = ${port}`]),
      '[resolver]',
      ...(resolver ?? []).map((server) => `server[] = ${server}`),
      // Who vouches for the network in dane.ini does so here.
      ...(relay?.resolver.isNetworkTrusted === true ? ['trust = yes'] : []),
    ].join('\n'),
    'command',
  )
  const base = relay ?? given
  const connectMs = new OptionReader(
    timeout === undefined ? '' : `timeout = ${timeout}`,
    'command',
  ).duration('', 'timeout', 100, 120_000, CONNECT_MS)
  const lookupMs = Math.min(connectMs, timeout === undefined ? base.resolver.timeoutMs : 10_000)
  return {
    connectMs,
    settings: {
      ...base,
      port: port === undefined ? base.port : given.port,
      // Facts are asked for afresh: what relays share is shown by `cache show`.
      redis: undefined,
      resolver: {
        ...base.resolver,
        servers: resolver === undefined ? base.resolver.servers : given.resolver.servers,
        timeoutMs: lookupMs,
      },
    },
  }
}

/** The policy for a domain and the line that says so. */
export function policyInForce(settings: Settings, domain: DomainName): PolicyInForce {
  const { policy, rule } = policyFor(settings, domain)
  if (rule) {
    const text = `${rule.isSuffix ? '.' : ''}${rule.name} = ${rule.policy}`
    return { policy, source: { kind: 'line', line: rule.line, text } }
  }
  const line = settings.policyLine
  return line === undefined
    ? { policy, source: { kind: 'default' } }
    : { policy, source: { kind: 'line', line, text: `policy = ${policy}` } }
}

/** audit judges as opportunistic; so is what would be if none were switched on. */
export function judgedAs({ policy }: PolicyInForce): EnforcedPolicy {
  return policy === 'mandatory' ? policy : 'opportunistic'
}

/** How the relay names itself to others, if its folder says so. */
export function helloNameOf(folder: string | undefined): DomainName | undefined {
  if (folder === undefined || !existsSync(path.join(folder, 'me'))) return undefined
  return parseDomainName(readConfigFile(folder, 'me').trim())
}

/** As Haraka's own: some servers take seconds before their greeting, to try clients' patience. */
const CONNECT_MS = 30_000
