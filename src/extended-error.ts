/**
 * Formats extended DNS errors.
 *
 * RFC 8914 §4 and §5.2 name the codes; a resolver may add a text. They explain a failure
 * and never cause one (§6). Pure.
 */

/** For messages, never for decisions. */
export type ExtendedError = {
  /** 0 to 65535. */
  readonly code: number
  /** Printable ASCII, at most 200 characters. */
  readonly text: string
}

/** `EDE 9 DNSKEY Missing: text from the resolver`; the number alone if the code is unknown. */
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
