/**
 * The place that an https URI of a stranger's record names (RFC 8460 §3).
 *
 * Promises: never an IP address, a local name, a port of another privileged service, or
 * credentials. Whether the name's addresses are public is checked when it is resolved
 * (post.ts). Pure.
 */
import { parseDomainName } from '../name.js'
import type { DomainName } from '../name.js'

export type Endpoint = {
  readonly host: DomainName
  /** 443, or from 1024 on. */
  readonly port: number
  /** With the query. */
  readonly path: string
}

export type EndpointCheck =
  | { readonly kind: 'endpoint'; readonly endpoint: Endpoint }
  | { readonly kind: 'refused'; readonly detail: string }

export function toEndpoint(uri: string): EndpointCheck {
  if (uri.length > MAX_URI || !URL.canParse(uri)) return refused('not a URL')
  const { protocol, hostname, port, username, password, pathname, search } = new URL(uri)
  if (protocol !== 'https:') return refused('not https')
  if (username !== '' || password !== '') return refused('credentials in the URL')
  const host = parseDomainName(hostname)
  // URL writes every spelling of an IPv4 address (octal, one number) with four decimals.
  if (host === undefined) return refused('not a host name')
  if (!host.includes('.') || LOCAL.some((suffix) => `.${host}`.endsWith(suffix))) {
    return refused('a local name')
  }
  const number = port === '' ? 443 : Number(port)
  if (number !== 443 && number < 1024) return refused('a privileged port other than 443')
  return { kind: 'endpoint', endpoint: { host, port: number, path: `${pathname}${search}` } }
}

function refused(detail: string): EndpointCheck {
  return { kind: 'refused', detail }
}

/** RFC 6761, RFC 6762, RFC 7686, RFC 8375, and the ICANN's name for private use. */
const LOCAL = [
  '.localhost',
  '.local',
  '.localdomain',
  '.onion',
  '.home.arpa',
  '.internal',
  '.lan',
  '.intranet',
  '.corp',
  '.home',
  '.arpa',
]

const MAX_URI = 1_000
