/**
 * Checks that the resolvers can be trusted, and this machine's clock.
 *
 * Each is probed as the plugin does (dns/probe.ts): reachable, validating, over a channel
 * that cannot be tampered with. Names of dane.ini show whether it serves answers that have
 * expired. The clock is compared with the signature of the probed
 * name: validation, and certificates that a DANE-TA(2) record names, need a clock that
 * is right to within days. Effects: network.
 */
import { openMember } from '../../assemble.js'
import { disbeliefText } from '../../lookup-text.js'
import { failureText, isUsable } from '../../lookup.js'
import type { ProbeResult } from '../../lookup.js'
import type { DomainName } from '../../name.js'
import { weakChannelText } from '../../haraka-hazards.js'
import { problemAdvice } from '../../resolver-problem.js'
import { channelTo, serverText } from '../../server-address.js'
import type { ResolverAddress } from '../../server-address.js'
import { mayBeBelieved } from '../../settings/resolver-settings.js'
import type { ResolverSettings } from '../../settings/settings.js'
import { errorText } from '../../text.js'
import { validationFindings } from './anchors.js'
import { ok, problem, unknown, warning } from './finding.js'
import type { Finding } from './finding.js'

/** @param domains that mail goes to: the longer the list, the sooner an expired answer is seen */
export async function resolverFindings(
  settings: ResolverSettings,
  domains: readonly DomainName[] = [],
): Promise<readonly Finding[]> {
  const { servers, probe: names } = settings
  const results = await Promise.all(servers.map((server) => probe(server, settings)))
  const isOneValid = results.some(isUsable)
  return [
    ...servers.flatMap((server, index) => {
      const result = results[index]
      return result
        ? [channelFinding(server, settings), probeFinding(server, result, isOneValid)]
        : []
    }),
    ...(await validationFindings(settings, results)),
    names.bogusName === undefined && results.some(({ kind }) => kind === 'validating')
      ? warning(
          TOPIC,
          'probe_bogus is not set: a resolver that serves answers which fail validation would not be detected',
          'set probe_bogus to a name that is bogus on purpose, such as dnssec-failed.org, or preferably one of your own',
        )
      : ok(
          TOPIC,
          names.bogusName === undefined
            ? 'probe_bogus is not needed: no AD bit is believed'
            : `probe_bogus is set (${names.bogusName})`,
        ),
    ...(await staleFindings(settings, domains)),
    await clockFinding(settings, Date.now()),
  ]
}

async function probe(server: ResolverAddress, settings: ResolverSettings): Promise<ProbeResult> {
  const member = openMember(server, settings, () => undefined)
  try {
    return await member.probe(Date.now() + settings.timeoutMs)
  } catch (error) {
    return { kind: 'failing', detail: errorText(error) }
  } finally {
    member.close()
  }
}

/** RFC 8767: what a resolver that serves expired answers does to mail. */
async function staleFindings(
  settings: ResolverSettings,
  domains: readonly DomainName[],
): Promise<readonly Finding[]> {
  const { servers, timeoutMs, probe: names } = settings
  const asked = [...(names.name === '.' ? [] : [names.name]), ...domains]
  const findings = servers.map(async (server) => {
    const member = openMember(server, settings, () => undefined)
    try {
      const stale = await member.findStale(asked, timeoutMs)
      if (stale === undefined) return []
      const text =
        `${serverText(server)} serves answers that have expired (${stale.type} of ${stale.name}): ` +
        'mail to domains whose name servers do not answer waits, and each expired answer delays a delivery'
      return [warning(TOPIC, text, 'switch this off there: in Unbound serve-expired: no')]
    } finally {
      member.close()
    }
  })
  return (await Promise.all(findings)).flat()
}

