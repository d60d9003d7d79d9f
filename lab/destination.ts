/**
 * What does a test need that just wants somewhere to send mail to?
 *
 * A row of one domain with one host and one certificate, good in every respect but for
 * what the test says. Its wanted outcome is not looked at.
 */
import { tlsaFor } from './certificates.js'
import { PLACE } from './rows.js'
import type { Authority, Row, RowHost } from './rows.js'
import { LAB_TTL } from './zones.js'

export type DestinationOptions = {
  /** Of the domain and of its host; signed if not given. */
  readonly place?: string
  /** right: of the certificate that the host shows; wrong: of another one. */
  readonly tlsa?: 'right' | 'wrong' | 'none'
  /** The TLSA records are there, and their signature is broken. */
  readonly isTlsaBogus?: boolean
  /** A second host, `mx6-label.place`, on ::1 and less preferred. */
  readonly hasIpv6Host?: boolean
  /** Seconds that its records live. */
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
  const [shown, other] = await Promise.all([authority.issue(host), authority.issue(host)])
  const published = tlsa === 'wrong' ? other : shown
  const six = `mx6-${label}.${place}`
  const sixLeaf = options.hasIpv6Host && (await authority.issue(six))
  const row: Row = {
    id: label,
    domain,
    policy: 'opportunistic',
    insecureMx: 'dane',
    shown: { mx: '', address: '', tlsa: '', certificate: '' },
    hosts: [
      { name: host, chain: { leaf: shown, others: [authority.ca] }, ...options.host },
      ...(sixLeaf ? [{ name: six, chain: { leaf: sixLeaf }, isIpv6: true }] : []),
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
      ...(tlsa === 'none'
        ? []
        : [`_${smtpPort}._tcp.${host}. ${ttl} TLSA ${tlsaFor(3, 1, 1, published)}`]),
    ],
    ...(options.isTlsaBogus && { damaged: [`_${smtpPort}._tcp.${host} TLSA`] }),
    wanted: { action: 'fallback' },
  }
  return { row, domain, host }
}
