/**
 * What is counted?
 *
 * One entry a metric: its name, what it says to a person, its type, its labels, and how
 * the values of several workers become one. docs/metrics.md has the same list with what
 * to make of it, and a test holds the two together. Values of labels are words of this
 * project, but for `destination` and `server`, which are bounded and printable.
 *
 * Plain data.
 */

export type MetricDefinition = {
  readonly help: string
  readonly type: 'counter' | 'gauge' | 'histogram'
  readonly labels: readonly string[]
  /** Of gauges: the worst of all workers. Counters and histograms are added up. */
  readonly aggregator?: 'min' | 'max'
}

export const METRICS = {
  dane_decisions_total: {
    help: 'Attempts by what was decided after the lookups.',
    type: 'counter',
    labels: ['policy', 'decision'],
  },
  dane_verdicts_total: {
    help: 'Hosts by what they were worth: authenticated, encrypted, or refused for a reason.',
    type: 'counter',
    labels: ['policy', 'verdict', 'reason'],
  },
  dane_rollovers_total: {
    help: 'Hosts that would have been refused by remembered TLSA records and passed by fresh ones.',
    type: 'counter',
    labels: [],
  },
  dane_messages_held_total: {
    help: 'Attempts after which the message was deferred or returned for DANE, by reason.',
    type: 'counter',
    labels: ['policy', 'outcome', 'reason'],
  },
  dane_destination_deferrals_total: {
    help: 'Deferrals for DANE by destination, the rest as other.',
    type: 'counter',
    labels: ['destination'],
  },
  dane_lookups_total: {
    help: 'Lookups that a resolver was asked for, by what came back.',
    type: 'counter',
    labels: ['type', 'status'],
  },
  dane_answers_total: {
    help: 'Answers by where they came from: process, redis or dns.',
    type: 'counter',
    labels: ['layer'],
  },
  dane_lookup_duration_seconds: {
    help: 'How long a resolver took, with all its attempts.',
    type: 'histogram',
    labels: ['type'],
  },
  dane_plan_duration_seconds: {
    help: 'How long it took to find out about a destination, caches included.',
    type: 'histogram',
    labels: [],
  },
  dane_handshake_duration_seconds: {
    help: 'How long TLS handshakes took that came to their end.',
    type: 'histogram',
    labels: [],
  },
  dane_resolver_validating: {
    help: '1 if the resolver has shown that it validates and is used, 0 if not.',
    type: 'gauge',
    labels: ['server'],
    aggregator: 'min',
  },
  dane_resolvers_out: {
    help: '1 if no resolver is left and mail waits.',
    type: 'gauge',
    labels: [],
    aggregator: 'max',
  },
  dane_redis_available: {
    help: '1 if the shared cache can be used; 0 if DNS is asked in its place.',
    type: 'gauge',
    labels: ['what'],
    aggregator: 'min',
  },
  dane_audit_forecasts_total: {
    help: 'Messages under policy audit by what each enforced policy would have made of them.',
    type: 'counter',
    labels: ['policy', 'forecast', 'reason'],
  },
  dane_audit_failing_total: {
    help: 'Messages under policy audit that a policy would have held or returned, by destination.',
    type: 'counter',
    labels: ['policy', 'destination'],
  },
  dane_audit_unjudged_total: {
    help: 'Messages under policy audit that went unjudged, because too many were being judged.',
    type: 'counter',
    labels: [],
  },
  dane_processes: {
    help: 'Processes whose counts these are, by whether they answered in time just now.',
    type: 'gauge',
    labels: ['state'],
  },
} as const satisfies Readonly<Record<string, MetricDefinition>>

export type MetricName = keyof typeof METRICS

/** From a cached answer to a lookup that ran out of time. */
export const SECONDS = [0.001, 0.005, 0.02, 0.1, 0.5, 1, 2, 5, 10, 20, 30]
