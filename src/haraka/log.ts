/**
 * What does the operator read in Haraka's log?
 *
 * One line a decision and one a success at info, one a refusal at notice; lookups
 * and cache entries at debug, bogus answers as warnings. Every value that came from
 * outside is made printable here or before. The keys are stable and documented in
 * the README.
 *
 * `for DOMAIN` stands only in lines about mail that DANE verified for that domain
 * (RFC 7672 §2.2.1), so that `grep 'TLS success.*for'` finds those and no others.
 */
import { failureText } from '../lookup.js'
import type { LookupEvent } from '../lookup.js'
import { lookupText } from '../lookup-text.js'
import type { MailEvent, Refusal } from '../mail-event.js'
import type { HostPlan, Plan, Policy } from '../policy.js'
import { phraseOf } from '../reason.js'
import { printable } from '../text.js'
import { tlsaText, toRecord } from '../tlsa.js'
import { logAudit } from './audit-log.js'
import type { Hmail, Plugin } from './host.js'

/** What happened to one message, under its id. */
export function logMailEvent(plugin: Plugin, hmail: Hmail, event: MailEvent): void {
  switch (event.kind) {
    case 'plan':
      logPlan(plugin, hmail, event.policy, event.plan)
      return
    case 'refused':
      hmail.lognotice(plugin, 'host refused', refusalFields(event.policy, event.refusal))
      return
    case 'rollover': {
      const { host } = event
      hmail.loginfo(plugin, 'TLSA records had changed and were asked for anew', { host })
      return
    }
    case 'passed':
      logSuccess(plugin, hmail, event)
      return
    case 'settled': {
      // The reason has had its line if a host gave it.
      const { detail, ...fields } = refusalFields(event.policy, event.refusal)
      const shown = event.isKnown ? fields : { ...fields, detail }
      hmail.lognotice(plugin, `message ${event.outcome}`, shown)
      return
    }
    case 'forecast':
    case 'unjudged':
      logAudit(plugin, hmail, event)
      return
    // Their outcome has its line.
    case 'decision':
    case 'handshake':
      return
  }
}

/** What should not happen, under the message's id if its own log still works. Never throws. */
export function logFault(
  plugin: Plugin,
  hmail: Hmail,
  level: 'logerror' | 'logcrit',
  text: string,
): void {
  try {
    hmail[level](plugin, text)
  } catch {
    plugin[level](text)
  }
}

function logPlan(plugin: Plugin, hmail: Hmail, policy: Policy, { route, hosts }: Plan): void {
  hmail.loginfo(plugin, 'plan', {
    domain: route.nextHop,
    policy,
    route: route.kind,
    mx: route.security.toUpperCase(),
    hosts: hosts.map(hostText).join('; '),
  })
}

function logSuccess(
  plugin: Plugin,
  hmail: Hmail,
  { host, domain, verdict, session }: Extract<MailEvent, { kind: 'passed' }>,
): void {
  const { protocol, cipher } = session
  const tls = `TLS success protocol ${printable(protocol)} cipher ${printable(cipher)}`
  if (verdict.kind === 'encrypted') {
    // No name in these two lines: it might contain the word that marks the third.
    hmail.loginfo(plugin, `${tls}, not authenticated: no usable TLSA record`)
    return
  }
  if (domain === undefined) {
    hmail.loginfo(plugin, `${tls}, host matches TLSA, MX record insecure`)
    return
  }
  hmail.loginfo(plugin, `${tls} for ${domain}`, {
    host,
    record: tlsaText(toRecord(verdict.record)),
    depth: verdict.depth,
    ...(verdict.name && { matched: verdict.name }),
  })
}

/** The log of the resolvers. They serve many messages at once, so no line bears a message's id. */
export function logLookup(plugin: Plugin, isDebug: () => boolean, event: LookupEvent): void {
  if (event.kind === 'resolver') {
    logResolver(plugin, event)
    return
  }
  if (event.kind === 'redis') {
    logRedis(plugin, event)
    return
  }
  if (event.kind === 'hit') return
  if (event.kind === 'resolvers') {
    if (event.isOut) plugin.logerror(`no validating resolver is left: ${HELD}`)
    else plugin.lognotice('there is a validating resolver again: mail that waited for one goes out')
    return
  }
  if (
    event.kind === 'response' &&
    event.lookup.kind === 'failed' &&
    event.lookup.cause === 'bogus'
  ) {
    plugin.logwarn(
      `BOGUS ${event.type} of ${event.name}: ${failureText(event.lookup)} (asked ${event.server})`,
    )
    return
  }
  if (!isDebug()) return
  switch (event.kind) {
    case 'query':
      plugin.logdebug(`query ${event.type} ${event.name} to ${event.server}`)
      return
    case 'response':
      plugin.logdebug(
        `response ${event.type} ${event.name}: ${lookupText(event.lookup, Date.now())}`,
      )
      return
    case 'cached':
      plugin.logdebug(`cached ${event.type} ${event.name}: ${lookupText(event.lookup, Date.now())}`)
      return
  }
}

/** A resolver's standing has changed; said with what it means for mail and what to do. */
function logResolver(
  plugin: Plugin,
  { server, proof, isFirst }: Extract<LookupEvent, { kind: 'resolver' }>,
): void {
  switch (proof.kind) {
    case 'validating':
      if (proof.caveat !== undefined) {
        plugin.logwarn(
          `resolver ${server} is used because it sets AD, though probe_bogus does not confirm that it validates: ` +
            proof.caveat,
        )
      } else if (isFirst) plugin.loginfo(`resolver ${server} validates`)
      else plugin.lognotice(`resolver ${server} validates and is in use again`)
      return
    case 'not-validating':
      plugin.logerror(
        `resolver ${server} does not validate (${proof.detail}) and is not used: switch DNSSEC validation on there, ` +
          'or name another in [resolver] of dane.ini',
      )
      return
    case 'failing':
      plugin.logwarn(`resolver ${server} fails (${proof.detail}) and is not used until it answers`)
  }
}

/** Said once when it is lost, once when it is back: mail does not depend on it. */
function logRedis(plugin: Plugin, { what, fault }: Extract<LookupEvent, { kind: 'redis' }>): void {
  if (fault === undefined) {
    plugin.lognotice(what === 'read' ? 'Redis is there again' : 'Redis can be written to again')
    return
  }
  plugin.logwarn(
    what === 'read'
      ? `Redis is lost (${fault}): DNS is asked in its place until it is back`
      : `Redis cannot be written to (${fault}): what it knows is used, what is new stays in the process`,
  )
}

const HELD = 'mail waits, but for domains of policy none and audit'

function refusalFields(policy: Policy, { reason, host, detail }: Refusal): Record<string, string> {
  return {
    policy,
    host: printable(host),
    reason,
    meaning: phraseOf(reason),
    detail: printable(detail, 400),
  }
}

function hostText({ exchange, policy }: HostPlan): string {
  switch (policy.kind) {
    case 'opportunistic':
    case 'unreachable':
      return `${exchange} ${policy.kind} (${policy.reason})`
    case 'encrypt':
      return `${exchange} encrypt (tlsa-unusable)`
    case 'authenticate':
      return `${exchange} authenticate (${policy.records.length} usable)`
  }
}
