/**
 * Creates and caches the secure context of a handshake before Haraka starts the handshake.
 *
 * Without one in its options, `tls.connect` creates a new secure context for each
 * connection from options that do not change: cipher list, protocol versions, list of
 * authorities. That takes a large part of the time of the handshake. The same options give
 * the same context, so it is created once and passed with them.
 *
 * `tls.connect` also throws if these options contradict each other, at a point where Haraka
 * has already removed its listeners from the connection. Here it does no harm. If Haraka
 * adds the options of its own certificate (`mutual_tls`, `mutual_auth_hosts` of tls.ini),
 * they are part of the context, with the protocol versions of this plugin.
 *
 * Promises: the options returned do not make `tls.connect` throw; only identical options
 * share a context, except those of the connection (server name, identity check); no TLS
 * session is shared, since Node resumes only sessions that it is given. If Haraka's
 * settings cannot be read, no context is passed.
 */
import { createSecureContext } from 'node:tls'
import type { ConnectionOptions, SecureContext } from 'node:tls'
import { withAcceptedVersions } from '../../session/handshake.js'
import { throwIfImpossible } from '../../session/rehearsal.js'
import { member } from '../host.js'

/**
 * Throws the error of Node or OpenSSL if the options contradict each other.
 *
 * @param tlsSocket Haraka's module of that name, as it is now
 */
export function shareContext(
  tlsSocket: () => unknown,
): (options: ConnectionOptions, host?: string) => ConnectionOptions {
  const known: Known[] = []

  return (options, host) => {
    const overlay = overlayFor(tlsSocket(), host)
    const values = valuesOf(options, overlay)
    let found = known.find((each) => isSame(each.values, values))
    if (found === undefined) {
      found = { values, context: prepare(options, overlay) }
      known.unshift(found)
      known.length = Math.min(known.length, MOST_KNOWN)
    }
    const { context } = found
    return context === undefined ? options : Object.assign({}, options, { secureContext: context })
  }
}

type Known = {
  readonly values: readonly unknown[]
  /** Undefined: `tls.connect` creates it, and has been shown to be able to. */
  readonly context: SecureContext | undefined
}

/** What Haraka adds to the options of a handshake; undefined if that is unknown. */
type Overlay = object | undefined

/** Failures are not cached: they are tried again, and do not affect other options. */
function prepare(options: ConnectionOptions, overlay: Overlay): SecureContext | undefined {
  const context =
    options.secureContext === undefined && overlay !== undefined
      ? createSecureContext(withAcceptedVersions(Object.assign({}, options, overlay)))
      : undefined
  // Exactly what Haraka will pass to `tls.connect`.
  throwIfImpossible(Object.assign({}, options, context && { secureContext: context }, overlay))
  return context
}

/** For some hosts Haraka's tls_socket.js adds its own certificate with all its options. */
export function overlayFor(tlsSocket: unknown, host = ''): Overlay {
  const cfg = member(tlsSocket, 'cfg')
  if (typeof cfg !== 'object' || cfg === null) return undefined
  if (member(tlsSocket, 'tls_valid') !== true) return NOTHING
  const own = member(member(cfg, 'mutual_auth_hosts'), host)
  if (!own) {
    if (member(member(cfg, 'mutual_auth_hosts_exclude'), host)) return NOTHING
    if (!member(member(cfg, 'main'), 'mutual_tls')) return NOTHING
  }
  const certificates = member(tlsSocket, 'certsByHost')
  const found =
    member(certificates, typeof own === 'string' ? own : host) ?? member(certificates, '*')
  return typeof found === 'object' && found !== null ? found : undefined
}

const NOTHING = {}

/** Names and values alternate; they are compared for each connection. */
function valuesOf(options: ConnectionOptions, overlay: Overlay): readonly unknown[] {
  const values: unknown[] = [overlay !== undefined]
  for (const [name, value] of Object.entries(options)) {
    if (!OF_THE_CONNECTION.has(name)) values.push(name, value)
  }
  values.push('overlay')
  for (const [name, value] of Object.entries(overlay ?? NOTHING)) values.push(name, value)
  return values
}

/** The same options in another order only cost one more context. */
function isSame(a: readonly unknown[], b: readonly unknown[]): boolean {
  return a.length === b.length && a.every((value, index) => value === b[index])
}

/** Used by `tls.connect` itself, not by the secure context. */
const OF_THE_CONNECTION: ReadonlySet<string> = new Set(['servername', 'checkServerIdentity'])

/** Hosts may have certificates of their own; contexts beyond this number are created again. */
const MOST_KNOWN = 8
