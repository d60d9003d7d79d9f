/**
 * Whether a message in Haraka's queue is a report that this operator's relays have made.
 *
 * The note alone proves nothing: another plugin may have set or copied it. A message is a
 * report only if the mark is sealed by our key, the envelope is the one that the mark names
 * (null sender, one recipient), and the body is the one that was sealed. Everything else is
 * ordinary mail, to which DANE applies. Never rejects.
 */
import { timingSafeEqual } from 'node:crypto'
import { bodyHash, openMark } from '../../tlsrpt/mail-mark.js'
import type { MailMark } from '../../tlsrpt/mail-mark.js'
import { errorText } from '../../text.js'
import { member } from '../host.js'
import type { Hmail } from '../host.js'
import { REPORT_NOTE } from './report-mail.js'

export type ReportCheck =
  | { readonly kind: 'report'; readonly mark: MailMark }
  | { readonly kind: 'ordinary'; readonly detail: string }

export async function checkReport(key: Buffer, hmail: Hmail): Promise<ReportCheck> {
  try {
    const mark = openMark(key, member(member(hmail.todo, 'notes'), REPORT_NOTE))
    if (mark === undefined) return ordinary('the mark is not sealed by the DKIM key of dane.ini')
    if (!isEnvelopeOf(hmail, mark)) return ordinary('the mark is of another envelope')
    const body = bodyHash(await readMessage(hmail))
    const isSame =
      body.length === mark.body.length && timingSafeEqual(Buffer.from(body), Buffer.from(mark.body))
    return isSame ? { kind: 'report', mark } : ordinary('the mark is of another body')
  } catch (error) {
    return ordinary(errorText(error, 200))
  }
}

function ordinary(detail: string): ReportCheck {
  return { kind: 'ordinary', detail }
}

function isEnvelopeOf({ todo }: Hmail, mark: MailMark): boolean {
  const [recipient, second] = todo.rcpt_to
  const host = mark.to.slice(mark.to.lastIndexOf('@') + 1)
  return (
    second === undefined &&
    // `todo.domain` decides where Haraka connects to.
    todo.domain === host &&
    bare(recipient) === mark.to &&
    bare(member(todo, 'mail_from')) === ''
  )
}

/** An envelope address of Haraka without the angle brackets. */
function bare(address: unknown): string | undefined {
  const original = member(address, 'original')
  const text = typeof original === 'string' ? original : undefined
  return text?.replace(/^<(.*)>$/, '$1')
}

/** The message as Haraka sends it. */
async function readMessage(hmail: Hmail): Promise<Buffer> {
  const stream = hmail.data_stream?.()
  if (!isReadable(stream)) throw new Error('the queue file cannot be read')
  const chunks: Buffer[] = []
  let octets = 0
  for await (const chunk of stream) {
    chunks.push(chunk)
    octets += chunk.length
    if (octets > MAX_OCTETS) throw new Error('larger than any report')
  }
  return Buffer.concat(chunks)
}

function isReadable(value: unknown): value is AsyncIterable<Buffer> {
  return typeof value === 'object' && value !== null && Symbol.asyncIterator in value
}

/** A report of 1 MiB in base64, had it not been compressed, and its header. */
const MAX_OCTETS = 2_097_152
