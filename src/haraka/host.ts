/**
 * Types of the parts of Haraka that this plugin reads, calls or replaces.
 *
 * For Haraka 3.0.4 and later, which has no published types. What some releases lack is read
 * with `member`.
 */
import type { ConnectionOptions, TLSSocket } from 'node:tls'

/** A recipient inside an hmail, with the fields that Haraka uses in a DSN. */
export type Recipient = {
  reason?: string
  dsn_code?: number
  dsn_msg?: string
  dsn_status?: string
  dsn_action?: string
  dsn_smtp_code?: string
  dsn_smtp_extc?: string
  dsn_smtp_response?: string
  dsn_remote_mta?: string
}

/** An entry of Haraka's MX list. After `found_mx`, `exchange` is an IP address and `from_dns` its name. */
export type Mx = {
  exchange?: string
  path?: string
  priority?: number
  /** 1 to 65535; other plugins also set strings and null. */
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
  /** The connection, then the TLS inside it. */
  targetsocket?: unknown
  __fromPool?: unknown
  upgrade: (options: ConnectionOptions, callback?: UpgradeCallback) => void
  isSecure: () => boolean
  isEncrypted: () => boolean
  write: (data: unknown, ...rest: unknown[]) => boolean
  end: (...rest: unknown[]) => unknown
  destroy: () => void
  emit: (event: string, ...args: unknown[]) => boolean
  on: (event: string, listener: (value: unknown) => void) => unknown
  prependListener: (event: string, listener: (value: unknown) => void) => unknown
  removeAllListeners: () => unknown
  listenerCount: (event: string) => number
}

type Log = (...parts: unknown[]) => void
type Method = (...args: readonly unknown[]) => unknown

/** One message on its way to one domain. The same object comes back at each retry. */
export type Hmail = {
  readonly todo: {
    readonly domain: unknown
    readonly rcpt_to: readonly Recipient[]
    readonly force_tls?: unknown
  }
  readonly cfg?: { readonly enable_tls?: unknown; readonly connect_timeout?: unknown }
  /** Its file in the queue. */
  readonly filename?: unknown
  /** Deferrals so far. */
  num_failures?: number
  refcount?: number
  bounce_error?: unknown
  /** Frees the place that the message takes in Haraka's delivery queue; set for each attempt. */
  next_cb?: () => unknown
  mxlist: Mx[]
  force_tls: boolean
  get_mx_respond: (retval: number, mx?: unknown) => unknown
  found_mx: (mxs: Mx[]) => unknown
  try_deliver: () => unknown
  try_deliver_host_on_socket: (mx: Mx, host: string, port: number, socket: Socket) => unknown
  get_force_tls: (mx: Mx) => unknown
  /** Runs the deferred hooks, which lead to `deferred_respond`; the last time it returns the message. */
  temp_fail: Method
  deferred_respond?: Method
  convert_temp_failed_to_bounce?: Method
  /** Runs the bounce hooks, which lead to `bounce_respond`. */
  bounce: Method
  bounce_respond?: Method
  /** Haraka calls it for a message that a host has accepted, and `discard` when it is done with one. */
  delivered: Method
  delivered_respond?: Method
  discard: () => unknown
  /** The answer to send_email; with DELAY it puts the message back for some seconds. */
  send_email_respond?: Method
  /** Methods that Haraka calls without awaiting what they return. */
  get_mx?: Method
  sort_mx?: Method
  extend_rcpt_with_dsn?: Method
  data_stream?: Method
  populate_bounce_message?: Method
  double_bounce?: Method
  split_to_new_recipients?: Method
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

/** The argument of the init_http hook: Haraka's express application. */
export type HttpHost = {
  readonly http: {
    readonly app: {
      get: (path: string, answer: HttpAnswer) => unknown
      /** For all paths and methods; `next` leaves the request to other routes. */
      use: (answer: (request: unknown, response: HttpResponse, next: () => void) => void) => unknown
    }
  }
}

export type HttpAnswer = (request: unknown, response: HttpResponse) => void

/** The part of Node's ServerResponse that is used. */
export type HttpResponse = {
  removeHeader: (name: string) => unknown
  writeHead: (status: number, headers: Readonly<Record<string, string>>) => unknown
  end: (body: string | Buffer) => unknown
  /** When all of it has been handed to the system, or the connection is gone. */
  once: (event: 'close', listener: () => void) => unknown
  destroy: () => unknown
}

/** A property of an untyped value, if the value is an object and has it. */
export function member(value: unknown, key: string): unknown {
  const isObject = (typeof value === 'object' && value !== null) || typeof value === 'function'
  return isObject ? Reflect.get(value, key) : undefined
}
