/**
 * What of Haraka does this plugin touch?
 *
 * The parts of Haraka 3.0.4 and later that the other files of this folder read, call
 * or replace, as types: Haraka has no published ones. What may be missing in one release
 * or another is read by `member`.
 */
import type { ConnectionOptions, TLSSocket } from 'node:tls'

/** A recipient inside an hmail, with the fields that Haraka's DSN is made of. */
export type Recipient = {
  reason?: string
  dsn_smtp_code?: string
  dsn_smtp_extc?: string
  dsn_smtp_response?: string
  dsn_remote_mta?: string
}

/** What `extend_rcpt_with_dsn` takes (haraka-dsn's shape). */
export type Dsn = {
  readonly code: number
  readonly msg: string
  readonly cls: 4 | 5
  readonly sub: number
  readonly det: number
}

/** An entry of Haraka's MX list. After `found_mx`, `exchange` is an IP address and `from_dns` its name. */
export type Mx = {
  exchange?: string
  path?: string
  priority?: number
  /** 1 to 65535; other plugins give strings and null too. */
  port?: unknown
  using_lmtp?: boolean
  from_dns?: string
}

export type UpgradeCallback = (
  authorized: boolean,
  error: unknown,
  certificate: unknown,
  cipher: unknown,
) => void

/** Haraka's pluggableStream, as `client_pool.get_client` hands it out. */
export type Socket = {
  cleartext?: TLSSocket
  __fromPool?: unknown
  upgrade: (options: ConnectionOptions, callback?: UpgradeCallback) => void
  isSecure: () => boolean
  isEncrypted: () => boolean
  write: (data: unknown, ...rest: unknown[]) => boolean
  destroy: () => void
  emit: (event: string, ...args: unknown[]) => boolean
  on: (event: string, listener: (value: unknown) => void) => unknown
  prependListener: (event: string, listener: (value: unknown) => void) => unknown
  removeAllListeners: () => unknown
}

type Log = (...parts: unknown[]) => void

/** One message on its way to one domain. The same object comes back at each retry. */
export type Hmail = {
  readonly todo: {
    readonly domain: unknown
    readonly rcpt_to: readonly Recipient[]
    readonly force_tls?: unknown
  }
  readonly cfg?: { readonly enable_tls?: unknown }
  mxlist: Mx[]
  force_tls: boolean
  get_mx_respond: (retval: number, mx?: unknown) => unknown
  found_mx: (mxs: Mx[]) => unknown
  try_deliver: () => unknown
  try_deliver_host_on_socket: (mx: Mx, host: string, port: number, socket: Socket) => void
  get_force_tls: (mx: Mx) => boolean
  extend_rcpt_with_dsn: (recipient: Recipient, dsn: Dsn) => void
  temp_fail: (error: string) => void
  bounce: (error: string) => void
  /** Haraka calls it for a message that a host has taken, and `discard` when it is done with one. */
  delivered: (...args: readonly unknown[]) => void
  discard: () => void
  loginfo: Log
  lognotice: Log
  logwarn: Log
  logerror: Log
  logcrit: Log
}

export type Next = (retval?: number, message?: unknown) => void

/** The plugin object that `register` and the hooks have as `this`. */
export type Plugin = {
  readonly name: string
  /** Seconds that a hook may take; 0 for no limit. */
  readonly timeout?: unknown
  readonly config: {
    get: (name: string, type?: 'data', changed?: () => void) => unknown
  }
  register_hook: (hook: string, method: string, priority?: number) => void
  haraka_require: (name: string) => unknown
  logdebug: Log
  loginfo: Log
  lognotice: Log
  logwarn: Log
  logerror: Log
  logcrit: Log
}

/** What the init_http hook is given: Haraka's express application. */
export type HttpHost = {
  readonly http: { readonly app: { get: (path: string, answer: HttpAnswer) => unknown } }
}

export type HttpAnswer = (request: unknown, response: HttpResponse) => void

/** Of Node's own ServerResponse. */
export type HttpResponse = {
  writeHead: (status: number, headers: Readonly<Record<string, string>>) => unknown
  end: (body: string) => unknown
}

/** A property of something of Haraka's, if it is there. */
export function member(value: unknown, key: string): unknown {
  const isObject = (typeof value === 'object' && value !== null) || typeof value === 'function'
  return isObject ? Reflect.get(value, key) : undefined
}
