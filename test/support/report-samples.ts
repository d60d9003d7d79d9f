/** Counts, keys and names for tests of TLS reports. */
import { generateKeyPairSync } from 'node:crypto'
import { parseDomainName } from '../../src/name.js'
import type { DomainName } from '../../src/name.js'
import type { CountedDetail, DayCounts, PolicyCounts, ResultType } from '../../src/tlsrpt/counts.js'
import { parseUtcDay } from '../../src/tlsrpt/day.js'
import type { UtcDay } from '../../src/tlsrpt/day.js'

export function name(text: string): DomainName {
  const parsed = parseDomainName(text)
  if (parsed === undefined) throw new Error(`not a name: ${text}`)
  return parsed
}

export function day(text: string): UtcDay {
  const parsed = parseUtcDay(text)
  if (parsed === undefined) throw new Error(`not a day: ${text}`)
  return parsed
}

export const DAY = day('2026-03-01')
export const REPORTER = {
  organization: 'Relay Example Inc.',
  contact: 'postmaster@relay.example',
  from: 'tlsrpt@relay.example',
  submitter: name('relay.example'),
} as const

export function detail(
  resultType: ResultType,
  sessions: number,
  more: Partial<CountedDetail> = {},
): CountedDetail {
  return {
    resultType,
    sessions,
    sendingMtaIp: undefined,
    receivingMxHostname: undefined,
    receivingMxHelo: undefined,
    receivingIp: undefined,
    reasonCode: undefined,
    additionalInformation: undefined,
    ...more,
  }
}

export function tlsa(
  base: string,
  records: readonly string[],
  successful: number,
  details: readonly CountedDetail[] = [],
): PolicyCounts {
  const failed = details.reduce((sum, { sessions }) => sum + sessions, 0)
  return {
    policy: { kind: 'tlsa', domain: name(base), records },
    successful,
    failed,
    details,
  }
}

export function counts(domain: string, ...policies: readonly PolicyCounts[]): DayCounts {
  const none: PolicyCounts = {
    policy: { kind: 'no-policy-found', domain: name(domain) },
    successful: 3,
    failed: 0,
    details: [],
  }
  return { day: DAY, domain: name(domain), policies: policies.length > 0 ? policies : [none] }
}

/** An RSA key pair: PEM, and the base64 of `p=`. */
export function dkimPair(bits = 2048): { readonly pem: string; readonly record: string } {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', {
    modulusLength: bits,
    publicKeyEncoding: { type: 'spki', format: 'der' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  })
  return { pem: privateKey, record: `v=DKIM1; k=rsa; s=tlsrpt; p=${publicKey.toString('base64')}` }
}
