/**
 * The settings of the shared cache.
 *
 * `[redis]` of dane.ini: a single server, its Unix socket, the Sentinels of a master, or nodes of a
 * Cluster. Unset options default to Haraka's own redis.ini, as with other plugins of
 * Haraka. Without the section, or with `enabled = no`, there is no shared cache. Pure.
 */
import { SettingsError } from './option-reader.js'
import type { OptionReader } from './option-reader.js'
import {
  NODE_WANTED,
  parseHost,
  parseNode,
  parsePath,
  parseUrl,
  REDIS_PORT,
} from './redis-address.js'
import type { RedisNode } from './redis-address.js'
import type { RedisDefaults } from './redis-ini.js'

export type RedisPlace =
  | { readonly kind: 'single'; readonly node: RedisNode }
  /** A Unix socket. */
  | { readonly kind: 'socket'; readonly path: string }
  | {
      readonly kind: 'sentinel'
      readonly sentinels: readonly RedisNode[]
      readonly master: string
      readonly sentinelPassword: string | undefined
    }
  | { readonly kind: 'cluster'; readonly nodes: readonly RedisNode[] }

export type RedisSettings = {
  readonly place: RedisPlace
  /** 0 in a Cluster. */
  readonly db: number
  readonly username: string | undefined
  readonly password: string | undefined
  /** TLS with the server's certificate verified. */
  readonly isTls: boolean
  readonly caFile: string | undefined
  /** Before every key. Those of answers have more of it: not all relays share these. */
  readonly prefix: string
  /** Longest wait for Redis, in milliseconds; then DNS is queried. */
  readonly timeoutMs: number
  /** Authenticates entries (HMAC); undefined: anything written to Redis is believed. */
  readonly key: string | undefined
}

/** Undefined: no shared cache. */
export function readRedis(
  reader: OptionReader,
  defaults: RedisDefaults,
): RedisSettings | undefined {
  const isEnabled = reader.isOn('redis', 'enabled', reader.has('redis'))
  if (isEnabled && defaults.fault !== undefined) throw new SettingsError(defaults.fault)
  const url = reader.parsed('redis', 'url', URL_WANTED, parseUrl)
  const word = (key: string, wanted: string): string | undefined =>
    reader.parsed('redis', key, wanted, orNothing)
  const settings: RedisSettings = {
    place: readPlace(reader, defaults, url),
    db: reader.integer('redis', 'db', 0, 65535, url?.db ?? (url ? 0 : defaults.db) ?? 0),
    username: word('username', 'a name') ?? url?.username ?? defaults.username,
    password: word('password', 'a password') ?? url?.password ?? defaults.password,
    isTls: reader.isOn('redis', 'tls', url?.isTls ?? defaults.isTls ?? false),
    caFile: word('ca_file', 'a file name'),
    prefix: reader.parsed('redis', 'prefix', PREFIX_WANTED, parsePrefix) ?? 'dane:',
    timeoutMs: reader.duration('redis', 'timeout', 10, 2_000, 100),
    key: reader.parsed('redis', 'key', KEY_WANTED, parseKey),
  }
  if (settings.place.kind === 'cluster' && settings.db !== 0) {
    throw reader.fault('[redis] db must be 0 with a Cluster')
  }
  return isEnabled ? settings : undefined
}

/** A message from Redis or its client, without the secrets that it may contain. */
export function withoutSecrets({ place, password, key }: RedisSettings, text: string): string {
  const sentinel = place.kind === 'sentinel' ? place.sentinelPassword : undefined
  return [password, sentinel, key].reduce<string>(
    (rest, secret) => (secret === undefined ? rest : rest.replaceAll(secret, '(not shown)')),
    text,
  )
}

/** For log lines; never includes a password. */
export function redisText({ place, db, isTls }: RedisSettings): string {
  const list = (nodes: readonly RedisNode[]): string =>
    nodes.map(({ host, port }) => `${host}:${port}`).join(', ')
  const scheme = isTls ? 'rediss' : 'redis'
  switch (place.kind) {
    case 'single':
      return `${scheme}://${list([place.node])}/${db}`
    case 'socket':
      return `${scheme} ${place.path}, database ${db}`
    case 'sentinel':
      return `${scheme} master ${place.master} of Sentinels ${list(place.sentinels)}`
    case 'cluster':
      return `${scheme} Cluster at ${list(place.nodes)}`
  }
}

function readPlace(
  reader: OptionReader,
  defaults: RedisDefaults,
  url: RedisNode | undefined,
): RedisPlace {
  const host = reader.parsed('redis', 'host', 'a name or an address', parseHost)
  const port = reader.integer('redis', 'port', 1, 65535, NO_PORT)
  const path = reader.parsed('redis', 'path', 'the path of a Unix socket, from /', parsePath)
  const isOwn = host !== undefined || port !== NO_PORT || url !== undefined
  const sentinels = reader.list('redis', 'sentinel', NODE_WANTED, (text) =>
    parseNode(text, SENTINEL_PORT),
  )
  const master = reader.parsed('redis', 'master', 'the name of the master', orNothing)
  const sentinelPassword = reader.parsed('redis', 'sentinel_password', 'a password', orNothing)
  const nodes = reader.list('redis', 'cluster', NODE_WANTED, (text) => parseNode(text, REDIS_PORT))
  if (nodes.length > 0 && sentinels.length > 0) {
    throw reader.fault('[redis] sentinel[] and cluster[] cannot be combined')
  }
  if (sentinels.length === 0 && (master !== undefined || sentinelPassword !== undefined)) {
    throw reader.fault('[redis] master and sentinel_password need sentinel[]')
  }
  if (path !== undefined && (isOwn || nodes.length > 0 || sentinels.length > 0)) {
    throw reader.fault(
      '[redis] path cannot be combined with url, host, port, sentinel[] or cluster[]',
    )
  }
  if (nodes.length > 0) return { kind: 'cluster', nodes }
  if (sentinels.length > 0) {
    return { kind: 'sentinel', sentinels, master: master ?? 'mymaster', sentinelPassword }
  }
  const socket = path ?? (isOwn ? undefined : defaults.path)
  if (socket !== undefined) return { kind: 'socket', path: socket }
  return {
    kind: 'single',
    node: {
      host: host ?? url?.host ?? defaults.host ?? '127.0.0.1',
      port: port === NO_PORT ? (url?.port ?? defaults.port ?? REDIS_PORT) : port,
    },
  }
}

/** Braces would put all keys into one slot of a Cluster. */
function parsePrefix(text: string): string | undefined {
  return /^[\w.:-]{1,64}$/.test(text) ? text : undefined
}

function parseKey(text: string): string | undefined {
  return text.length >= 16 && text.length <= 1024 ? text : undefined
}

function orNothing(text: string): string | undefined {
  return text === '' ? undefined : text
}

const URL_WANTED = 'redis://[[USER]:PASSWORD@]HOST[:PORT][/DB], or rediss:// for TLS'
const PREFIX_WANTED = 'up to 64 letters, digits, _ . : or -'
const KEY_WANTED = 'at least 16 characters that cannot be guessed'
/** The port is not set. */
const NO_PORT = 0
const SENTINEL_PORT = 26379
