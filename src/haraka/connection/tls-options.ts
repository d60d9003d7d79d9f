/**
 * Reads the options that Haraka uses for a TLS handshake, and checks that one is possible.
 *
 * They come from tls.ini, and Haraka does not check them: they may contradict each other or
 * name something that OpenSSL does not have. Then no handshake is possible with any host,
 * and the operator has to know before the first message fails.
 */
import type { ConnectionOptions } from 'node:tls'
import { withAcceptedVersions } from '../../session/handshake.js'
import { rehearse } from '../../session/rehearsal.js'
import { member } from '../host.js'
import type { Mx, Plugin } from '../host.js'
import { overlayFor } from './secure-context.js'

/** As Haraka would use them for this host; undefined if that is unknown. */
export function harakaOptions(plugin: Plugin, mx: Mx): ConnectionOptions | undefined {
  const outboundTls = plugin.haraka_require('outbound/tls')
  const get = member(outboundTls, 'get_tls_options')
  if (typeof get !== 'function') return undefined
  const options: unknown = Reflect.apply(get, outboundTls, [mx])
  return typeof options === 'object' && options !== null ? options : undefined
}

/**
 * Whether the options are still those noted as possible. A change inside the same object is
 * not noticed here; the handshake itself prepares its context again.
 */
export function isKnownPossible(plugin: Plugin, host: string): boolean {
  const tlsSocket = plugin.haraka_require('tls_socket')
  const overlay = overlayFor(tlsSocket, host)
  if (overlay === undefined || Object.keys(overlay).length > 0) return false
  const own = member(plugin.haraka_require('outbound/tls'), 'cfg')
  return isObject(own) && possible.get(own) === member(tlsSocket, 'cfg')
}

/** These options gave a secure context: no need to try them for each connection. */
export function notePossible(plugin: Plugin): void {
  const own = member(plugin.haraka_require('outbound/tls'), 'cfg')
  if (isObject(own)) possible.set(own, member(plugin.haraka_require('tls_socket'), 'cfg'))
}

/** Haraka's outbound TLS settings, with the tls.ini settings that they were tried with. */
const possible = new WeakMap<object, unknown>()

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}

/** tls.ini has both mutual_tls and rejectUnauthorized. */
export function isPkixForced(plugin: Plugin): boolean {
  const tlsSocket = plugin.haraka_require('tls_socket')
  const load = member(tlsSocket, 'load_tls_ini')
  // With workers, Haraka reads tls.ini there only, and plugins look around in their master.
  const cfg: unknown =
    member(tlsSocket, 'cfg') ??
    (typeof load === 'function' ? Reflect.apply(load, tlsSocket, [{ role: 'client' }]) : undefined)
  const main = member(cfg, 'main')
  return ['mutual_tls', 'rejectUnauthorized'].every((option) => member(main, option) === true)
}

/** Tries the options once and logs why no handshake can succeed. */
export async function checkTlsOptions(plugin: Plugin): Promise<void> {
  const rehearsal = await rehearse(
    { ...loadedOptions(plugin), ...overlayFor(plugin.haraka_require('tls_socket')) },
    withAcceptedVersions,
  )
  if (rehearsal.kind === 'possible') return
  const { culprits, detail } = rehearsal
  plugin.logwarn(
    `tls.ini: no TLS handshake is possible with ${culpritsText(culprits)} (${detail}): ` +
      'mail to hosts with DANE is deferred (tls-handshake-failed); delivery to others may crash Haraka',
  )
}

function culpritsText(names: readonly string[]): string {
  return names.length === 0 ? 'its options together' : names.join(' or ')
}

/** Haraka loads them later, with its queue, and would not if they were loaded already; so a copy. */
function loadedOptions(plugin: Plugin): Readonly<Record<string, unknown>> {
  const outboundTls = plugin.haraka_require('outbound/tls')
  const load = member(outboundTls, 'load_config')
  if (typeof outboundTls !== 'object' || typeof load !== 'function') return {}
  const copy: unknown = Object.create(outboundTls)
  Reflect.apply(load, copy, [])
  const cfg = member(copy, 'cfg')
  if (typeof cfg !== 'object' || cfg === null) return {}
  // A session is never offered (handshake.ts).
  return Object.fromEntries(Object.entries(cfg).filter(([name]) => name !== 'session'))
}
