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
  const row: Row = {
    id: label,
    domain,
    policy: 'opportunistic',
    insecureMx: 'dane',
    shown: { mx: '', address: '', tlsa: '', certificate: '' },
    hosts: [{ name: host, chain: { leaf: shown, others: [authority.ca] }, ...options.host }],
    records: [
      `${domain}. ${ttl} MX 10 ${host}.`,
      ...(isWild ? [`*.${domain}. ${ttl} MX 10 ${host}.`] : []),
      `${host}. ${ttl} A @ADDRESS:${host}@`,
      ...(tlsa === 'none'
        ? []
        : [`_${smtpPort}._tcp.${host}. ${ttl} TLSA ${tlsaFor(3, 1, 1, published)}`]),
    ],
    wanted: { action: 'fallback' },
  }
  return { row, domain, host }
}
