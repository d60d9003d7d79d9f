/**
 * Recognizes mail that carries one of our own TLS reports.
 *
 * By a note that Haraka keeps with the message in its queue and that no client can set,
 * never by a header. Such mail is delivered despite TLS failures (RFC 8460 §3), and its
 * sessions are not counted.
 */
import { member } from '../host.js'
import type { Hmail } from '../host.js'

/** The key in the notes of a transaction and of an hmail. */
export const REPORT_NOTE = 'dane_tlsrpt'

export function isReportMail({ todo }: Pick<Hmail, 'todo'>): boolean {
  const note = member(member(todo, 'notes'), REPORT_NOTE)
  return typeof note === 'object' && note !== null
}
