/**
 * What happens to a TLS report (RFC 8460) at one place that it goes to, for log and metrics.
 *
 * Plain data.
 */
import type { DomainName } from './name.js'

/** What became of a report at one place. */
export const REPORT_OUTCOMES = [
  /** Haraka's queue has it. */
  'queued',
  'accepted',
  'refused',
  /** Not accepted at this attempt; tried again. */
  'failed',
  /** Not tried: it refused lately, or has had enough for today. */
  'spared',
  'given-up',
  /** It may have arrived; it is not sent again. */
  'unknown',
] as const

export type ReportOutcome = (typeof REPORT_OUTCOMES)[number]

export type ReportEvent = {
  readonly kind: 'report'
  /** The day that it is about, as `2026-03-01`. */
  readonly day: string
  /** The domain that it is about. */
  readonly domain: DomainName
  readonly way: 'mail' | 'https'
  /** Where it goes to. */
  readonly uri: string
  readonly outcome: ReportOutcome
  readonly detail: string
  /** Whether the record that names the place was secure; undefined: not known at this step. */
  readonly isSecure?: boolean
}
