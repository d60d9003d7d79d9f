/**
 * The settings of a command: the relay's config folder, and options that override it.
 *
 * Options of the command line are checked by the rules of dane.ini, so that both accept
 * the same values. The policy for a domain comes with the line of dane.ini that sets it.
 * Effects: reads files.
 */
import { existsSync } from 'node:fs'
import { hostname } from 'node:os'
import path from 'node:path'
import { readConfigFile, readRedisDefaults } from '../settings/config-folder.js'
import { parseDomainName } from '../name.js'
import type { DomainName } from '../name.js'
import { readFirstOpenPort } from '../settings/open-ports.js'
import { readSystemResolvers } from '../settings/resolv-conf.js'
import { OptionReader } from '../settings/option-reader.js'
import { parseSettings, policyByLine } from '../settings/settings.js'
import type { Settings } from '../settings/settings.js'
import type { PolicyInForce } from './report/report.js'
import type { HttpIni } from '../http-listen.js'
import { readHarakaIni } from './check/haraka-ini.js'
import { printable } from '../text.js'
import { UsageError } from './usage.js'

/** Throws a UsageError if there is no dane.ini, a SettingsError if it is invalid. */
export function readSettings(folder: string): Settings {
  const text = readConfigFile(folder, 'dane.ini')
  if (text === '') throw new UsageError(`${folder} has no dane.ini: give Haraka's config folder`)
  return parse(folder, text)
}

/** As `readSettings`; without a dane.ini the defaults apply, as they do in Haraka. */
export function readSettingsOrDefaults(folder: string): Settings {
  if (!existsSync(folder))
    throw new UsageError(`${folder} does not exist: give Haraka's config folder`)
  return parse(folder, readConfigFile(folder, 'dane.ini'))
}

function parse(folder: string, text: string): Settings {
  return parseSettings(
    text,
    'dane.ini',
    readRedisDefaults(folder),
    readFirstOpenPort(),
    readSystemResolvers(),
  )
}

/** What http.ini says of Haraka's HTTP server. */
export function readHttpIni(folder: string): HttpIni {
  const ini = readHarakaIni(readConfigFile(folder, 'http.ini'))
  const [listen, port, listenHost] = ['listen', 'port', 'listen_host'].map((key) =>
    ini.value('', key),
  )
  return { listen, port, listenHost }
}

/** Options of the command line; undefined if not given. */
export type CliOptions = {
  readonly config: string | undefined
  readonly resolver: readonly string[] | undefined
  readonly port: number | undefined
  readonly timeout: string | undefined
}

export type VerifySettings = {
  readonly settings: Settings
  /** For one connection to a mail host, up to the end of the handshake. */
  readonly connectMs: number
}

export function verifySettings({ config, resolver, port, timeout }: CliOptions): VerifySettings {
  const folder = configFolder(config)
  const relay = folder === undefined ? undefined : readSettings(folder)
  const given = [...(resolver ?? []), ...(timeout === undefined ? [] : [timeout])]
  const bad = given.find((text) => /[^ -~]/.test(text))
  if (bad !== undefined) throw new UsageError(`not a value of an option: ${printable(bad)}`)
  const fromOptions = parseSettings(
    [
      ...(port === undefined ? [] : [`port = ${port}`]),
      '[resolver]',
      ...(resolver ?? []).map((server) => `server[] = ${server}`),
      // trust = yes in dane.ini applies to the servers of the command line too.
      ...(relay?.resolver.trust.isVouchedFor === true ? ['trust = yes'] : []),
      ...(relay === undefined ? [] : [`validation = ${relay.resolver.validation}`]),
    ].join('\n'),
    'command',
    {},
    readFirstOpenPort(),
    readSystemResolvers(),
  )
  const base = relay ?? fromOptions
  const connectMs = new OptionReader(
    timeout === undefined ? '' : `timeout = ${timeout}`,
    'command',
  ).duration('', 'timeout', 100, 120_000, CONNECT_MS)
  const lookupMs = Math.min(connectMs, timeout === undefined ? base.resolver.timeoutMs : 10_000)
  return {
    connectMs,
    settings: {
      ...base,
      port: port === undefined ? base.port : fromOptions.port,
      // The command queries DNS itself; `cache show` shows what relays share.
      redis: undefined,
      resolver: {
        ...base.resolver,
        ...(resolver !== undefined && {
          servers: fromOptions.resolver.servers,
          areServersGiven: true,
        }),
        timeoutMs: lookupMs,
      },
    },
  }
}

/**
 * The config folder of a command: the one that was given or, as in all commands, `config`.
 * Undefined if none was given and this is not a relay's folder: verify works without one.
 */
export function configFolder(given: string | undefined): string | undefined {
  if (given !== undefined) return given
  return existsSync(path.join(DEFAULT_FOLDER, 'dane.ini')) ? DEFAULT_FOLDER : undefined
}

export const DEFAULT_FOLDER = 'config'

/** The policy for a domain, and the line that sets it. */
export function policyInForce(settings: Settings, domain: DomainName): PolicyInForce {
  const { policy, line, text } = policyByLine(settings, domain)
  return line === undefined || text === undefined
    ? { policy, source: { kind: 'default' } }
    : { policy, source: { kind: 'line', line, text } }
}

/**
 * The name to give in EHLO: the one that Haraka gives, as it reads `me`, else this
 * machine's own. Undefined where that is no full name: many hosts refuse such a name, and
 * RFC 5321 §4.1.4 allows an address literal instead.
 */
export function helloNameOf(
  folder: string | undefined,
  machine: string = hostname(),
): string | undefined {
  const me = folder === undefined ? undefined : firstLine(readConfigFile(folder, 'me'))
  // As in the file, fully qualified or not: a delivery sends the same.
  if (me !== undefined && /^[!-~]{1,255}$/.test(me)) return me
  return machine.includes('.') ? parseDomainName(machine) : undefined
}

/** The value of a file of one line, as haraka-config reads it. */
function firstLine(text: string): string | undefined {
  return text
    .split(/\r\n|\r|\n/)
    .map((line) => line.trim())
    .find((line) => line !== '' && !line.startsWith('#') && !line.startsWith(';'))
}

/** As Haraka's own: some servers delay their greeting on purpose. */
const CONNECT_MS = 30_000
