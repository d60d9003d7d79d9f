/**
 * The metrics.
 *
 * One entry per metric: name, help text, type, labels, and how the values of several
 * workers are combined. docs/metrics.md has the same list with explanations, and a test
 * compares the two. Values of labels are words of this project, except for `destination`
 * and `server`, which are bounded and printable.
 *
 * Plain data.
 */

export type MetricDefinition = {
  readonly help: string
  readonly type: 'counter' | 'gauge' | 'histogram'
  readonly labels: readonly string[]
  /** For gauges: the worst value of all workers. Counters and histograms are summed. */
  readonly aggregator?: 'min' | 'max'
}

export const METRICS = {
  dane_decisions_total: {
    help: 'Delivery attempts by the decision after the lookups.',
    type: 'counter',
    labels: ['policy', 'decision'],
  },
  dane_verdicts_total: {
    help: 'Hosts by verdict: authenticated, encrypted, or refused with a reason.',
    type: 'counter',
    labels: ['policy', 'verdict', 'reason'],
  },
  dane_rollovers_total: {
    help: 'Hosts that did not match cached TLSA records but matched fresh ones.',
    type: 'counter',
    labels: [],
  },
  dane_messages_held_total: {
    help: 'Attempts after which the message was deferred or returned because of DANE, by reason.',
    type: 'counter',
    labels: ['policy', 'outcome', 'reason'],
  },
  dane_destination_deferrals_total: {
    help: 'Deferrals because of DANE by destination; the rest as other.',
    type: 'counter',
    labels: ['destination'],
  },
  dane_lookups_total: {
    help: 'Lookups at a resolver, by result.',
    type: 'counter',
    labels: ['type', 'status'],
  },
  dane_answers_total: {
    help: 'Answers by source: process, redis or dns.',
    type: 'counter',
    labels: ['layer'],
  },
  dane_lookup_duration_seconds: {
    help: 'Duration of lookups at a resolver, retries included.',
    type: 'histogram',
    labels: ['type'],
  },
  dane_plan_duration_seconds: {
    help: 'Duration of all lookups for a message, caches included.',
    type: 'histogram',
    labels: [],
  },
  dane_handshake_duration_seconds: {
    help: 'Duration of completed TLS handshakes.',
    type: 'histogram',
    labels: [],
  },
  dane_resolver_validating: {
    help: '1 if the resolver passed the probe and is used, 0 if not.',
    type: 'gauge',
    labels: ['server'],
    aggregator: 'min',
  },
  dane_resolvers_out: {
    help: '1 if no validating resolver is available and mail is deferred.',
    type: 'gauge',
    labels: [],
    aggregator: 'max',
  },
  dane_redis_available: {
    help: '1 if the shared cache is available, 0 while DNS is queried instead.',
    type: 'gauge',
    labels: ['what'],
    aggregator: 'min',
  },
  dane_audit_forecasts_total: {
    help: 'Messages under policy audit by their outcome under each enforced policy.',
    type: 'counter',
    labels: ['policy', 'forecast', 'reason'],
  },
  dane_audit_failing_total: {
    help: 'Messages under policy audit that a policy would have deferred or returned, by destination.',
    type: 'counter',
    labels: ['policy', 'destination'],
  },
  dane_audit_unjudged_total: {
    help: 'Messages under policy audit that were not checked because too many lookups were in flight.',
    type: 'counter',
    labels: [],
  },
  dane_tlsrpt_sessions_total: {
    help: 'Sessions counted for TLS reports, by policy and result type.',
    type: 'counter',
    labels: ['policy', 'result'],
  },
  dane_tlsrpt_reports_total: {
    help: 'TLS reports by way and outcome, counted at each place that they go to.',
    type: 'counter',
    labels: ['way', 'outcome'],
  },
  dane_processes: {
    help: 'Processes in these numbers, by whether they answered in time.',
    type: 'gauge',
    labels: ['state'],
  },
} as const satisfies Readonly<Record<string, MetricDefinition>>

export type MetricName = keyof typeof METRICS

/** Buckets, from a cached answer to a lookup that timed out. */
export const SECONDS = [0.001, 0.005, 0.02, 0.1, 0.5, 1, 2, 5, 10, 20, 30]
