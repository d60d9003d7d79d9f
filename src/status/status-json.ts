/**
 * The status as JSON, for programs: docs/status-json.md describes it, docs/status.schema.json
 * defines it.
 *
 * The values of status-model.ts, with instants in ISO 8601 (UTC). Every key is always
 * there; null means that something is not known or does not apply. Within a version, keys
 * and values may be added, none is removed or changes its meaning. Pure.
 */
import type {
  DestinationDetail,
  HostAttempt,
  HostRequirement,
  HostStatus,
  PlanStatus,
} from './destination-detail.js'
import type {
  DaneState,
  DestinationStatus,
  Instant,
  QueueStatus,
  RefusalStatus,
  RelayStatus,
  StatusModel,
  Success,
  Waiting,
} from './status-model.js'

export type Json =
  string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json }

export function statusJson(status: StatusModel): Json {
  const { at, relay, queue, held, counts, matching, destinations } = status
  return {
    version: VERSION,
    at: time(at),
    relay: relayJson(relay),
    queue: queueJson(queue),
    held: { destinations: held.destinations, messages: held.messages },
    counts: {
      all: counts.all,
      waiting: counts.waiting,
      held: counts.held,
      verified: counts.verified,
    },
    matching,
    destinations: destinations.map(rowJson),
  }
}

export function detailJson(detail: DestinationDetail): Json {
  const { at, relay, queue, status, plan, policy, command } = detail
  return {
    version: VERSION,
    at: time(at),
    relay: relayJson(relay),
    queue: queueJson(queue),
    status: rowJson(status),
    plan: plan ? planJson(plan) : null,
    policy: { policy: policy.policy, line: policy.line ?? null, text: policy.text ?? null },
    command,
  }
}

function relayJson(relay: RelayStatus): Json {
  const { name, version, workers, silentWorkers, since, resolvers, redis, tlsrpt } = relay
  return {
    name,
    version,
    workers,
    silentWorkers,
    since: time(since),
    resolvers: resolvers.map(({ server, state, detail }) => ({ server, state, detail })),
    redis: redis ? { state: redis.state, detail: redis.detail } : null,
    tlsrpt: tlsrpt ? { detail: tlsrpt.detail } : null,
  }
}

function queueJson({ kind, at, detail, oldest, next, ...counts }: QueueStatus): Json {
  const { files, messages, recipients, unreadable, messagesWithoutRow } = counts
  return {
    kind,
    at: time(at),
    detail,
    files,
    messages,
    recipients,
    unreadable,
    messagesWithoutRow,
    oldest: oldest
      ? {
          destination: oldest.destination,
          arrivedAt: time(oldest.arrivedAt),
          givesUpAt: time(oldest.givesUpAt),
        }
      : null,
    next: next ? { at: time(next.at), destination: next.destination } : null,
  }
}

function rowJson(row: DestinationStatus): Json {
  const { destination, waiting, dane, policy, hosts, lastSuccess, lastRefusal } = row
  return {
    destination,
    waiting: waitingJson(waiting),
    dane: daneJson(dane),
    policy,
    hosts,
    lastSuccess: lastSuccess ? successJson(lastSuccess) : null,
    lastRefusal: lastRefusal ? refusalJson(lastRefusal) : null,
  }
}

function waitingJson({
  messages,
  recipients,
  due,
  oldestAt,
  givesUpAt,
  nextRetryAt,
}: Waiting): Json {
  return {
    messages,
    recipients,
    due,
    oldestAt: time(oldestAt),
    givesUpAt: time(givesUpAt),
    nextRetryAt: time(nextRetryAt),
  }
}

function daneJson(dane: DaneState): Json {
  return {
    kind: dane.kind,
    at: 'at' in dane ? time(dane.at) : null,
    host: 'host' in dane ? dane.host : null,
    reason: 'reason' in dane ? dane.reason : null,
    phrase: 'phrase' in dane ? dane.phrase : null,
  }
}

function successJson({ at, host, isVerified }: Success): Json {
  return { at: time(at), host, isVerified }
}

function refusalJson({ at, outcome, host, reason, phrase, detail }: RefusalStatus): Json {
  return { at: time(at), outcome, host, reason: reason ?? null, phrase, detail }
}

function planJson({ at, policy, route, security, hosts, omittedHosts }: PlanStatus): Json {
  return { at: time(at), policy, route, security, hosts: hosts.map(hostJson), omittedHosts }
}

function hostJson(host: HostStatus): Json {
  const { preference, port, policy, requires, addresses, omittedAddresses, lastAttempt } = host
  return {
    host: host.host,
    preference,
    port: port ?? null,
    policy: policy ?? null,
    requires: requirementJson(requires),
    addresses,
    omittedAddresses,
    lastAttempt: lastAttempt ? attemptJson(lastAttempt) : null,
  }
}

function requirementJson(requires: HostRequirement): Json {
  return {
    kind: requires.kind,
    tlsaBase: 'tlsaBase' in requires ? requires.tlsaBase : null,
    records: 'records' in requires ? requires.records : [],
    omittedRecords: 'omittedRecords' in requires ? requires.omittedRecords : 0,
    expiresAt: 'expiresAt' in requires ? time(requires.expiresAt) : null,
    reason: 'reason' in requires ? requires.reason : null,
    phrase: 'phrase' in requires ? requires.phrase : null,
    detail: 'detail' in requires ? requires.detail : null,
  }
}

function attemptJson(attempt: HostAttempt): Json {
  return {
    kind: attempt.kind,
    at: time(attempt.at),
    protocol: 'protocol' in attempt ? attempt.protocol : null,
    cipher: 'cipher' in attempt ? attempt.cipher : null,
    record: 'record' in attempt ? (attempt.record ?? null) : null,
    name: 'name' in attempt ? (attempt.name ?? null) : null,
    reason: 'reason' in attempt ? attempt.reason : null,
    phrase: 'phrase' in attempt ? attempt.phrase : null,
    detail: 'detail' in attempt ? attempt.detail : null,
  }
}

/** Names of queue files may have any instant; JavaScript's dates end in the year 275760. */
function time(instant: Instant | undefined): string | null {
  if (instant === undefined || Math.abs(instant) > MAX_DATE) return null
  return new Date(instant).toISOString()
}

const VERSION = 1
const MAX_DATE = 8_640_000_000_000_000
