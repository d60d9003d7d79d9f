/**
 * What becomes of a message that DANE holds back?
 *
 * Sets the DSN fields of every recipient and lets Haraka defer the message, so that
 * its own bounce timer (`temp_fail_intervals`) decides when it has waited long
 * enough, or return it where RFC 5321 §5.1 and RFC 7505 want that at once.
 *
 * What the sender gets to read is the phrase, the reason and the host, nothing of
 * the relay's configuration; details go to the log.
 */
import type { Refusal } from '../mail-event.js'
import { phraseOf, statusOf } from '../reason.js'
import { printable } from '../text.js'
import type { Hmail } from './host.js'

/** The message waits for its next turn, or bounces if it had its last. */
export function defer(hmail: Hmail, refusal: Refusal): void {
  const text = describe(hmail, refusal, 451)
  hmail.temp_fail(text)
}

/** The message goes back to its sender now: only for reasons of class 5. */
export function returnToSender(hmail: Hmail, refusal: Refusal): void {
  const [cls] = statusOf(refusal.reason)
  if (cls !== 5) {
    defer(hmail, refusal)
    return
  }
  hmail.bounce(describe(hmail, refusal, refusal.reason === 'null-mx' ? 556 : 550))
}

/** `server certificate not trusted (certificate-mismatch): mx1.example.org` */
export function senderText({ reason, host }: Refusal): string {
  return `${phraseOf(reason)} (${reason}): ${printable(host)}`
}

function describe(hmail: Hmail, refusal: Refusal, code: number): string {
  const [cls, sub, det] = statusOf(refusal.reason)
  const msg = senderText(refusal)
  for (const recipient of hmail.todo.rcpt_to) {
    // What a server said at an earlier attempt is not the reason of this one.
    delete recipient.reason
    delete recipient.dsn_smtp_code
    delete recipient.dsn_smtp_extc
    delete recipient.dsn_smtp_response
    hmail.extend_rcpt_with_dsn(recipient, { code, msg, cls, sub, det })
    recipient.dsn_remote_mta = printable(refusal.host)
  }
  return msg
}
