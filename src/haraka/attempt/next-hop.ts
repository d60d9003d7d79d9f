/**
 * Reads another plugin's answer to get_mx as Haraka would, entry by entry.
 *
 * Haraka distinguishes a unix socket, LMTP, a host name and an address by the truth value
 * of `path`, by that of `using_lmtp` and by `net.isIP(exchange)`, in that order
 * (outbound/hmail.js and client_pool.js, the same in 3.0.4 to 3.3.4). `readHop` applies
 * the same tests. An entry that passes none of them is `unfit`.
 *
 * Promises: each property is read once, and Haraka is given `entry`, which is made from
 * the values read. A getter that changes its answer, or an object that Haraka would read
 * differently, has no effect. Pure.
 */
import { isIP } from 'node:net'
import { parseDomainName } from '../../name.js'
import type { DomainName } from '../../name.js'
import { isPort } from '../../server-address.js'
import { printable } from '../../text.js'
import type { Mx } from '../host.js'

export type NextHop =
  /** A unix socket or LMTP: not SMTP over a network, so outside RFC 7672. */
  | { readonly kind: 'socket' | 'lmtp'; readonly shown: string; readonly entry: Mx }
  | {
      readonly kind: 'name'
      readonly shown: string
      readonly name: DomainName
      /** The domain whose MX records named this host, as `net_utils.get_mx` stores it. */
      readonly learnedFor: DomainName | undefined
      readonly entry: SmtpEntry
    }
  | {
      readonly kind: 'address'
      readonly shown: string
      readonly address: string
      /** Whose address it is, as `net_utils.resolve_mx_hosts` stores it in `from_dns`. */
      readonly name: DomainName | undefined
      readonly entry: SmtpEntry
    }
  /** RFC 7505, as Haraka's found_mx detects it; only as the one entry of a list. */
  | {
      readonly kind: 'null-mx'
      readonly shown: string
      readonly learnedFor: DomainName | undefined
    }
  | { readonly kind: 'unfit'; readonly shown: string; readonly detail: string }

/** An entry with the port that Haraka will connect to. */
export type SmtpEntry = Mx & { readonly port: number }

/**
 * What Haraka would do with this list.
 *
 * @param smtpPort of an entry that names no port; 25 for Haraka
 */
export function readHops(entries: readonly unknown[], smtpPort: number): readonly NextHop[] {
  const [only, ...more] = entries.map((each) => readHop(each, smtpPort))
  return only === undefined ? [] : [nullMx(entries, only), ...more]
}

/** @param given an entry as Haraka's HarakaMx made it; anything else is `unfit` */
export function readHop(given: unknown, smtpPort: number): NextHop {
  if (typeof given !== 'object' || given === null) return unfit('', 'is not an object')
  const fields = readFields(given)
  const { path, exchange, from_dns: from } = fields
  const shown = shownAs(path) ?? shownAs(exchange) ?? ''
  const options = readOptions(fields)
  if (typeof options === 'string') return unfit(shown, options)

  if (path) {
    return typeof path === 'string'
      ? { kind: 'socket', shown, entry: Object.assign(options, { path, ...addressOnly(exchange) }) }
      : unfit(shown, 'path is not a string')
  }
  if (typeof exchange !== 'string' || exchange === '') return unfit(shown, 'names no host')
  const name = parseDomainName(exchange)
  const isAddress = isIP(exchange) !== 0
  if (!isAddress && name === undefined) return unfit(shown, 'exchange is not a host name')
  const isLmtp = Boolean(fields.using_lmtp)
  const port = readPort(fields.port, isLmtp ? LMTP_PORT : smtpPort)
  if (port === undefined) return unfit(shown, `port ${shownAs(fields.port) ?? '?'} is not a port`)
  const entry: SmtpEntry = Object.assign(options, { exchange, port })
  if (isLmtp) return { kind: 'lmtp', shown, entry: Object.assign(entry, { using_lmtp: true }) }

  const owner = readOwner(from)
  if (owner === 'unreadable') return unfit(shown, 'from_dns is not a host name')
  if (name === undefined) {
    // Haraka uses it in its checks for local hosts and in its log.
    if (typeof from === 'string' && from !== '') entry.from_dns = from
    return { kind: 'address', shown, address: exchange, name: owner, entry }
  }
  return { kind: 'name', shown, name, learnedFor: owner === name ? undefined : owner, entry }
}

