/**
 * Turns events into numbers.
 *
 * The numbers are in a prom-client registry of this plugin's own, separate from any other
 * in the process. They are exported as `Snapshot`s, which can be sent to another process
 * and summed there.
 *
 * Loaded only if metrics are enabled: prom-client takes 12 MB.
 */
import { Registry } from 'prom-client'
import type { LookupEvent } from '../lookup.js'
import { isUsable, statusWord } from '../lookup.js'
import type { Forecast, MailEvent } from '../mail-event.js'
import type { Snapshot } from './collector.js'
import { createDestinations } from './destinations.js'
import type { Destinations } from './destinations.js'
import { createMeters } from './meters.js'
import type { Meters } from './meters.js'
import type { MetricsEvent } from './metrics-event.js'

export type Counts = {
  readonly count: (event: MetricsEvent) => void
  readonly snapshot: () => Promise<Snapshot>
}

/**
 * @param limit destinations with a label of their own
 * @param now milliseconds since the epoch
 */
export function createCounts(limit: number, now: () => number): Counts {
  const registry = new Registry()
  const meters = createMeters(registry)
  const context: Context = {
    meters,
    now,
    deferred: createDestinations(limit, (destination) => {
      meters.remove('dane_destination_deferrals_total', { destination })
    }),
    failing: createDestinations(limit, (destination) => {
      for (const policy of ['opportunistic', 'mandatory']) {
        meters.remove('dane_audit_failing_total', { policy, destination })
      }
    }),
  }
  return {
    count(reported) {
      switch (reported.kind) {
        case 'mail':
          countMail(context, reported.event)
          return
        case 'lookup':
          countLookup(context, reported.event)
          return
        case 'counted': {
          const { policy, result } = reported
          meters.add('dane_tlsrpt_sessions_total', { policy, result })
          return
        }
        case 'report': {
          const { way, outcome } = reported.event
          meters.add('dane_tlsrpt_reports_total', { way, outcome })
          return
        }
        case 'settings':
          resetGauges(context, reported.hasRedis)
      }
    },
    snapshot: () => registry.getMetricsAsJSON(),
  }
}

type Context = {
  readonly meters: Meters
  readonly now: () => number
  /** Labels of destinations whose mail was deferred. */
  readonly deferred: Destinations
  /** Labels of destinations that failed an audit. */
  readonly failing: Destinations
}

function countMail(context: Context, event: MailEvent): void {
  const { meters, now, deferred } = context
  switch (event.kind) {
    case 'decision': {
      const { policy, decision, milliseconds } = event
      meters.add('dane_decisions_total', { policy, decision })
      meters.time(milliseconds, 'dane_plan_duration_seconds')
      return
    }
    case 'handshake':
      meters.time(event.milliseconds, 'dane_handshake_duration_seconds')
      return
    case 'refused': {
      const { policy, refusal } = event
      meters.add('dane_verdicts_total', { policy, verdict: 'refused', reason: refusal.reason })
      return
    }
    case 'passed': {
      const { policy, verdict } = event
      meters.add('dane_verdicts_total', { policy, verdict: verdict.kind, reason: '' })
      return
    }
    case 'rollover':
      meters.add('dane_rollovers_total')
      return
    case 'settled': {
      const { policy, outcome, refusal } = event
      meters.add('dane_messages_held_total', { policy, outcome, reason: refusal.reason })
      if (outcome === 'returned') return
      const destination = deferred.labelFor(event.destination, now())
      meters.add('dane_destination_deferrals_total', { destination })
      return
    }
    case 'forecast':
      countForecast(context, 'opportunistic', event.opportunistic, event.destination)
      countForecast(context, 'mandatory', event.mandatory, event.destination)
      return
    case 'unjudged':
      meters.add('dane_audit_unjudged_total')
      return
    case 'plan':
    case 'routed':
    case 'unreached':
    case 'session':
    case 'delivered':
      return
  }
}

function countForecast(
  { meters, now, failing }: Context,
  policy: string,
  forecast: Forecast,
  destination: string,
): void {
  const refusal = 'refusal' in forecast ? forecast.refusal : undefined
  const reason = refusal?.reason ?? ''
  meters.add('dane_audit_forecasts_total', { policy, forecast: forecast.kind, reason })
  if (forecast.kind !== 'deferred' && forecast.kind !== 'returned') return
  const label = failing.labelFor(destination, now())
  meters.add('dane_audit_failing_total', { policy, destination: label })
}

function countLookup({ meters }: Context, event: LookupEvent): void {
  switch (event.kind) {
    case 'response': {
      const { type, lookup, milliseconds } = event
      meters.add('dane_lookups_total', { type, status: statusWord(lookup) })
      meters.add('dane_answers_total', { layer: 'dns' })
      meters.time(milliseconds, 'dane_lookup_duration_seconds', { type })
      return
    }
    case 'hit':
      meters.add('dane_answers_total', { layer: event.layer })
      return
    case 'resolver': {
      const { server, result, isOptional } = event
      // Nobody asked for it: that it is not there is no fault.
      if (isOptional === true && result.kind === 'failing') return
      meters.set(isUsable(result), 'dane_resolver_validating', { server })
      return
    }
    case 'resolvers':
      meters.set(event.isOut, 'dane_resolvers_out')
      return
    case 'redis':
      meters.set(event.fault === undefined, 'dane_redis_available', { what: event.what })
      return
    case 'query':
    case 'cached':
      return
  }
}

/** The old values belong to the servers of the previous settings. */
function resetGauges({ meters }: Context, hasRedis: boolean): void {
  meters.resetGauges()
  for (const what of hasRedis ? ['read', 'write'] : []) {
    meters.set(true, 'dane_redis_available', { what })
  }
}
