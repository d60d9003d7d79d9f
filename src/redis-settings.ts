/**
 * Which Redis keeps the facts, and how is it reached?
 *
 * `[redis]` of dane.ini: a single server, Sentinels that know the master, or nodes of
 * a Cluster. What it leaves open comes from Haraka's own redis.ini, as with other
 * plugins of Haraka. Without the section, or with `enabled = no`, there is none. Pure.
 */
import { parseIni } from './ini.js'
import type { OptionReader } from './option-reader.js'
import { isPort } from './server-address.js'

export type RedisNode = {
  /** A name or an address. */
  readonly host: string
  /** 1 to 65535. */
  readonly port: number
}

export type RedisPlace =
  | { readonly kind: 'single'; readonly node: RedisNode }
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
  /** Before every key. */
  readonly prefix: string
  /** Longest wait for Redis, in milliseconds; then DNS is asked. */
  readonly timeoutMs: number
  /** Entries are authenticated with it (HMAC); undefined: whoever writes to Redis is believed. */
  readonly key: string | undefined
}

/** What Haraka's redis.ini says, as far as it says it. */
export type RedisDefaults = {
  readonly host?: string | undefined
  readonly port?: number | undefined
  readonly db?: number | undefined
  readonly username?: string | undefined
  readonly password?: string | undefined
}

/** Undefined: facts stay in the process. */
export function readRedis(
  reader: OptionReader,
  defaults: RedisDefaults,
): RedisSettings | undefined {
  const isEnabled = reader.isOn('redis', 'enabled', reader.has('redis'))
  const url = reader.parsed('redis', 'url', URL_WANTED, parseUrl)
  const word = (key: string, wanted: string): string | undefined =>
    reader.parsed('redis', key, wanted, orNothing)
  const settings: RedisSettings = {
    place: readPlace(reader, {
      host:
        reader.parsed('redis', 'host', 'a name or an address', parseHost) ??
        url?.host ??
        defaults.host ??
        '127.0.0.1',
      port: reader.integer('redis', 'port', 1, 65535, url?.port ?? defaults.port ?? REDIS_PORT),
    }),
    db: reader.integer('redis', 'db', 0, 65535, url?.db ?? defaults.db ?? 0),
    username: word('username', 'a name') ?? url?.username ?? defaults.username,
    password: word('password', 'a password') ?? url?.password ?? defaults.password,
    isTls: reader.isOn('redis', 'tls', url?.isTls ?? false),
    caFile: word('ca_file', 'a file name'),
    prefix: reader.parsed('redis', 'prefix', PREFIX_WANTED, parsePrefix) ?? 'dane:',
    timeoutMs: reader.duration('redis', 'timeout', 10, 2_000, 100),
    key: reader.parsed('redis', 'key', KEY_WANTED, parseKey),
  }
  if (settings.place.kind === 'cluster' && settings.db !== 0) {
    throw reader.fault('[redis] a Cluster has no db but 0')
  }
  return isEnabled ? settings : undefined
}

/** Haraka's own redis.ini; what cannot be read there is not ours to complain of. */
export function parseRedisIni(text: string): RedisDefaults {
  const entries = parseIni(text)
  if ('fault' in entries) return {}
  const value = (section: string, ...keys: readonly string[]): string | undefined =>
    orNothing(
      entries.find((entry) => entry.section === section && keys.includes(entry.key))?.value ?? '',
    )
  const number = (text: string | undefined): number | undefined =>
    text !== undefined && /^\d{1,5}$/.test(text) ? Number(text) : undefined
  return {
    host: value('server', 'host', 'ip'),
    port: number(value('server', 'port')),
    db: number(value('opts', 'database', 'db') ?? value('server', 'db')),
    username: value('opts', 'username'),
    password: value('opts', 'password'),
  }
}

