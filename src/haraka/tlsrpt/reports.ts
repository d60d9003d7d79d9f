/**
 * Sends TLS reports (RFC 8460) from this process, while dane.ini enables them.
 *
 * Connects the sender (src/tlsrpt) with Haraka: its queue, its hooks and its log. Where the
 * settings change, the next report follows the new ones.
 *
 * Promises: nothing here throws, delays or changes the delivery of other mail.
 */
import { randomBytes } from 'node:crypto'
import type { Resolver } from '../../lookup.js'
import type { DomainName } from '../../name.js'
import { isExcluded } from '../../settings/tlsrpt-settings.js'
import type { TlsrptSettings } from '../../settings/tlsrpt-settings.js'
import { composeMail } from '../../tlsrpt/compose-mail.js'
import { createFindRecord } from '../../tlsrpt/find-record.js'
import { hostAddresses } from '../../tlsrpt/host-addresses.js'
import { bodyHash, markKey, sealMark } from '../../tlsrpt/mail-mark.js'
import { post } from '../../tlsrpt/post.js'
import { isPublicAddress } from '../../tlsrpt/public-address.js'
import type { ReportEvent } from '../../report-event.js'
import type { QueuedMail, QueueResult, SenderParts } from '../../tlsrpt/send-report.js'
import type { ReportStore } from '../../tlsrpt/store.js'
import type { Environment } from '../attempt/attempt.js'
import type { Plugin } from '../host.js'
import { logReport } from '../log/report-log.js'
import type { ProcessLog } from '../log/process-log.js'
import { ReportDelivery } from './report-delivery.js'
import { createReportQueue } from './report-queue.js'
import type { QueueMail } from './report-queue.js'
import { startSenderLoop } from './sender-loop.js'
import type { SenderLoop } from './sender-loop.js'

export type ReportsParts = {
  readonly plugin: Pick<Plugin, 'haraka_require'>
  readonly log: ProcessLog
  readonly codes: Environment['codes']
  readonly store: ReportStore
  readonly resolver: () => Pick<Resolver, 'lookup'>
  /** Counts the event; the log has it already. */
  readonly hear: (event: ReportEvent) => void
}

/** The settings with what was read from the file that they name. */
export type ReportSettings = TlsrptSettings & { readonly dkimKey: string }

export class Reports {
  readonly delivery: ReportDelivery
  private readonly parts: ReportsParts
  private readonly queueMail: QueueMail
  private settings: ReportSettings
  private key: Buffer
  private loop: SenderLoop

  constructor(parts: ReportsParts, settings: ReportSettings) {
    this.parts = parts
    this.settings = settings
    this.key = markKey(settings.dkimKey)
    this.queueMail = createReportQueue(parts.plugin, parts.codes)
    this.delivery = new ReportDelivery({
      log: parts.log,
      codes: parts.codes,
      store: parts.store,
      key: () => this.key,
      now: () => Date.now(),
      report: (event) => {
        this.report(event)
      },
    })
    this.loop = this.start()
  }

  /** dane.ini has changed: the next report follows it. */
  change(settings: ReportSettings): void {
    this.settings = settings
    this.key = markKey(settings.dkimKey)
    this.loop.stop()
    this.loop = this.start()
  }

  stop(): void {
    this.loop.stop()
  }

  private start(): SenderLoop {
    return startSenderLoop(this.parts.log, this.senderParts(), this.settings.retentionMs)
  }

  private senderParts(): SenderParts {
    const { store, resolver } = this.parts
    const { settings } = this
    const posting = {
      addressesOf: (host: DomainName) => hostAddresses(resolver(), host),
      isAllowed: isPublicAddress,
      userAgent: 'haraka-plugin-dane',
    }
    return {
      store,
      findRecord: createFindRecord(resolver),
      reporter: settings,
      isOnlyFailures: settings.isOnlyFailures,
      isDnssecRequired: settings.isDnssecRequired,
      isExcluded: (domain) => isExcluded(settings, domain),
      post: (endpoint, body, beforeLast) => post(posting, endpoint, body, beforeLast),
      queue: (mail) => this.queue(mail, settings),
      now: () => Date.now(),
      nonce: () => randomBytes(16).toString('hex'),
      report: (event) => {
        this.report(event)
      },
    }
  }

  private async queue(mail: QueuedMail, settings: ReportSettings): Promise<QueueResult> {
    const { to, counts, json, key, nonce } = mail
    const { organization, contact, from, submitter, dkim, dkimKey } = settings
    const at = Date.now()
    const identity = { organization, contact, from, submitter, dkimKey }
    const dkimSelector = dkim.selector
    const message = await composeMail({ ...identity, dkimSelector, counts, json, to, at })
    const body = bodyHash(Buffer.from(message, 'latin1'))
    const mark = sealMark(markKey(dkimKey), { ...key, to, nonce, at, body })
    return this.queueMail({ to, message, mark })
  }

  private report(event: ReportEvent): void {
    const { log, hear } = this.parts
    logReport(log, event)
    hear(event)
  }
}