function channelFinding(
  server: ResolverAddress,
  settings: Pick<ResolverSettings, 'trust' | 'validation' | 'areServersGiven'>,
): Finding {
  const { trust } = settings
  if (!mayBeBelieved(server, settings)) {
    return ok(TOPIC, `${serverText(server)} need not be trusted: its answers are validated here`)
  }
  const weakness = weakChannelText(server, trust)
  const name = serverText(server)
  switch (channelTo(server, trust)) {
    case 'privileged':
      return ok(TOPIC, `${name} is on this machine`)
    case 'tls':
      return ok(TOPIC, `${name} is reached over TLS, and its certificate is verified`)
    case 'unprivileged': {
      const todo = `have the resolver listen on port 53, or another below ${trust.firstOpenPort}`
      return warning(TOPIC, weakness ?? name, todo)
    }
    case 'network': {
      const todo = 'run a resolver on this machine, or reach it by tls://ADDRESS:PORT#NAME'
      return warning(TOPIC, weakness ?? name, todo)
    }
  }
}

function probeFinding(server: ResolverAddress, result: ProbeResult, isOneValid: boolean): Finding {
  const name = serverText(server)
  const rest = isOneValid ? 'the others are used' : 'without one that validates, all mail waits'
  switch (result.kind) {
    case 'validating':
      return result.caveat === undefined
        ? ok(TOPIC, `${name} answers and validates`)
        : warning(
            TOPIC,
            `${name} sets AD, but probe_bogus does not confirm that it validates: ${result.caveat}`,
            'check that the name of probe_bogus is still bogus on purpose, or set another',
          )
    case 'passing':
      return ok(TOPIC, `${name} passes DNSSEC data on, and its answers are validated here`)
    case 'unusable':
      return {
        level: isOneValid ? 'warning' : 'problem',
        topic: TOPIC,
        text: `${name} is not used: ${result.problem}, ${result.detail}${disbeliefText(result)}; ${rest}`,
        todo: problemAdvice(result.problem),
      }
    case 'not-validating':
      return problem(
        TOPIC,
        `${name} does not validate (${result.detail}) and is not used; ${rest}`,
        'enable DNSSEC validation there, or set another server in [resolver] of dane.ini',
      )
    case 'failing':
      return {
        level: isOneValid ? 'warning' : 'problem',
        topic: TOPIC,
        text: `${name} fails (${result.detail}) and is not used; ${rest}`,
        todo: 'check that it is running and accepts queries from this machine; EDE 7 or 8 mean a wrong clock there or here',
      }
  }
}

async function clockFinding(settings: ResolverSettings, now: number): Promise<Finding> {
  const { servers, timeoutMs, probe } = settings
  let last = 'no resolver was asked'
  for (const server of servers) {
    const member = openMember(server, settings, () => undefined)
    try {
      const times = await member.readSignature(now + timeoutMs)
      if (times.kind === 'failed') {
        last = failureText(times)
        continue
      }
      return judgeClock(now, times.from, times.until, probe.name)
    } finally {
      member.close()
    }
  }
  return unknown(
    'clock',
    `it could not be compared with a signature: ${last}`,
    'check the clock with chronyc or timedatectl',
  )
}

/** Times are in milliseconds since the epoch. */
export function judgeClock(now: number, from: number, until: number, name: string): Finding {
  const span = `${day(from)} to ${day(until)}`
  if (now >= from && now <= until) {
    return ok('clock', `${day(now)}; the signature of ${name} is valid at this time (${span})`)
  }
  const days = Math.max(1, Math.round((now < from ? from - now : now - until) / 86_400_000))
  return problem(
    'clock',
    `${day(now)} is ${days} days ${now < from ? 'before' : 'after'} the time for which ${name} is signed (${span}): ` +
      'with a wrong clock no signature that is checked here validates, and mail waits',
    `set the clock, and make sure that chrony or ntpd is running; if it is right, the signatures of ${name} are wrong`,
  )
}

function day(instant: number): string {
  return new Date(instant).toISOString().slice(0, 16).replace('T', ' ')
}

const TOPIC = 'resolver'
