/**
 * May this handshake use the secure context of the last one?
 *
 * Without one in its options `tls.connect` makes a new secure context for each
 * connection, out of options that do not change: cipher list, protocol versions, the
 * list of authorities. That costs as much as a good part of the handshake. The same
 * options give the same context, so it is made once and handed in with them.
 *
 * Promises: only options whose values are identical share a context, what belongs to the
 * connection (server name, check of identity) aside; no TLS session is shared, since
 * Node resumes none that it is not given. Where Haraka may put a client certificate over
 * the options after us (`mutual_tls`, `mutual_auth_hosts`), which a context would
 * override, none is handed in, nor where that cannot be told.
 */
import { createSecureContext } from 'node:tls'
import type { ConnectionOptions, SecureContext } from 'node:tls'
import { member } from './host.js'

/** @param tlsSocket Haraka's module of that name, as it is now */
export function shareContext(
  tlsSocket: () => unknown,
): (options: ConnectionOptions) => ConnectionOptions {
  let known:
    { readonly values: ReadonlyMap<string, unknown>; readonly context: SecureContext } | undefined
  return (options) => {
    if (options.secureContext !== undefined || mayBeOverlaid(tlsSocket())) return options
    const values = new Map<string, unknown>(
      Object.entries(options).filter(([name]) => !OF_THE_CONNECTION.has(name)),
    )
    if (known === undefined || !isSame(known.values, values)) {
      known = { values, context: createSecureContext(options) }
    }
    return Object.assign({}, options, { secureContext: known.context })
  }
}

/** Haraka's tls_socket.js lays a client certificate over the options of some hosts. */
function mayBeOverlaid(tlsSocket: unknown): boolean {
  const cfg = member(tlsSocket, 'cfg')
  const hosts = member(cfg, 'mutual_auth_hosts')
  const isOff = member(member(cfg, 'main'), 'mutual_tls') === false
  return !isOff || typeof hosts !== 'object' || hosts === null || Object.keys(hosts).length > 0
}

function isSame(a: ReadonlyMap<string, unknown>, b: ReadonlyMap<string, unknown>): boolean {
  return a.size === b.size && [...b].every(([name, value]) => a.has(name) && a.get(name) === value)
}

/** Looked at by `tls.connect` itself, and by no secure context. */
const OF_THE_CONNECTION: ReadonlySet<string> = new Set(['servername', 'checkServerIdentity'])
