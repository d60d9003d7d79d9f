/**
 * Logs what becomes of TLS reports (RFC 8460): one line for each place that one goes to.
 *
 * Delivered at info, given up and refused at notice. Text from outside is made printable
 * here.
 */
import { printable } from '../../text.js'
import type { ReportEvent } from '../../report-event.js'
import type { ProcessLog } from './process-log.js'

export function logReport(
  log: Pick<ProcessLog, 'loginfo' | 'lognotice'>,
  event: ReportEvent,
): void {
  const { day, domain, outcome } = event
  const where = `${domain} of ${day} to ${printable(event.uri, 300)}${recordText(event)}`
  const detail = printable(event.detail, 300)
  switch (outcome) {
    case 'queued':
      log.loginfo(`TLS report queued: ${where}`)
      return
    case 'accepted':
      log.loginfo(`TLS report delivered: ${where}: ${detail}`)
      return
    case 'failed':
      log.loginfo(`TLS report not accepted yet, it is tried again: ${where}: ${detail}`)
      return
    case 'spared':
      log.loginfo(`TLS report not sent: ${where}: ${detail}`)
      return
    case 'refused':
      log.lognotice(`TLS report refused: ${where}: ${detail}`)
      return
    case 'unknown':
      log.lognotice(`TLS report may have arrived, it is not sent again: ${where}: ${detail}`)
      return
    case 'given-up':
      log.lognotice(`TLS report given up: ${where}: ${detail}`)
  }
}

/** Without DNSSEC, whoever forges the record reads the report. */
function recordText({ isSecure }: ReportEvent): string {
  if (isSecure === undefined) return ''
  return isSecure ? ' (record signed)' : ' (record not signed)'
}
