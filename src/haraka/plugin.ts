/**
 * Starts, reloads and stops the plugin.
 *
 * Reads dane.ini, checks that this Haraka has what the plugin needs, and refuses to start
 * if one of the two is not acceptable. When dane.ini changes, the new settings apply from
 * the next attempt of each message on; a file that is not accepted is reported, and the
 * previous settings remain in force.
 *
 * Promises: Haraka sees a refusal at the start, or an answer to a hook, never an exception
 * later.
 */
import cluster from 'node:cluster'
import { isDeepStrictEqual } from 'node:util'
import { assembleResolver } from '../assemble.js'
import type { RunningResolver } from '../assemble.js'
import type { MailEvent } from '../mail-event.js'
import { serverText } from '../server-address.js'
import { redisText } from '../settings/redis-settings.js'
import type { Settings } from '../settings/settings.js'
import { errorText } from '../text.js'
import type { Environment } from './attempt/attempt.js'
import { HOLD_SECONDS } from './attempt/settlement.js'
import { startAuditSummary } from './audit/summary.js'
import { shareContext } from './connection/secure-context.js'
import { checkTlsOptions } from './connection/tls-options.js'
import { createOverrides } from './hooks.js'
import type { Overrides } from './hooks.js'
import type { Hmail, HttpHost, Next, Plugin } from './host.js'
import { inspectHaraka } from './inspect-haraka.js'
import type { HarakaParts } from './inspect-haraka.js'
import { logLookup } from './log/lookup-log.js'
import { logFault, logMailEvent } from './log/mail-log.js'
import { processLog } from './log/process-log.js'
import type { ProcessLog } from './log/process-log.js'
import { startMetrics } from './metrics/endpoint.js'
import type { Metrics } from './metrics/endpoint.js'
import { createSettingsSource } from './settings-source.js'
import type { SettingsSource } from './settings-source.js'
import { logTrust, logWarnings } from './start-check.js'
import { startStatus } from './status/service.js'
import type { Outcomes, Status } from './status/service.js'
import { addStatusPages } from './status/web.js'
import { isReportMail } from './tlsrpt/report-mail.js'
import type { Reports } from './tlsrpt/reports.js'
import { startCounting } from './tlsrpt/start-counting.js'
import type { StartedCounting } from './tlsrpt/start-counting.js'
import { readReportSettings, startReports } from './tlsrpt/start-reports.js'
import { connectWorkerSettings } from './worker-settings.js'
import type { TakenSettings } from './worker-settings.js'

/** What plugins/dane.ts calls when Haraka calls it. */
export type Dane = {
  /** All plugins are loaded. */
  readonly checkStart: () => void
  /** Haraka ends. */
  readonly stop: () => void
  readonly sendEmail: (next: Next, hmail: Hmail) => void
  readonly getMx: (next: Next, hmail: Hmail) => void
  /** Undefined: no TLS reports, and no hooks for them. */
  readonly reports: Reports | undefined
  /** Haraka sets up its HTTP server. */
  readonly initHttp: (server: HttpHost) => void
  /** How Haraka's deliveries end, for the status; undefined: nobody wants to know. */
  readonly outcomes: Outcomes | undefined
}

/** Throws if the plugin must not run; the message is one line for the operator. */
export function startDane(plugin: Plugin): Dane {
  return new RunningDane(plugin, inspectHaraka(plugin))
}

type Parts = ReturnType<Environment['parts']> & { readonly resolver: RunningResolver }

class RunningDane implements Dane {
  private readonly plugin: Plugin
  private readonly log: ProcessLog
  private readonly haraka: HarakaParts
  private readonly source: SettingsSource
  /** The settings at the start; metrics are set up only then. */
  private readonly first: Settings
  private readonly metrics: Metrics
  private readonly status: Status | undefined
  private readonly overrides: Overrides
  private readonly reportTaken: (taken: TakenSettings) => void
  /** Undefined: no TLS reports. */
  private readonly counted: StartedCounting | undefined
  readonly reports: Reports | undefined
  private audit: ReturnType<typeof startAuditSummary>
  private current: Parts

  constructor(plugin: Plugin, haraka: HarakaParts) {
    this.plugin = plugin
    this.haraka = haraka
    this.log = processLog(plugin)
    this.source = createSettingsSource(plugin, () => {
      this.reload()
    })
    this.first = this.source.read()
    this.metrics = startMetrics(this.log, this.first.metrics)
    this.status = this.first.status && startStatus(plugin, this.log, () => this.current.settings)
    this.audit = startAuditSummary(plugin, this.first.audit)
    this.current = this.assemble(this.first)
    this.reportTaken = connectWorkerSettings(this.log)
    this.reportTaken({ fingerprint: this.source.fingerprint(), fault: undefined })
    this.overrides = createOverrides({
      plugin,
      parts: () => this.current,
      toMx: haraka.toMx,
      codes: haraka.codes,
      withContext: shareContext(haraka.tlsSocket),
      now: () => Date.now(),
      report: (hmail, event) => {
        this.report(hmail, event)
      },
    })
    this.counted = startCounting(plugin, this.log, () => this.current, this.metrics)
    this.reports = this.startReports()
    // The process that started the workers says it for all of them.
    if (cluster.isWorker) return
    this.log.loginfo(summary(this.first))
    logTrust(this.log, this.first.resolver)
  }

  get outcomes(): Outcomes | undefined {
    return this.status?.outcomes
  }

  checkStart(): void {
    logWarnings(this.log, this.plugin.name, {
      ...this.haraka.surroundings(),
      hasMetrics: this.first.metrics !== undefined,
      status: this.first.status ? (this.first.status.isProxied ? 'proxied' : 'on') : 'off',
    })
    checkTlsOptions(this.plugin).catch((error: unknown) => {
      this.log.logwarn(`the TLS options of tls.ini could not be tried: ${errorText(error)}`)
    })
  }

