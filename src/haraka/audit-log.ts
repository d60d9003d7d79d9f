/**
 * What does the operator read of messages under `policy = audit`?
 *
 * Lines that begin with `audit:` and say that nothing was enforced: one a message, with
 * what `opportunistic` and `mandatory` would have made of it, and one for each host that
 * would have been given up. Who would fail is said at notice, all else at info.
 */
import type { Forecast, MailEvent, Refusal } from '../mail-event.js'
import { phraseOf } from '../reason.js'
import { printable } from '../text.js'
import type { Hmail, Plugin } from './host.js'

type AuditEvent = Extract<MailEvent, { kind: 'forecast' | 'unjudged' }>

export function logAudit(plugin: Plugin, hmail: Hmail, event: AuditEvent): void {
  if (event.kind === 'unjudged') {
    const { destination, detail } = event
    hmail.loginfo(plugin, 'audit: not judged, nothing enforced', { domain: destination, detail })
    return
  }
  const { destination, opportunistic, mandatory, refusals } = event
  for (const refusal of refusals) {
    hmail.lognotice(plugin, 'audit: host would be refused, nothing enforced', fields(refusal))
  }
  const blamed = 'refusal' in opportunistic ? opportunistic.refusal : undefined
  const refusal = blamed ?? ('refusal' in mandatory ? mandatory.refusal : undefined)
  // A host's refusal has had its details.
  const { detail, ...known } = refusal ? fields(refusal) : {}
  const isTold = refusals.some((told) => told === refusal)
  const isHarmed = !isFine(opportunistic) || !isFine(mandatory)
  hmail[isHarmed ? 'lognotice' : 'loginfo'](plugin, 'audit: nothing enforced', {
    domain: destination,
    opportunistic: forecastText(opportunistic),
    mandatory: forecastText(mandatory),
    ...known,
    ...(detail !== undefined && !isTold && { detail }),
  })
}

/** Whether mail would go out as it does now. */
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
      return 'would be as it is, no DANE'
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
