/**
 * Delivers reports that are in Haraka's queue: despite TLS failures, once, for a day at most.
 *
 * RFC 8460 §3: DANE is not applied to them. STARTTLS is tried; at a host where the handshake
 * failed it is not tried again, as a report has no secrets. No DSN is made of them.
 *
 * Promises: only a message that checkReport accepts is treated so; any other message with a
 * mark is ordinary mail, now and at every later attempt. Nothing thrown or rejected leaves
 * these functions.
 */
import { errorText, printable } from '../../text.js'
import { LIFE_MS } from '../../tlsrpt/mail-mark.js'
import type { MailMark } from '../../tlsrpt/mail-mark.js'
import { rightOf } from '../../tlsrpt/mail-right.js'
import type { MailRight } from '../../tlsrpt/mail-right.js'
import { noteAcceptance, noteOutcome, noteRefusal } from '../../tlsrpt/receivers.js'
import type { ReportEvent, ReportOutcome } from '../../report-event.js'
import type { ReportStore } from '../../tlsrpt/store.js'
import type { Environment } from '../attempt/attempt.js'
import { member } from '../host.js'
import type { Hmail, Next } from '../host.js'
import type { ProcessLog } from '../log/process-log.js'
import { checkReport } from './report-check.js'
import type { ReportCheck } from './report-check.js'
import { isReportMail } from './report-mail.js'
import { avoidBrokenTls } from './report-tls.js'

export type ReportDeliveryParts = {
  readonly log: Pick<ProcessLog, 'logwarn'>
  readonly codes: Environment['codes']
  readonly store: ReportStore
  /** Of the marks: from the DKIM key in force. */
  readonly key: () => Buffer
  readonly now: () => number
  readonly report: (event: ReportEvent) => void
}

export class ReportDelivery {
  private readonly parts: ReportDeliveryParts
  /** Messages that have been checked; the file of a message does not change. */
  private readonly checked = new WeakMap<Hmail, ReportCheck>()
  /** Reports whose current attempt goes without DANE. */
  private readonly sending = new WeakSet<Hmail>()

  constructor(parts: ReportDeliveryParts) {
    this.parts = parts
  }

  /** For send_email, if the message has a mark. @param ordinary handles it as any other */
  sendEmail(next: Next, hmail: Hmail, ordinary: () => void): void {
    const { codes, log } = this.parts
    inTime(this.rightTo(hmail))
      .then(
        (right) => {
          switch (right) {
            case 'ordinary':
              ordinary()
              return
            case 'wait':
              next(codes.delay, WAIT_SECONDS)
              return
            case 'send':
              avoidBrokenTls(hmail)
              this.sending.add(hmail)
              next()
              return
            case 'expired':
            case 'drop':
              // Haraka calls it after the hooks, and asks for the next hop in it.
              hmail.send_email_respond = () => hmail.discard()
              next()
          }
        },
        (error: unknown) => {
          log.logwarn(`a TLS report in the queue could not be prepared: ${errorText(error)}`)
          ordinary()
        },
      )
      .catch(this.afterAnswer)
  }

  /** Whether the current attempt goes without DANE. */
  isSending(hmail: Hmail): boolean {
    return this.sending.has(hmail)
  }

  /** For the bounce hook: no DSN, and the address is left alone for a while. */
  bounced(next: Next, hmail: Hmail, error: unknown): void {
    const { codes } = this.parts
    const detail = printable(String(member(error, 'message') ?? error), 200)
    this.answer(
      next,
      hmail,
      async (mark) => {
        const isTired = detail.startsWith('Too many failures')
        if (isTired) await this.note(mark, 'given-up', detail)
        else {
          const days = await noteRefusal(this.parts.store, placeOf(mark), this.parts.now())
          await this.note(mark, 'refused', `${detail}; left alone for ${days} days`)
        }
        return codes.ok
      },
      codes.ok,
    )
  }