/** A text from Redis or its client, which may repeat what it was told. */
export function withoutSecrets({ place, password, key }: RedisSettings, text: string): string {
  const sentinel = place.kind === 'sentinel' ? place.sentinelPassword : undefined
  return [password, sentinel, key].reduce<string>(
    (rest, secret) => (secret === undefined ? rest : rest.replaceAll(secret, '(not shown)')),
    text,
  )
}

/** For log lines: never with a password. */
export function redisText({ place, db, isTls }: RedisSettings): string {
  const list = (nodes: readonly RedisNode[]): string =>
    nodes.map(({ host, port }) => `${host}:${port}`).join(', ')
  const scheme = isTls ? 'rediss' : 'redis'
  switch (place.kind) {
    case 'single':
      return `${scheme}://${list([place.node])}/${db}`
    case 'sentinel':
      return `${scheme} master ${place.master} of Sentinels ${list(place.sentinels)}`
    case 'cluster':
      return `${scheme} Cluster at ${list(place.nodes)}`
  }
}

function readPlace(reader: OptionReader, node: RedisNode): RedisPlace {
  const sentinels = reader.list('redis', 'sentinel', NODE_WANTED, (text) =>
    parseNode(text, SENTINEL_PORT),
  )
  const master = reader.parsed('redis', 'master', 'the name that the Sentinels know', orNothing)
  const sentinelPassword = reader.parsed('redis', 'sentinel_password', 'a password', orNothing)
  const nodes = reader.list('redis', 'cluster', NODE_WANTED, (text) => parseNode(text, REDIS_PORT))
  if (nodes.length > 0 && sentinels.length > 0) {
    throw reader.fault('[redis] sentinel[] and cluster[] exclude each other')
  }
  if (sentinels.length === 0 && (master !== undefined || sentinelPassword !== undefined)) {
    throw reader.fault('[redis] master and sentinel_password go with sentinel[]')
  }
  if (nodes.length > 0) return { kind: 'cluster', nodes }
  return sentinels.length > 0
    ? { kind: 'sentinel', sentinels, master: master ?? 'mymaster', sentinelPassword }
    : { kind: 'single', node }
}

type Url = RedisNode & {
  readonly db: number
  readonly username: string | undefined
  readonly password: string | undefined
  readonly isTls: boolean
}

function parseUrl(text: string): Url | undefined {
  if (!/^rediss?:\/\//.test(text) || !URL.canParse(text)) return undefined
  const { protocol, hostname, port, pathname, username, password, search, hash } = new URL(text)
  const db = /^\/?(\d{1,5})?$/.exec(pathname)
  if (hostname === '' || db === null || search !== '' || hash !== '' || port === '0') {
    return undefined
  }
  return {
    // An IPv6 address is in brackets here, and nowhere else.
    host: hostname.replace(/^\[(.*)\]$/, '$1'),
    port: port === '' ? REDIS_PORT : Number(port),
    db: Number(db[1] ?? 0),
    username: decoded(username),
    password: decoded(password),
    isTls: protocol === 'rediss:',
  }
}

function decoded(text: string): string | undefined {
  if (text === '') return undefined
  try {
    return decodeURIComponent(text)
  } catch {
    return text // a lone percent sign stands for itself
  }
}

/** `host`, `host:port` or `[address]:port`. */
function parseNode(text: string, defaultPort: number): RedisNode | undefined {
  const match = /^(?:\[([0-9a-f:.]+)\]|([\w.-]+))(?::(\d{1,5}))?$/i.exec(text)
  const host = match?.[1] ?? match?.[2]
  const port = Number(match?.[3] ?? defaultPort)
  return host !== undefined && isPort(port) ? { host, port } : undefined
}

function parseHost(text: string): string | undefined {
  return parseNode(text.includes(':') ? `[${text}]` : text, REDIS_PORT)?.host
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
const NODE_WANTED = 'HOST, HOST:PORT or [IPV6]:PORT'
const PREFIX_WANTED = 'up to 64 letters, digits, _ . : or -'
const KEY_WANTED = 'at least 16 characters that nobody can guess'
const REDIS_PORT = 6379
const SENTINEL_PORT = 26379
