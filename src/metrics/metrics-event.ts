/**
 * What do the metrics hear of?
 *
 * Everything that the log hears of, and what the settings are from now on. Plain data.
 */
import type { LookupEvent } from '../lookup.js'
import type { MailEvent } from '../mail-event.js'

export type MetricsEvent =
  | { readonly of: 'mail'; readonly event: MailEvent }
  | { readonly of: 'lookup'; readonly event: LookupEvent }
  /** dane.ini was read: what was known of resolvers and Redis may be of others. */
  | { readonly of: 'settings'; readonly hasRedis: boolean }
