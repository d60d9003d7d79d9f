/**
 * The events that are counted.
 *
 * All events of the log, and changes of the settings. Plain data.
 */
import type { LookupEvent } from '../lookup.js'
import type { MailEvent } from '../mail-event.js'
import type { ReportEvent } from '../report-event.js'

export type MetricsEvent =
  | { readonly kind: 'mail'; readonly event: MailEvent }
  | { readonly kind: 'lookup'; readonly event: LookupEvent }
  /** A session was counted for a TLS report. */
  | {
      readonly kind: 'counted'
      readonly policy: 'tlsa' | 'no-policy-found'
      /** A result type of RFC 8460 §4.3, or `success`. */
      readonly result: string
    }
  | { readonly kind: 'report'; readonly event: ReportEvent }
  /** dane.ini was read: the gauges of resolvers and Redis are reset. */
  | { readonly kind: 'settings'; readonly hasRedis: boolean }
