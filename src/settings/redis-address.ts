/**
 * Parses the addresses of Redis: a node, a URL, a Unix socket. Undefined for anything else. Pure.
 */
import { isPort } from '../server-address.js'

export type RedisNode = {
  /** A name or an address. */
  readonly host: string
  /** 1 to 65535. */
  readonly port: number
}

export type RedisUrl = RedisNode & {
  /** Undefined: not in the URL. */
  readonly db: number | undefined
  readonly username: string | undefined
  readonly password: string | undefined
  readonly isTls: boolean
}

export function parseUrl(text: string): RedisUrl | undefined {
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
    db: db[1] === undefined ? undefined : Number(db[1]),
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
    return text // not percent-encoded
  }
}

/** `host`, `host:port` or `[address]:port`. */
export function parseNode(text: string, defaultPort: number): RedisNode | undefined {
  const match = /^(?:\[([0-9a-f:.]+)\]|([\w.-]+))(?::(\d{1,5}))?$/i.exec(text)
  const host = match?.[1] ?? match?.[2]
  const port = Number(match?.[3] ?? defaultPort)
  return host !== undefined && isPort(port) ? { host, port } : undefined
}

export function parseHost(text: string): string | undefined {
  return parseNode(text.includes(':') ? `[${text}]` : text, REDIS_PORT)?.host
}

export function parsePath(text: string): string | undefined {
  return /^\/[^\0]{1,106}$/.test(text) ? text : undefined
}

export const NODE_WANTED = 'HOST, HOST:PORT or [IPV6]:PORT'
export const REDIS_PORT = 6379
