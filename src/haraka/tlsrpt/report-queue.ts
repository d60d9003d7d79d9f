/**
 * Hands a report to Haraka's outbound queue.
 *
 * Promises: never throws or rejects. The message has a null sender, so that no DSN or
 * automatic reply to it reaches a person, and one recipient. Its notes are those of a new
 * transaction of Haraka: without `skip_plugins` in them, hooks of other plugins would end
 * Haraka.
 */
import { errorText, printable } from '../../text.js'
import type { SealedMark } from '../../tlsrpt/mail-mark.js'
import type { QueueResult } from '../../tlsrpt/send-report.js'
import type { Environment } from '../attempt/attempt.js'
import { member } from '../host.js'
import type { Plugin } from '../host.js'
import { REPORT_NOTE } from './report-mail.js'

export type MarkedMail = {
  readonly to: string
  /** ASCII with CRLF line ends. */
  readonly message: string
  readonly mark: SealedMark
}

export type QueueMail = (mail: MarkedMail) => Promise<QueueResult>

/** @param codes Haraka's constants */
export function createReportQueue(
  plugin: Pick<Plugin, 'haraka_require'>,
  codes: Pick<Environment['codes'], 'ok' | 'deny'>,
): QueueMail {
  return (mail) =>
    new Promise((resolve) => {
      const timer = setTimeout(() => {
        resolve({ kind: 'failed', detail: 'Haraka did not queue the report in time' })
      }, PATIENCE_MS)
      const answered = (code: unknown, text: unknown): void => {
        clearTimeout(timer)
        const detail = printable(String(text), 200)
        if (code === codes.ok) resolve({ kind: 'queued' })
        else resolve({ kind: code === codes.deny ? 'refused' : 'failed', detail })
      }
      try {
        sendEmail(plugin, mail, answered)
      } catch (error) {
        clearTimeout(timer)
        resolve({ kind: 'failed', detail: errorText(error, 200) })
      }
    })
}

function sendEmail(
  plugin: Pick<Plugin, 'haraka_require'>,
  { to, message, mark }: MarkedMail,
  answered: (code: unknown, text: unknown) => void,
): void {
  const outbound = plugin.haraka_require('outbound')
  const method = member(outbound, 'send_email')
  if (typeof method !== 'function') throw new Error('this Haraka has no outbound.send_email')
  // As a string: Haraka does not stuff dots of a stream.
  Reflect.apply(method, outbound, [
    '<>',
    `<${to}>`,
    message,
    answered,
    { notes: notes(plugin, mark) },
  ])
}

function notes(plugin: Pick<Plugin, 'haraka_require'>, mark: SealedMark): unknown {
  const create = member(plugin.haraka_require('transaction'), 'createTransaction')
  if (typeof create !== 'function') throw new Error('this Haraka has no createTransaction')
  const made: unknown = member(Reflect.apply(create, undefined, [undefined, {}]), 'notes')
  if (typeof made !== 'object' || made === null || !Array.isArray(member(made, 'skip_plugins'))) {
    throw new Error('the notes of this Haraka have no skip_plugins')
  }
  // haraka-plugin-dkim would add a second signature.
  return Object.assign(made, { dkim_signed: true, [REPORT_NOTE]: mark })
}

/** Milliseconds for hooks of other plugins and for writing the file. */
const PATIENCE_MS = 60_000
