/**
 * Takes from the running Haraka what the plugin needs, or refuses to run with it.
 *
 * Haraka has no published types and may be any release from 3.0.4 on, so everything is
 * checked once, at the start.
 */
import { httpListeners, reachableFromElsewhere } from '../http-listen.js'
import type { HttpIni } from '../http-listen.js'
import type { Environment } from './attempt/attempt.js'
import { isPkixForced } from './connection/tls-options.js'
import { member } from './host.js'
import type { Mx, Plugin } from './host.js'
import { isHttpServed } from './metrics/endpoint.js'
import type { Surroundings } from './start-check.js'

export type HarakaParts = Pick<Environment, 'toMx' | 'codes'> & {
  /** Haraka's module of that name, as it is now. */
  readonly tlsSocket: () => unknown
  readonly isDebug: () => boolean
  readonly surroundings: () => Omit<Surroundings, 'hasMetrics' | 'status'>
}

/** Throws a DaneStartError if this Haraka lacks something. */
export function inspectHaraka(plugin: Plugin): HarakaParts {
  const outbound = plugin.haraka_require('outbound')
  const logger = plugin.haraka_require('logger')
  const hmail = member(plugin.haraka_require('outbound/hmail'), 'prototype')
  for (const method of ['get_mx_respond', 'found_mx', 'try_deliver', 'get_force_tls'] as const) {
    if (typeof member(hmail, method) === 'function') continue
    throw new DaneStartError(
      `this Haraka has no HMailItem.${method}: haraka-plugin-dane needs Haraka 3.0.4 or later`,
    )
  }
  const HarakaMx = member(member(outbound, 'net_utils'), 'HarakaMx')
  if (!isConstructor(HarakaMx)) {
    throw new DaneStartError('this Haraka has no HarakaMx: haraka-plugin-dane needs 3.0.4 or later')
  }
  return {
    toMx: (fields) => new HarakaMx(fields),
    tlsSocket: () => plugin.haraka_require('tls_socket'),
    codes: { ok: OK, deny: DENY, denysoft: DENYSOFT, delay: DELAY },
    surroundings: () => surroundingsOf(plugin),
    isDebug: () => Number(member(logger, 'loglevel')) >= Number(member(logger, 'LOGDEBUG')),
  }
}

function surroundingsOf(plugin: Plugin): Omit<Surroundings, 'hasMetrics' | 'status'> {
  const registered = (hook: string): readonly string[] => {
    const hooks = member(member(plugin.haraka_require('plugins'), 'registered_hooks'), hook)
    return Array.isArray(hooks) ? hooks.map((each) => String(member(each, 'plugin'))) : []
  }
  const outboundIni = member(plugin.haraka_require('outbound/config'), 'cfg')
  return {
    harakaVersion: String(member(plugin.haraka_require('package.json'), 'version')),
    sendEmail: registered('send_email'),
    getMx: registered('get_mx'),
    hasHttp: isHttpServed(plugin),
    httpElsewhere: reachableFromElsewhere(httpListeners(httpIniOf(plugin))),
    isTlsEnabled: member(outboundIni, 'enable_tls') !== false,
    isPkixForced: isPkixForced(plugin),
  }
}

/** As Haraka reads http.ini. */
function httpIniOf(plugin: Plugin): HttpIni {
  const main = member(plugin.config.get('http.ini'), 'main')
  const textOf = (key: string): string | undefined => {
    const value = member(main, key)
    return typeof value === 'string' || typeof value === 'number' ? String(value) : undefined
  }
  return { listen: textOf('listen'), port: textOf('port'), listenHost: textOf('listen_host') }
}

/** A refusal to start: one line, no stack. */
class DaneStartError extends Error {
  override readonly name = 'DaneStartError'

  constructor(message: string) {
    super(message)
    this.stack = `${this.name}: ${message}`
  }
}

function isConstructor(value: unknown): value is new (fields: unknown) => Mx {
  return typeof value === 'function'
}

/** Haraka puts its constants into the global object before it calls `register`. */
declare const OK: number
declare const DENY: number
declare const DENYSOFT: number
declare const DELAY: number
