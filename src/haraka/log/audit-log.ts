/**
 * Logs messages under `policy = audit`.
 *
 * Lines begin with `audit:` and say that nothing was enforced: one per message, with what
 * `opportunistic` and `mandatory` would have done with it, and one for each host that
 * would have been refused. Failures are at notice, everything else at info.
 */
import type { Forecast, MailEvent, Refusal } from '../../mail-event.js'
import { phraseOf } from '../../reason.js'
import { printable } from '../../text.js'
import type { Hmail, Plugin } from '../host.js'

type AuditEvent = Extract<MailEvent, { kind: 'forecast' | 'unjudged' }>

export function logAudit(plugin: Plugin, hmail: Hmail, event: AuditEvent): void {
  if (event.kind === 'unjudged') {
    const { destination, detail } = event
    hmail.loginfo(plugin, 'audit: not judged, nothing enforced', { domain: destination, detail })
    return
  }
  const { destination, opportunistic, mandatory, refusals } = event
  for (const refusal of refusals) {
    hmail.lognotice(plugin, 'audit: host would be refused, nothing enforced', {
      domain: destination,
      ...fields(refusal),
    })
  }
  const blamed = 'refusal' in opportunistic ? opportunistic.refusal : undefined
  const refusal = blamed ?? ('refusal' in mandatory ? mandatory.refusal : undefined)
  // A host's refusal has its own line with the details.
  const { detail, ...known } = refusal ? fields(refusal) : {}
  const isReported = refusals.some((reported) => reported === refusal)
  const isHarmed = !isFine(opportunistic) || !isFine(mandatory)
  const shown = {
    domain: destination,
    opportunistic: forecastText(opportunistic),
    mandatory: forecastText(mandatory),
    ...known,
    ...(detail !== undefined && !isReported && { detail }),
  }
  if (isHarmed) hmail.lognotice(plugin, 'audit: nothing enforced', shown)
  else hmail.loginfo(plugin, 'audit: nothing enforced', shown)
}

/** Whether mail would be delivered as it is now. */
export function isFine({ kind }: Forecast): boolean {
  return kind === 'verified' || kind === 'encrypted' || kind === 'no-dane'
}

/** `would be deferred (certificate-mismatch)` */
export function forecastText(forecast: Forecast): string {
  switch (forecast.kind) {
    case 'verified':
      return 'would be delivered, verified'
    case 'encrypted':
      return 'would be delivered over TLS, not authenticated'
    case 'no-dane':
      return 'would be unchanged (no DANE)'
    case 'deferred':
    case 'returned':
      return `would be ${forecast.kind} (${forecast.refusal.reason})`
    case 'unknown': {
      const { refusal, detail } = forecast
      const first = refusal ? `${refusal.reason} at ${printable(refusal.host)}; ` : ''
      return `unknown (${first}${printable(detail)})`
    }
  }
}

function fields({ reason, host, detail }: Refusal): Record<string, string> {
  return {
    host: printable(host),
    reason,
    meaning: phraseOf(reason),
    detail: printable(detail, 400),
  }
}
