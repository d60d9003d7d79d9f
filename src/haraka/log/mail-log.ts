/**
 * Logs what happens to a message.
 *
 * One line per decision and per success at info, one per refusal at notice, each with the
 * message's id and its recipients' `domain`. Text from outside is made printable here or
 * before. The keys are stable and documented in the README.
 *
 * `TLS success` marks a host that DANE verified for the domain after `for` (RFC 7672
 * §2.2.1); the message may still be rejected there. `delivered verified` marks a message
 * that such a host has accepted. Neither occurs in another line of the plugin, since text
 * from outside cannot contain `TLS success` (text.ts) and `delivered verified` is the
 * beginning of a line. Limit: Haraka's own lines can contain both, so README anchors its
 * expressions to the level, the id and `[dane]`, which precede all text from outside.
 */
import type { MailEvent, Refusal, RoutedHost } from '../../mail-event.js'
import type { HostPlan, HostPolicy, Plan } from '../../plan.js'
import type { Policy } from '../../policy.js'
import { phraseOf } from '../../reason.js'
import { printable } from '../../text.js'
import { tlsaText } from '../../tlsa.js'
import type { Hmail, Plugin } from '../host.js'
import { logAudit } from './audit-log.js'

/** One event of a message, under its id. */
export function logMailEvent(plugin: Plugin, hmail: Hmail, event: MailEvent): void {
  const recipients = domainField(hmail)
  switch (event.kind) {
    case 'plan':
      logPlan(plugin, hmail, event.policy, event.plan)
      return
    case 'routed': {
      const { policy, hosts } = event
      const shown = hosts.map((each) => routedText(each, policy)).join('; ')
      hmail.loginfo(plugin, 'plan', { ...recipients, policy, route: 'relay', hosts: shown })
      return
    }
    case 'refused': {
      const fields = refusalFields(event.policy, event.refusal)
      hmail.lognotice(plugin, 'host refused', { ...recipients, ...fields })
      return
    }
    case 'rollover': {
      const { host } = event
      const text = 'TLSA rollover: current records match, cached ones did not'
      hmail.loginfo(plugin, text, { host, ...recipients })
      return
    }
    case 'passed':
      logSuccess(plugin, hmail, event)
      return
    case 'delivered': {
      // The recipients' domain, as in every line: the host may be verified for a next hop.
      hmail.loginfo(plugin, 'delivered verified', { ...recipients, host: event.host })
      return
    }
    case 'settled': {
      // A host's refusal has its own line with the details.
      const { detail, ...fields } = refusalFields(event.policy, event.refusal)
      const shown = event.isKnown ? fields : { ...fields, detail }
      hmail.lognotice(plugin, `message ${event.outcome}`, { ...recipients, ...shown })
      return
    }
    case 'forecast':
    case 'unjudged':
      logAudit(plugin, hmail, event)
      return
    // The lines of their results are enough, and Haraka has one about a connection.
    case 'unreached':
    case 'decision':
    case 'handshake':
    case 'session':
      return
  }
}

/** An unexpected event, under the message's id if its own log still works. Never throws. */
export function logFault(
  plugin: Plugin,
  hmail: Hmail,
  level: 'logerror' | 'logcrit',
  text: string,
): void {
  try {
    hmail[level](plugin, text, domainField(hmail))
  } catch {
    try {
      plugin[level](text)
    } catch {
      // There is no log left to write to.
    }
  }
}

/** The recipients' domain; another plugin may have made it unreadable. */
function domainField(hmail: Hmail): { readonly domain?: string } {
  try {
    return { domain: printable(String(hmail.todo.domain)) }
  } catch {
    return {}
  }
}

function logPlan(plugin: Plugin, hmail: Hmail, policy: Policy, plan: Plan): void {
  const { route, hosts, laterHosts, omittedHosts } = plan
  hmail.loginfo(plugin, 'plan', {
    domain: route.nextHop,
    policy,
    route: route.kind,
    mx: route.security.toUpperCase(),
    hosts: hosts.map(hostText).join('; '),
    ...(laterHosts !== undefined && { later: `${laterHosts.length} hosts` }),
    ...(omittedHosts !== undefined && { omitted: `${omittedHosts} hosts` }),
  })
}

function logSuccess(
  plugin: Plugin,
  hmail: Hmail,
  { host, domain, verdict, session }: Extract<MailEvent, { kind: 'passed' }>,
): void {
  const tls = `protocol ${printable(session.protocol)} cipher ${printable(session.cipher)}`
  const where = { host, ...domainField(hmail) }
  if (verdict.kind === 'encrypted') {
    hmail.loginfo(plugin, `TLS ${tls}, not authenticated: no usable TLSA record`, where)
    return
  }
  if (domain === undefined) {
    hmail.loginfo(plugin, `TLS ${tls}, host matches TLSA, MX record insecure`, where)
    return
  }
  hmail.loginfo(plugin, `TLS success ${tls} for ${domain}`, {
    host,
    record: tlsaText(verdict.record.published),
    depth: verdict.depth,
    ...(verdict.name && { matched: verdict.name }),
    ...domainField(hmail),
  })
}

function refusalFields(policy: Policy, { reason, host, detail }: Refusal): Record<string, string> {
  return {
    policy,
    host: printable(host),
    reason,
    meaning: phraseOf(reason),
    detail: printable(detail, 400),
  }
}

function hostText(host: HostPlan): string {
  const later = host.laterAddresses?.length ?? 0
  return `${host.exchange} ${policyText(host.policy)}${later > 0 ? `, ${later} addresses left for last` : ''}`
}

function policyText(policy: HostPolicy): string {
  switch (policy.kind) {
    case 'opportunistic':
    case 'unreachable':
      return `${policy.kind} (${policy.reason})`
    case 'encrypt':
      return 'encrypt (tlsa-unusable)'
    case 'authenticate':
      return `authenticate (${policy.records.length} usable)`
  }
}

/** A host that another plugin chose, with its policy if that is not the one of the message. */
function routedText({ host, port, policy, says }: RoutedHost, inForce: Policy): string {
  const place = printable(port === undefined ? host : `${host}:${port}`)
  const weaker = policy === inForce ? '' : `, policy ${policy}`
  switch (says.kind) {
    case 'planned':
      return `${place} ${policyText(says.plan.policy)}${weaker}`
    case 'exempt':
      return `${place} exempt (${says.why})${weaker}`
    case 'left-out':
      return `${place} unreachable (${says.refusal.reason})${weaker}`
  }
}
