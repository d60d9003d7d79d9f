/**
 * Can the resolvers be believed, and does this machine know what time it is?
 *
 * Each is asked to prove itself as the plugin asks (dns/probe.ts): reachable, validating,
 * over a way that nobody can tamper with. The clock is held against the signature of
 * the probed name: validation, and certificates that a DANE-TA(2) record names, need
 * a clock that is right to within days. Effects: network.
 */
import { openMember } from '../../assemble.js'
import { failureText } from '../../lookup.js'
import type { Proof } from '../../lookup.js'
import { isLoopback, isTrustedChannel, serverText } from '../../server-address.js'
import type { ResolverAddress } from '../../server-address.js'
import type { ResolverSettings } from '../../settings.js'
import { errorText } from '../../text.js'
import { ok, problem, unknown, warning } from './finding.js'
import type { Finding } from './finding.js'

export async function resolverFindings(settings: ResolverSettings): Promise<readonly Finding[]> {
  const { servers, probe } = settings
  const proofs = await Promise.all(servers.map((server) => prove(server, settings)))
  const isOneValid = proofs.some(({ kind }) => kind === 'validating')
  return [
    ...servers.flatMap((server, index) => {
      const proof = proofs[index]
      return proof ? [channelFinding(server), proofFinding(server, proof, isOneValid)] : []
    }),
    probe.bogusName === undefined
      ? warning(
          TOPIC,
          'probe_bogus is not set: a resolver that serves what fails validation would not be found out',
          'set probe_bogus to a name that is kept broken, such as dnssec-failed.org, or better one of your own',
        )
      : ok(TOPIC, `probe_bogus is set (${probe.bogusName})`),
    await clockFinding(settings, Date.now()),
  ]
}

async function prove(server: ResolverAddress, settings: ResolverSettings): Promise<Proof> {
  const member = openMember(server, settings, () => undefined)
  try {
    return await member.prove(Date.now() + settings.timeoutMs)
  } catch (error) {
    return { kind: 'failing', detail: errorText(error) }
  } finally {
    member.close()
  }
}

function channelFinding(server: ResolverAddress): Finding {
  const name = serverText(server)
  if (isLoopback(server)) return ok(TOPIC, `${name} is on this machine`)
  if (isTrustedChannel(server, false))
    return ok(TOPIC, `${name} is reached over TLS, under its name`)
  return warning(
    TOPIC,
    `${name} is trusted over a network without TLS (trust = yes): whoever can change packets on the way can switch DANE off`,
    'have the resolver on this machine, or reach it by tls://ADDRESS:PORT#NAME',
  )
}

function proofFinding(server: ResolverAddress, proof: Proof, isOneValid: boolean): Finding {
  const name = serverText(server)
  const rest = isOneValid ? 'the others are used' : 'without one that validates, all mail waits'
  switch (proof.kind) {
    case 'validating':
      return proof.caveat === undefined
        ? ok(TOPIC, `${name} answers and validates`)
        : warning(
            TOPIC,
            `${name} sets AD, but probe_bogus does not confirm that it validates: ${proof.caveat}`,
            'see whether the name of probe_bogus is still kept broken, or set another',
          )
    case 'not-validating':
      return problem(
        TOPIC,
        `${name} does not validate (${proof.detail}) and is not used; ${rest}`,
        'switch DNSSEC validation on there, or name another in [resolver] of dane.ini',
      )
    case 'failing':
      return (isOneValid ? warning : problem)(
        TOPIC,
        `${name} fails (${proof.detail}) and is not used; ${rest}`,
        'see whether it runs and lets this machine ask; EDE 7 or 8 mean a wrong clock there or here',
      )
  }
}

async function clockFinding(settings: ResolverSettings, now: number): Promise<Finding> {
  const { servers, timeoutMs, probe } = settings
  let last = 'no resolver was asked'
  for (const server of servers) {
    const member = openMember(server, settings, () => undefined)
    try {
      const times = await member.readSignature(now + timeoutMs)
      if ('kind' in times) {
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
    'see what chronyc or timedatectl say',
  )
}

/** All in milliseconds since the epoch. */
export function judgeClock(now: number, from: number, until: number, name: string): Finding {
  const span = `${day(from)} to ${day(until)}`
  if (now >= from && now <= until) {
    return ok('clock', `${day(now)}; the signature of ${name} is valid by it (${span})`)
  }
  const days = Math.max(1, Math.round((now < from ? from - now : now - until) / 86_400_000))
  return problem(
    'clock',
    `${day(now)} is ${days} days ${now < from ? 'before' : 'after'} the time for which ${name} is signed (${span}): ` +
      'with a wrong clock nothing validates and mail waits',
    `set the clock, and see that chrony or ntpd runs; if it is right, ${name} is badly signed`,
  )
}

function day(instant: number): string {
  return new Date(instant).toISOString().slice(0, 16).replace('T', ' ')
}

const TOPIC = 'resolver'
