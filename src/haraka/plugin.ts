/**
 * How does the plugin start, reload and stop?
 *
 * Reads dane.ini, looks whether this Haraka has what the plugin takes hold of, and
 * refuses to start where one or the other is not as it must be. On a change of
 * dane.ini the new settings hold from the next attempt on; what is not understood is
 * reported and the old settings stay.
 *
 * Promises: what reaches Haraka from here is a refusal at start, or an answer to a
 * hook, never an exception later.
 */
import { isDeepStrictEqual } from 'node:util'
import { assembleResolver } from '../assemble.js'
import type { RunningResolver } from '../assemble.js'
import { redisText } from '../redis-settings.js'
import { isTrustedChannel, serverText } from '../server-address.js'
import type { Settings } from '../settings.js'
import { errorText } from '../text.js'
import { createArms } from './arms.js'
import type { Environment } from './attempt.js'
import { startAuditSummary } from './audit-summary.js'
import { member } from './host.js'
import type { Hmail, HttpHost, Mx, Next, Plugin } from './host.js'
import { logFault, logLookup, logMailEvent } from './log.js'
import { startMetrics } from './metrics.js'
import { shareContext } from './secure-context.js'
import { createSettingsSource } from './settings-source.js'
import { logWarnings } from './start-check.js'
import type { Surroundings } from './start-check.js'

export type Dane = {
  /** To be called when all plugins are loaded. */
  readonly checkStart: () => void
  /** To be called when Haraka ends. */
  readonly stop: () => void
  readonly sendEmail: (next: Next, hmail: Hmail) => void
  readonly getMx: (next: Next, hmail: Hmail) => void
  /** To be called while Haraka sets up its HTTP server. */
  readonly initHttp: (server: HttpHost) => void
}

/** Throws where the plugin must not run; the message is one line for the operator. */
export function startDane(plugin: Plugin): Dane {
  const haraka = inspectHaraka(plugin)
  const source = createSettingsSource(plugin, reload)
  const first = source.read()
  const metrics = startMetrics(plugin, first.metrics)
  let audit = startAuditSummary(plugin, first.audit)
  let current = assemble(first)
  plugin.loginfo(summary(first))
  logTrust(plugin, first)

  function reload(): void {
    try {
      const { resolver } = current
      current = assemble(source.read())
      resolver.close()
      audit.stop()
      audit = startAuditSummary(plugin, current.settings.audit)
      logTrust(plugin, current.settings)
      plugin.lognotice(`dane.ini reloaded: ${summary(current.settings)}`)
      if (!isDeepStrictEqual(first.metrics, current.settings.metrics)) {
        plugin.lognotice(
          '[metrics] has changed: what it says now holds from the next start of Haraka on',
        )
      }
    } catch (error) {
      plugin.logerror(`dane.ini not reloaded, the old settings stay: ${errorText(error)}`)
    }
  }

  function assemble(
    settings: Settings,
  ): ReturnType<Environment['parts']> & { readonly resolver: RunningResolver } {
    const resolver = assembleResolver(settings, (event) => {
      metrics.hear({ of: 'lookup', event })
      logLookup(plugin, haraka.isDebug, event)
    })
    metrics.hear({ of: 'settings', hasRedis: settings.redis !== undefined })
    return { settings, resolver, deadlineMs: deadlineMs(plugin), random: Math.random }
  }

  const arms = createArms({
    plugin,
    parts: () => current,
    toMx: haraka.toMx,
    codes: haraka.codes,
    withContext: shareContext(haraka.tlsSocket),
    now: () => Date.now(),
    report(hmail, event) {
      metrics.hear({ of: 'mail', event })
      audit.note(event)
      logMailEvent(plugin, hmail, event)
    },
  })

  return {
    checkStart() {
      logWarnings(plugin, {
        ...haraka.surroundings(),
        hasMetrics: first.metrics !== undefined,
      })
    },
    stop() {
      audit.stop()
      metrics.stop()
      current.resolver.close()
    },
    initHttp(server) {
      try {
        metrics.addRoute(server)
      } catch (error) {
        plugin.logerror(`metrics are not shown, mail goes on: ${errorText(error)}`)
      }
    },
    sendEmail(next, hmail) {
      try {
        arms.arm(hmail)
      } catch (error) {
        // Haraka delivers on any answer but this one, and the message is not armed.
        const text = `message held for ${HOLD_SECONDS} s, it could not be armed: ${errorText(error)}`
        logFault(plugin, hmail, 'logcrit', text)
        next(haraka.codes.delay, HOLD_SECONDS)
        return
      }
      next()
    },
    getMx(next, hmail) {
      try {
        arms.answerGetMx(next, hmail)
      } catch (error) {
        logFault(plugin, hmail, 'logcrit', `message deferred: ${errorText(error)}`)
        next(haraka.codes.denysoft)
      }
    },
  }
}

