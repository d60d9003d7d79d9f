/**
 * A destination for tests that only need to send mail somewhere.
 *
 * A row of one domain with one host and one certificate, good in every respect except
 * for the given options. Its expected outcome is not used.
 */
import { NOON, tlsaFor } from './certificates.js'
import { createAuthority, startLaboratory } from './laboratory.js'
import type { Laboratory } from './laboratory.js'
import { PLACE } from './rows.js'
import type { Authority, Row, RowHost } from './rows.js'
import { LAB_TTL } from './zones.js'

export type DestinationOptions = {
  /** The zone of the domain and of its host; defaults to signed. */
  readonly place?: string
  /** right: matches the certificate of the host; wrong: matches another one. */
  readonly tlsa?: 'right' | 'wrong' | 'none'
  /** TLSA 2 0 1 of the CA (DANE-TA), and a certificate of it that has expired. */
  readonly isExpired?: boolean
  /** The TLSA records exist, but their signature is broken. */
  readonly isTlsaBogus?: boolean
  /** A second host, `mx6-label.place`, on ::1 and less preferred. */
  readonly hasIpv6Host?: boolean
  /** A good second host, `mx2-label.place`, less preferred. */
  readonly hasSecondHost?: boolean
  /** The TTL of its records, in seconds. */
  readonly ttl?: number
  /** Every name below the domain is a destination too. */
  readonly isWild?: boolean
  readonly host?: Partial<RowHost>
}

export type Destination = { readonly row: Row; readonly domain: string; readonly host: string }

/** The domain `label.place` and its host `mx-label.place`. */
export async function destination(
  smtpPort: number,
  authority: Authority,
  label: string,
  options: DestinationOptions = {},
): Promise<Destination> {
  const { place = PLACE.signed, tlsa = 'right', ttl = LAB_TTL, isWild = false } = options
  const domain = `${label}.${place}`
  const host = `mx-${label}.${place}`
  const { isExpired = false } = options
  const validity = isExpired ? { notAfter: new Date(NOON.getTime() - 3_000 * DAY_MS) } : {}
  const [shown, other] = await Promise.all([authority.issue(host, validity), authority.issue(host)])
  const published = isExpired
    ? tlsaFor(2, 0, 1, authority.ca)
    : tlsaFor(3, 1, 1, tlsa === 'wrong' ? other : shown)
  const six = `mx6-${label}.${place}`
  const sixLeaf = options.hasIpv6Host && (await authority.issue(six))
  const second = `mx2-${label}.${place}`
  const secondLeaf = options.hasSecondHost && (await authority.issue(second))
  const row: Row = {
    id: label,
    domain,
    policy: 'opportunistic',
    insecureMx: 'dane',
    shown: { mx: '', address: '', tlsa: '', certificate: '' },
    hosts: [
      { name: host, chain: { leaf: shown, others: [authority.ca] }, ...options.host },
      ...(sixLeaf ? [{ name: six, chain: { leaf: sixLeaf }, isIpv6: true }] : []),
      ...(secondLeaf ? [{ name: second, chain: { leaf: secondLeaf } }] : []),
    ],
    records: [
      `${domain}. ${ttl} MX 10 ${host}.`,
      ...(isWild ? [`*.${domain}. ${ttl} MX 10 ${host}.`] : []),
      `${host}. ${ttl} A @ADDRESS:${host}@`,
      ...(sixLeaf
        ? [
            `${domain}. ${ttl} MX 20 ${six}.`,
            `${six}. ${ttl} AAAA ::1`,
            `_${smtpPort}._tcp.${six}. ${ttl} TLSA ${tlsaFor(3, 1, 1, sixLeaf)}`,
          ]
        : []),
      ...(secondLeaf
        ? [
            `${domain}. ${ttl} MX 20 ${second}.`,
            `${second}. ${ttl} A @ADDRESS:${second}@`,
            `_${smtpPort}._tcp.${second}. ${ttl} TLSA ${tlsaFor(3, 1, 1, secondLeaf)}`,
          ]
        : []),
      ...(tlsa === 'none' ? [] : [`_${smtpPort}._tcp.${host}. ${ttl} TLSA ${published}`]),
    ],
    ...(options.isTlsaBogus && { damaged: [`_${smtpPort}._tcp.${host} TLSA`] }),
    wanted: { action: 'fallback' },
  }
  return { row, domain, host }
}

/** Rows of several destinations, by label, under a new CA unless one is given. */
export async function destinations(
  smtpPort: number,
  labels: Readonly<Record<string, DestinationOptions>>,
  authority?: Authority,
): Promise<readonly Row[]> {
  const issuer = authority ?? (await createAuthority())
  const all = await Promise.all(
    Object.entries(labels).map(([label, options]) => destination(smtpPort, issuer, label, options)),
  )
  return all.map(({ row }) => row)
}

/** A laboratory with these destinations. */
export async function startDestinations(
  labels: Readonly<Record<string, DestinationOptions>>,
): Promise<Laboratory> {
  const { laboratory } = await startLaboratory((port) => destinations(port, labels))
  return laboratory
}

const DAY_MS = 86_400_000