  /** For the deferred hook. RFC 8460 §5.5: retried for 24 hours. */
  deferred(next: Next, hmail: Hmail, params: unknown): void {
    const detail = printable(String(member(params, 'err')), 200)
    this.answer(
      next,
      hmail,
      async (mark) => {
        const isOver = this.parts.now() - mark.at >= LIFE_MS
        await this.note(mark, isOver ? 'given-up' : 'failed', detail)
        return isOver ? this.parts.codes.ok : undefined
      },
      undefined,
    )
  }

  /** For the delivered hook. */
  delivered(next: Next, hmail: Hmail, params: unknown): void {
    const [host, response] = [member(params, '0'), member(params, '2')]
    const detail = printable(`${String(host)}: ${String(response)}`, 200)
    this.answer(
      next,
      hmail,
      async (mark) => {
        await this.note(mark, 'accepted', detail)
        await noteAcceptance(this.parts.store, placeOf(mark))
        return undefined
      },
      undefined,
    )
  }

  /** @param otherwise the answer if the result cannot be noted */
  private answer(
    next: Next,
    hmail: Hmail,
    act: (mark: MailMark) => Promise<number | undefined>,
    otherwise: number | undefined,
  ): void {
    if (!isReportMail(hmail)) {
      next()
      return
    }
    const { log } = this.parts
    this.check(hmail)
      .then((check) => (check.kind === 'report' ? act(check.mark) : undefined))
      .catch((error: unknown) => {
        log.logwarn(`the result of a TLS report could not be noted: ${errorText(error)}`)
        return this.checked.get(hmail)?.kind === 'report' ? otherwise : undefined
      })
      .then(next)
      .catch(this.afterAnswer)
  }

  /**
   * Haraka catches what its next step throws only while it waits for the hook, which is over
   * by then; a rejection that nobody handles would end the process.
   */
  private readonly afterAnswer = (error: unknown): void => {
    const text = 'Haraka or another plugin failed after the hook for a TLS report'
    this.parts.log.logwarn(`${text}: ${errorText(error)}`)
  }

  private async rightTo(hmail: Hmail): Promise<MailRight | 'ordinary'> {
    const check = await this.check(hmail)
    if (check.kind === 'ordinary') return 'ordinary'
    const right = await rightOf(this.parts.store, check.mark, this.parts.now()).catch(
      (): MailRight => 'wait',
    )
    if (right === 'expired') {
      await this.note(check.mark, 'given-up', 'not accepted within 24 hours').catch(() => undefined)
    }
    return right
  }

  private async check(hmail: Hmail): Promise<ReportCheck> {
    const known = this.checked.get(hmail)
    if (known !== undefined) return known
    const check = await checkReport(this.parts.key(), hmail)
    this.checked.set(hmail, check)
    if (check.kind === 'ordinary') {
      const text = 'a message has the mark of a TLS report but is none, and is handled as any other'
      this.parts.log.logwarn(`${text}: ${check.detail}`)
    }
    return check
  }

  private async note(mark: MailMark, outcome: ReportOutcome, detail: string): Promise<void> {
    const { store, now, report } = this.parts
    const { day, domain, to } = mark
    report({ kind: 'report', day, domain, way: 'mail', uri: `mailto:${to}`, outcome, detail })
    await noteOutcome(store, { day, domain }, placeOf(mark), { kind: outcome, detail, at: now() })
  }
}

/**
 * A store or disk that does not answer delays the message. Haraka would otherwise give up
 * the hook and ask for the next hop of a message that is not prepared yet.
 */
async function inTime<T>(right: Promise<T>): Promise<T | 'wait'> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<'wait'>((resolve) => {
    timer = setTimeout(() => {
      resolve('wait')
    }, PATIENCE_MS)
  })
  try {
    return await Promise.race([right, late])
  } finally {
    clearTimeout(timer)
  }
}

function placeOf({ to }: MailMark): { readonly kind: 'mailto'; readonly address: string } {
  return { kind: 'mailto', address: to }
}

/** Until the process that queued a report has noted it. */
const WAIT_SECONDS = 15
/** Less than Haraka allows a hook. */
const PATIENCE_MS = 10_000