  stop(): void {
    this.audit.stop()
    this.metrics.stop()
    this.reports?.stop()
    this.counted?.counting.stop()
    this.current.resolver.close()
  }

  initHttp(server: HttpHost): void {
    try {
      this.metrics.addRoute(server)
    } catch (error) {
      this.log.logerror(`metrics are not served, mail is not affected: ${errorText(error)}`)
    }
    try {
      const { status } = this.first
      if (status && this.status) addStatusPages(server, status, this.status.source, this.log)
    } catch (error) {
      this.log.logerror(`the status is not served, mail is not affected: ${errorText(error)}`)
    }
  }

  sendEmail(next: Next, hmail: Hmail): void {
    this.status?.begin(hmail)
    const ordinary = (): void => {
      this.sendOrdinary(next, hmail)
    }
    // RFC 8460 §3: a report is delivered despite TLS failures.
    if (this.reports && isReportMail(hmail)) {
      this.reports.delivery.sendEmail(next, hmail, ordinary)
    } else ordinary()
  }

  private sendOrdinary(next: Next, hmail: Hmail): void {
    try {
      this.overrides.begin(hmail)
    } catch (error) {
      // With any other answer Haraka would deliver with its own methods, without DANE.
      const text = `message held for ${HOLD_SECONDS} s, the attempt could not be prepared: ${errorText(error)}`
      logFault(this.plugin, hmail, 'logcrit', text)
      next(this.haraka.codes.delay, HOLD_SECONDS)
      return
    }
    next()
  }

  getMx(next: Next, hmail: Hmail): void {
    if (this.reports?.delivery.isSending(hmail) === true) {
      next()
      return
    }
    try {
      this.overrides.answerGetMx(next, hmail)
    } catch (error) {
      const text = `message not delivered at this attempt, get_mx failed: ${errorText(error)}`
      logFault(this.plugin, hmail, 'logcrit', text)
      next(this.haraka.codes.denysoft)
    }
  }

  private reload(): void {
    let fault: string | undefined
    try {
      const { resolver } = this.current
      const settings = this.source.read()
      const reports = readReportSettings(settings)
      this.current = this.assemble(settings)
      resolver.close()
      if (reports) this.reports?.change(reports)
      this.audit.stop()
      this.audit = startAuditSummary(this.plugin, this.current.settings.audit)
      this.logReload()
    } catch (error) {
      fault = errorText(error)
      this.log.logerror(`dane.ini not reloaded, the previous settings remain in force: ${fault}`)
    }
    this.reportTaken({ fingerprint: this.source.fingerprint(), fault })
  }

  /** The process that started the workers says it for all of them (worker-settings.ts). */
  private logReload(): void {
    if (cluster.isWorker) return
    const { settings } = this.current
    logTrust(this.log, settings.resolver)
    this.log.lognotice(`dane.ini reloaded: ${summary(settings)}`)
    if ((this.first.tlsrpt === undefined) !== (settings.tlsrpt === undefined)) {
      this.log.lognotice('[tlsrpt] enabled has changed: restart Haraka to apply it')
    }
    for (const section of ['metrics', 'status'] as const) {
      if (isDeepStrictEqual(this.first[section], settings[section])) continue
      this.log.lognotice(`[${section}] has changed: restart Haraka to apply it`)
    }
  }

  private startReports(): Reports | undefined {
    const { counted, haraka, log, plugin, metrics } = this
    return startReports(
      {
        plugin,
        log,
        codes: haraka.codes,
        store: counted?.store,
        resolver: () => this.current.resolver,
        hear: (event) => {
          metrics.hear({ kind: 'report', event })
        },
      },
      this.first,
    )
  }

  private assemble(settings: Settings): Parts {
    const { haraka, log, metrics, plugin, status } = this
    status?.settings(settings)
    const resolver = assembleResolver(settings, (event) => {
      metrics.hear({ kind: 'lookup', event })
      status?.lookup(event)
      logLookup(log, haraka.isDebug, event)
    })
    metrics.hear({ kind: 'settings', hasRedis: settings.redis !== undefined })
    return { settings, resolver, deadlineMs: deadlineMs(plugin), random: Math.random }
  }

  /** To log, audit summary, metrics and status; one that fails does not affect the others. */
  private report(hmail: Hmail, event: MailEvent): void {
    const { audit, counted, metrics, plugin, status } = this
    const separately = (note: () => void): void => {
      try {
        note()
      } catch (error) {
        const text = `${event.kind} could not be reported: ${errorText(error)}`
        logFault(plugin, hmail, 'logerror', text)
      }
    }
    separately(() => {
      logMailEvent(plugin, hmail, event)
    })
    separately(() => {
      audit.note(event)
    })
    separately(() => {
      metrics.hear({ kind: 'mail', event })
    })
    separately(() => {
      counted?.counting.hear(hmail, event)
    })
    status?.mail(hmail, event)
  }
}

/** Lookups of one message: two thirds of what Haraka allows a hook, 20 s by default. */
function deadlineMs({ timeout }: Plugin): number {
  const seconds = typeof timeout === 'number' && timeout > 0 ? timeout : 30
  return Math.round((seconds * 1000 * 2) / 3)
}

function summary({ policy, domains, resolver, redis }: Settings): string {
  const servers = resolver.servers.map(serverText).join(', ')
  const cache = redis ? `shared cache ${redisText(redis)}` : 'no shared cache'
  return `policy ${policy}, ${domains.size} per-domain policies, resolver ${servers}, ${cache}`
}