/** What of this Haraka the plugin needs, or a refusal to run with it. */
function inspectHaraka(plugin: Plugin): {
  toMx: (fields: unknown) => Mx
  tlsSocket: () => unknown
  codes: Environment['codes'] & { readonly delay: number }
  isDebug: () => boolean
  surroundings: () => Omit<Surroundings, 'hasMetrics'>
} {
  const outbound = plugin.haraka_require('outbound')
  const logger = plugin.haraka_require('logger')
  const hmail = member(plugin.haraka_require('outbound/hmail'), 'prototype')
  for (const method of ['get_mx_respond', 'found_mx', 'try_deliver', 'get_force_tls'] as const) {
    if (typeof member(hmail, method) === 'function') continue
    throw new DaneStartError(
      `this Haraka has no HMailItem.${method}: haraka-plugin-dane needs Haraka 3.0.4 or later`,
    )
  }
  const registered = (hook: string): readonly string[] => {
    const hooks = member(member(plugin.haraka_require('plugins'), 'registered_hooks'), hook)
    return Array.isArray(hooks) ? hooks.map((each) => String(member(each, 'plugin'))) : []
  }
  const tlsIni = (option: string): unknown =>
    member(member(member(plugin.haraka_require('tls_socket'), 'cfg'), 'main'), option)
  const HarakaMx = member(member(outbound, 'net_utils'), 'HarakaMx')
  if (!isConstructor(HarakaMx)) {
    throw new DaneStartError('this Haraka has no HarakaMx: haraka-plugin-dane needs 3.0.4 or later')
  }
  return {
    toMx: (fields) => new HarakaMx(fields),
    tlsSocket: () => plugin.haraka_require('tls_socket'),
    codes: { ok: OK, deny: DENY, denysoft: DENYSOFT, delay: DELAY },
    surroundings: () => ({
      harakaVersion: String(member(plugin.haraka_require('package.json'), 'version')),
      sendEmail: registered('send_email'),
      getMx: registered('get_mx'),
      hasHttp: isHttpOn(plugin),
      isTlsEnabled:
        member(member(plugin.haraka_require('outbound/config'), 'cfg'), 'enable_tls') !== false,
      isPkixForced: ['mutual_tls', 'rejectUnauthorized'].every((option) => tlsIni(option) === true),
    }),
    isDebug: () => Number(member(logger, 'loglevel')) >= Number(member(logger, 'LOGDEBUG')),
  }
}

/** http.ini, as Haraka reads it. */
function isHttpOn(plugin: Plugin): boolean {
  const listen = member(member(plugin.config.get('http.ini'), 'main'), 'listen')
  return typeof listen === 'string' && listen.trim() !== ''
}

/** Lookups of one message: two thirds of what Haraka allows a hook, 20 s by default. */
function deadlineMs({ timeout }: Plugin): number {
  const seconds = typeof timeout === 'number' && timeout > 0 ? timeout : 30
  return Math.round((seconds * 1000 * 2) / 3)
}

function summary({ policy, domains, resolver, redis }: Settings): string {
  const servers = resolver.servers.map(serverText).join(', ')
  const cache = redis ? redisText(redis) : 'none, facts stay in the process'
  return `policy ${policy}, ${domains.size} domains of their own, resolver ${servers}, shared cache ${cache}`
}

/** Said at start and at reload, since nothing later could show it. */
function logTrust(plugin: Plugin, { resolver }: Settings): void {
  for (const server of resolver.servers.filter((each) => !isTrustedChannel(each, false))) {
    plugin.logwarn(
      `resolver ${serverText(server)} is trusted over a network without TLS (trust = yes): ` +
        'whoever can change packets on the way there can switch DANE off',
    )
  }
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

/** Until Haraka tries again with a message that could not be armed. */
const HOLD_SECONDS = 300

/** Haraka puts its constants into the global object before it calls `register`. */
declare const OK: number
declare const DENY: number
declare const DENYSOFT: number
declare const DELAY: number
