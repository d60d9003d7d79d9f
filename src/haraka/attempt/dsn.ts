/**
 * Writes the reason of a deferral or a return into the recipients' DSN fields.
 *
 * The sender reads the phrase, the reason and the host, and nothing about the relay's
 * configuration; details go to the log.
 */
import type { Refusal } from '../../mail-event.js'
import { phraseOf, statusOf } from '../../reason.js'
import { printable } from '../../text.js'
import type { Hmail } from '../host.js'

/** `server certificate not trusted (certificate-mismatch): mx1.example.org` */
export function senderText({ reason, host }: Refusal): string {
  return `${phraseOf(reason)} (${reason}): ${printable(host)}`
}

/** Whether the message is returned at once (RFC 5321 §5.1, RFC 7505 §4.1). */
export function isPermanent({ reason }: Refusal): boolean {
  return statusOf(reason)[0] === 5
}

/** Fields as Haraka's extend_rcpt_with_dsn sets them. */
export function describe(hmail: Hmail, refusal: Refusal): void {
  const [cls, sub, det] = statusOf(refusal.reason)
  const code = cls === 4 ? 451 : refusal.reason === 'null-mx' ? 556 : 550
  const msg = senderText(refusal)
  for (const recipient of hmail.todo.rcpt_to) {
    // A reply from an earlier attempt is not the reason for this one.
    delete recipient.reason
    delete recipient.dsn_smtp_code
    delete recipient.dsn_smtp_extc
    delete recipient.dsn_smtp_response
    recipient.dsn_code = code
    recipient.dsn_msg = msg
    recipient.dsn_status = `${cls}.${sub}.${det}`
    recipient.dsn_action = cls === 4 ? 'delayed' : 'failed'
    recipient.dsn_remote_mta = printable(refusal.host)
  }
}