/** The properties that HarakaMx knows. */
type Key =
  | 'exchange'
  | 'path'
  | 'priority'
  | 'port'
  | 'bind'
  | 'bind_helo'
  | 'using_lmtp'
  | 'auth_user'
  | 'auth_pass'
  | 'auth_type'
  | 'from_dns'

type Fields = Readonly<Record<Key, unknown>>

function readFields(given: object): Fields {
  const read = (key: Key): unknown => Reflect.get(given, key)
  return {
    exchange: read('exchange'),
    path: read('path'),
    priority: read('priority'),
    port: read('port'),
    bind: read('bind'),
    bind_helo: read('bind_helo'),
    using_lmtp: read('using_lmtp'),
    auth_user: read('auth_user'),
    auth_pass: read('auth_pass'),
    auth_type: read('auth_type'),
    from_dns: read('from_dns'),
  }
}

/** The options that every form may have, checked, or what is wrong with them. */
function readOptions(fields: Fields): Mx | string {
  const { priority, bind } = fields
  const options: Record<string, string | number> = {
    priority: typeof priority === 'number' && Number.isFinite(priority) ? priority : 0,
  }
  for (const key of ['bind', 'bind_helo', 'auth_user', 'auth_pass', 'auth_type'] as const) {
    const value = fields[key]
    // As Haraka does, which asks for their truth value only.
    if (!value) continue
    if (typeof value !== 'string' && typeof value !== 'number') return `${key} is not a string`
    options[key] = String(value)
  }
  if (bind && isIP(String(options['bind'])) === 0) return 'bind is not an address'
  // A line break would be another SMTP command.
  if (/[^!-~]/.test(String(options['bind_helo'] ?? ''))) return 'bind_helo is not a host name'
  return options
}

/** Numbers and decimal digits; a false value is the default, as for Haraka. */
function readPort(port: unknown, otherwise: number): number | undefined {
  if (!port) return otherwise
  const number = typeof port === 'string' && /^\d{1,5}$/.test(port) ? Number(port) : port
  return typeof number === 'number' && isPort(number) ? number : undefined
}

/** The name in `from_dns`. An address, with or without brackets, is not a name. */
function readOwner(from: unknown): DomainName | undefined | 'unreadable' {
  if (!from) return undefined
  if (typeof from !== 'string') return 'unreadable'
  const bare = /^\[(?:IPv6:)?([^\]]*)\]$/i.exec(from)?.[1] ?? from
  if (isIP(bare) !== 0) return undefined
  return parseDomainName(from) ?? 'unreadable'
}

/** Haraka resolves the exchange of a socket's entry, and would use the socket once per address. */
function addressOnly(exchange: unknown): Mx {
  return typeof exchange === 'string' && isIP(exchange) !== 0 ? { exchange } : {}
}

/** RFC 7505 §3: a single entry of preference 0 with an empty exchange. */
function nullMx(entries: readonly unknown[], only: NextHop): NextHop {
  const [entry] = entries
  if (entries.length !== 1 || only.kind !== 'unfit') return only
  if (typeof entry !== 'object' || entry === null) return only
  const { exchange, priority, from_dns: from, path } = readFields(entry)
  if (exchange !== '' || priority !== 0 || path) return only
  const owner = readOwner(from)
  return { kind: 'null-mx', shown: '', learnedFor: owner === 'unreadable' ? undefined : owner }
}

function unfit(shown: string, detail: string): NextHop {
  return { kind: 'unfit', shown, detail: `the entry of another plugin ${detail}` }
}

function shownAs(value: unknown): string | undefined {
  if (typeof value === 'string' && value !== '') return printable(value)
  return typeof value === 'number' ? String(value) : undefined
}

const LMTP_PORT = 24
