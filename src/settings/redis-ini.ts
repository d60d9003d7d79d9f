/**
 * Parses Haraka's own redis.ini, as haraka-plugin-redis reads it.
 *
 * [server] overrides [opts]; a `url` overrides host, port, path and user; a `path` (Unix
 * socket) overrides host and port; the last of several lines counts. An option that
 * changes where or how Haraka connects, and that is unknown here or has a bad value, is
 * reported as `fault`. Options that only tune Haraka's client are ignored. Pure.
 */
import { parseIni } from './ini.js'
import { parseHost, parsePath, parseUrl } from './redis-address.js'

/** The options that are set in Haraka's redis.ini. */
export type RedisDefaults = {
  readonly host?: string | undefined
  readonly port?: number | undefined
  /** Of a Unix socket. */
  readonly path?: string | undefined
  readonly isTls?: boolean | undefined
  readonly db?: number | undefined
  readonly username?: string | undefined
  readonly password?: string | undefined
  /** The first option or line that cannot be used, for the operator. */
  readonly fault?: string | undefined
}

export function parseRedisIni(text: string): RedisDefaults {
  const ini = parseIni(text)
  if (ini.kind === 'unreadable') return { fault: `redis.ini line ${ini.line}: ${ini.detail}` }
  const options = new Map<string, string>()
  let fault: string | undefined
  for (const wanted of ['opts', 'server']) {
    for (const { section, key, isList, value, line } of ini.entries) {
      if (section !== wanted || value === '' || TUNING.has(key)) continue
      if (isList || !KNOWN.has(key)) {
        fault ??=
          `redis.ini line ${line}: [${section}] ${key} is not supported for the shared cache: ` +
          'remove it, or name the server in [redis] of dane.ini and remove it'
      } else options.set(key === 'ip' ? 'host' : key === 'database' ? 'db' : key, value)
    }
  }
  const take = <T>(
    key: string,
    wanted: string,
    parse: (value: string) => T | undefined,
  ): T | undefined => {
    const value = options.get(key)
    if (value === undefined) return undefined
    const parsed = parse(value)
    if (parsed === undefined) {
      // A value may be or contain a password.
      const shown = key === 'url' || key === 'host' ? '(not shown)' : value
      fault ??= `redis.ini: ${key === 'db' ? 'database' : key} = ${shown}: expected ${wanted}`
    }
    return parsed
  }
  const read = {
    host: take('host', 'a name or an address', parseHost),
    port: take('port', 'a whole number from 1 to 65535', (value) => whole(value, 1)),
    path: take('path', 'the path of a Unix socket, from /', parsePath),
    isTls: take('tls', 'yes or no', (value) => YES_NO.get(value.toLowerCase())),
    db: take('db', 'a whole number from 0 to 65535', (value) => whole(value, 0)),
    username: options.get('username'),
    password: options.get('password'),
  }
  const url = take(
    'url',
    'redis://[[USER]:PASSWORD@]HOST[:PORT][/DB], or rediss:// for TLS',
    parseUrl,
  )
  return {
    ...read,
    ...(url && {
      host: url.host,
      port: url.port,
      path: undefined,
      isTls: url.isTls,
      db: url.db ?? read.db,
      username: url.username ?? read.username,
      password: url.password ?? read.password,
    }),
    fault,
  }
}

function whole(text: string, least: number): number | undefined {
  const value = /^\d{1,5}$/.test(text) ? Number(text) : NaN
  return value >= least && value <= 65535 ? value : undefined
}

const KNOWN = new Set([
  ...['host', 'ip', 'port', 'path', 'tls', 'url'],
  ...['database', 'db', 'username', 'password'],
])

/** Of Haraka's client only; they do not change which server or database it uses, nor as whom. */
const TUNING = new Set([
  ...['connectTimeout', 'socketTimeout', 'noDelay', 'keepAlive', 'keepAliveInitialDelay'],
  ...['reconnectStrategy', 'pingInterval', 'commandsQueueMaxLength', 'disableOfflineQueue'],
  ...['name', 'clientInfoTag', 'disableClientInfo', 'legacyMode', 'RESP'],
])

const YES_NO: ReadonlyMap<string, boolean> = new Map([
  ...['yes', 'true', 'on', '1'].map((word) => [word, true] as const),
  ...['no', 'false', 'off', '0'].map((word) => [word, false] as const),
])
