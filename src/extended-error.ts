/**
 * What does an extended DNS error say to a person?
 *
 * RFC 8914 §4 and §5.2 give each code a name; a resolver may add words of its own.
 * They explain a failure and never make one (§6). Pure.
 */

/** For people: never for decisions. */
export type ExtendedError = {
  /** 0 to 65535. */
  readonly code: number
  /** Printable ASCII, at most 200 characters. */
  readonly text: string
}

/** `EDE 9 DNSKEY Missing: what the resolver adds`; an unknown code by its number alone. */
export function extendedErrorText({ code, text }: ExtendedError): string {
  const name = NAMES[code]
  return `EDE ${code}${name === undefined ? '' : ` ${name}`}${text === '' ? '' : `: ${text}`}`
}

/** By code, from 0 on. */
const NAMES = [
  'Other',
  'Unsupported DNSKEY Algorithm',
  'Unsupported DS Digest Type',
  'Stale Answer',
  'Forged Answer',
  'DNSSEC Indeterminate',
  'DNSSEC Bogus',
  'Signature Expired',
  'Signature Not Yet Valid',
  'DNSKEY Missing',
  'RRSIGs Missing',
  'No Zone Key Bit Set',
  'NSEC Missing',
  'Cached Error',
  'Not Ready',
  'Blocked',
  'Censored',
  'Filtered',
  'Prohibited',
  'Stale NXDOMAIN Answer',
  'Not Authoritative',
  'Not Supported',
  'No Reachable Authority',
  'Network Error',
  'Invalid Data',
] as const
