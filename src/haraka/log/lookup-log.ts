/**
 * Logs DNS lookups, resolvers and Redis.
 *
 * Lookups and cache entries at debug, bogus answers as warnings, a resolver or Redis that
 * fails or recovers at the level that fits its effect on mail. Text from outside has been
 * made printable before.
 */
import { failureText } from '../../lookup.js'
import type { LookupEvent, ProbeResult } from '../../lookup.js'
import { problemAdvice } from '../../resolver-problem.js'
import { disbeliefText, lookupEventText } from '../../lookup-text.js'
import type { ProcessLog } from './process-log.js'

/** Resolvers serve many messages at once, so these lines have no message id. */
export function logLookup(log: ProcessLog, isDebug: () => boolean, event: LookupEvent): void {
  switch (event.kind) {
    case 'resolver':
      logResolver(log, event)
      return
    case 'redis':
      logRedis(log, event)
      return
    case 'resolvers':
      if (event.isOut) log.logerror(`no validating resolver available: ${DEFERRED}`)
      else log.lognotice(`a validating resolver is available again: ${RETRIED}`)
      return
    case 'response':
      logResponse(log, isDebug, event)
      return
    case 'query':
    case 'cached':
      logDebug(log, isDebug, event)
      return
    case 'hit':
      return
  }
}

function logResponse(
  log: ProcessLog,
  isDebug: () => boolean,
  event: Extract<LookupEvent, { kind: 'response' }>,
): void {
  const { type, name, server, lookup } = event
  if (lookup.kind === 'failed' && lookup.cause === 'bogus') {
    log.logwarn(`BOGUS ${type} of ${name}: ${failureText(lookup)} (from ${server})`)
    return
  }
  logDebug(log, isDebug, event)
}

function logDebug(log: ProcessLog, isDebug: () => boolean, event: LookupEvent): void {
  if (!isDebug()) return
  const text = lookupEventText(event, Date.now())
  if (text !== undefined) log.logdebug(text)
}

/** A probe had another result than the one before, or was the first. */
function logResolver(
  log: ProcessLog,
  { server, result, isFirst, isOptional }: Extract<LookupEvent, { kind: 'resolver' }>,
): void {
  switch (result.kind) {
    case 'validating':
      if (result.caveat !== undefined) {
        log.logwarn(
          `resolver ${server} is used because it sets AD, but probe_bogus does not confirm that it validates: ` +
            result.caveat,
        )
      } else if (isFirst) log.loginfo(`resolver ${server} validates`)
      else log.lognotice(`resolver ${server} validates and is in use again`)
      return
    case 'passing':
      logPassing(log, server, result, isFirst)
      return
    case 'unusable':
      log.logerror(
        `resolver ${server} is not used, validation here is not possible with it: ` +
          `${result.problem}, ${result.detail}${disbeliefText(result)}; ${problemAdvice(result.problem)}`,
      )
      return
    case 'not-validating':
      log.logerror(
        `resolver ${server} does not validate (${result.detail}) and is not used: ` +
          'check its DNSSEC validation, also for a permissive mode, or set another server in [resolver] of dane.ini',
      )
      return
    case 'failing':
      if (isFirst && isOptional === true) {
        log.loginfo(`resolver ${server} does not answer and is not needed (${result.detail})`)
        return
      }
      log.logwarn(`resolver ${server} fails (${result.detail}) and is not used until it answers`)
  }
}

/** What it says is validated here. */
function logPassing(
  log: ProcessLog,
  server: string,
  result: Extract<ProbeResult, { kind: 'passing' }>,
  isFirst: boolean,
): void {
  const why = disbeliefText(result)
  if (isFirst) log.loginfo(`resolver ${server} is used, and its answers are validated here${why}`)
  else log.lognotice(`resolver ${server} is in use again, and its answers are validated here${why}`)
}

/** Logged once when it fails and once when it recovers: mail does not depend on it. */
function logRedis(log: ProcessLog, { what, fault }: Extract<LookupEvent, { kind: 'redis' }>): void {
  if (fault === undefined) {
    log.lognotice(what === 'read' ? 'Redis is available again' : 'Redis is writable again')
    return
  }
  log.logwarn(
    what === 'read'
      ? `Redis is unavailable (${fault}): mail is not affected, DNS is queried directly until it recovers; haraka-dane check says what to do`
      : `Redis is not writable (${fault}): mail is not affected, existing entries are still read, new ones are kept in memory only; haraka-dane check says what to do`,
  )
}

const DEFERRED = 'all mail is deferred except under policy none or audit'
const RETRIED = 'deferred messages are sent at their next attempt, or at once after a SIGHUP'
