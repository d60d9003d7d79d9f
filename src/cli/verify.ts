/**
 * What would DANE do with mail to this domain, step by step?
 *
 * The delivery's own discover and verify, then a real connection to every address of
 * every host, told in the gateways' words: SECURE, INSECURE or BOGUS first, the
 * verdict last. Yields lines as they come to be known and ends with a `Conclusion`.
 */
import { hostname } from 'node:os'
import { discover } from '../discover/discover.js'
import { failureText } from '../lookup.js'
import type { Resolver } from '../lookup.js'
import type { DomainName } from '../name.js'
import type { EnforcedPolicy, HostPlan, InsecureMx, Plan } from '../policy.js'
import { phraseOf } from '../reason.js'
import type { Reason } from '../reason.js'
import { verify, verifyNothing } from '../verify/verify.js'
import type { Probe } from './smtp-probe.js'
import { probeHost } from './smtp-probe.js'

/** undetermined: a lookup failed, so nobody can say. */
export type Conclusion = 'verified' | 'failed' | 'undetermined'

export type VerifyOptions = {
  readonly policy: EnforcedPolicy
  readonly insecureMx: InsecureMx
  readonly port: number
  /** Milliseconds for one connection. */
  readonly timeoutMs: number
}

export async function* verifyDomain(
  resolver: Resolver,
  domain: DomainName,
  options: VerifyOptions,
): AsyncGenerator<string, Conclusion> {
  const conclusion = yield* steps(resolver, domain, options)
  yield conclusion === 'verified' ? `DANE SUCCESS for ${domain}` : `DANE FAILED for ${domain}`
  yield 'DANE verification completed.'
  return conclusion
}

async function* steps(
  resolver: Resolver,
  domain: DomainName,
  options: VerifyOptions,
): AsyncGenerator<string, Conclusion> {
  const discovery = await discover(resolver, domain, options)
  if (discovery.kind !== 'plan') {
    yield discovery.reason === 'mx-bogus'
      ? `BOGUS MX record found for ${domain}`
      : discovery.kind === 'unresolved'
        ? `MX record of ${domain} cannot be looked up`
        : `No MX record found for ${domain}`
    yield `${phraseOf(discovery.reason)} (${discovery.reason}): ${discovery.detail}`
    return discovery.kind === 'unresolved' ? 'undetermined' : 'failed'
  }
  const { route, hosts } = discovery
  const mx = route.security.toUpperCase()
  let verified = 0
  let refused = 0
  let undetermined = 0
  for (const [index, host] of hosts.entries()) {
    if (index > 0) yield `Trying next MX record in ${domain}`
    yield route.kind === 'mx'
      ? `${mx} MX record(${host.exchange}) found for ${domain}`
      : `${mx} No MX record found for ${domain}, using its own address`
    if (route.security === 'insecure') {
      yield `INSECURE MX record(${host.exchange}) found. The command will still proceed.`
    }
    const found = yield* hostSteps(domain, discovery, host, options)
    if (found === 'verified') verified++
    if (found === 'refused') refused++
    if (found === 'undetermined') undetermined++
  }
  if (refused > 0) return 'failed'
  if (verified > 0) return 'verified'
  return undetermined > 0 ? 'undetermined' : 'failed'
}

/** unprotected: DANE does not apply to the host. */
type HostConclusion = 'verified' | 'refused' | 'unprotected' | 'undetermined'

async function* hostSteps(
  domain: DomainName,
  { route }: Plan,
  host: HostPlan,
  options: VerifyOptions,
): AsyncGenerator<string, HostConclusion> {
  const { exchange, facts, policy } = host
  if (facts.kind === 'lookup-failed') {
    yield `${facts.failed.cause.toUpperCase()} A record found for MX(${exchange}) in ${domain}: ${failureText(facts.failed)}`
    return 'undetermined'
  }
  const address = 'security' in facts ? facts.security.toUpperCase() : 'INSECURE'
  for (const each of host.addresses) {
    yield `${address} A record (${each}) found for MX(${exchange}) in ${domain}`
  }
  switch (policy.kind) {
    case 'unreachable':
      yield `MX(${exchange}) cannot be used: ${reasonText(policy.reason, policy.detail)}`
      return host.tlsa?.kind === 'lookup-failed' ? 'undetermined' : 'refused'
    case 'opportunistic':
      yield `No DANE for MX(${exchange}) in ${domain}: ${reasonText(policy.reason)}`
      return 'unprotected'
    case 'encrypt':
      yield `SECURE TLSA record found for MX(${exchange}) in ${domain}, but none that can be used`
      return 'unprotected'
    case 'authenticate': {
      let isRefused = false
      for (const [index, each] of host.addresses.entries()) {
        if (index > 0) yield `Trying next A record (${each}) for MX(${exchange}) in ${domain}`
        yield `Connecting to ${each} on port ${options.port}.`
        const probe = await probeHost({
          address: each,
          port: options.port,
          serverName: policy.tlsaBase,
          helloName: hostname(),
          timeoutMs: options.timeoutMs,
        })
        const problem = yield* judgeSteps(domain, exchange, each, policy, probe)
        isRefused ||= problem
      }
      if (isRefused) return 'refused'
      // RFC 7672 §2.2.1: what an insecure MX record led to is no success for the domain.
      return route.security === 'secure' ? 'verified' : 'unprotected'
    }
  }
}

/** Whether something was wrong with this address. */
function* judgeSteps(
  domain: DomainName,
  exchange: string,
  address: string,
  policy: Extract<HostPlan['policy'], { kind: 'authenticate' }>,
  probe: Probe,
): Generator<string, boolean> {
  const tlsa = `SECURE TLSA record found for MX(${exchange}) in ${domain}`
  if (probe.kind === 'refused') {
    yield tlsa
    yield `Connection to ${address} failed: ${reasonText(probe.reason, probe.detail)}`
    return true
  }
  yield `Connected to ${address} from interface ${probe.local}.`
  yield tlsa
  yield 'Checking TLS connection.'
  yield `TLS connection established: protocol ${probe.protocol}, cipher ${probe.cipher}.`
  const verdict = probe.chain ? verify(policy, probe.chain, Date.now()) : verifyNothing()
  if (verdict.kind === 'refused') {
    yield `Certificate verification failed: ${reasonText(verdict.reason, verdict.detail)}`
    return true
  }
  yield 'Certificate verification successful'
  yield `TLS connection succeeded ${domain}.`
  return false
}

function reasonText(reason: Reason, detail = ''): string {
  return `${phraseOf(reason)} (${reason})${detail && `: ${detail}`}`
}
