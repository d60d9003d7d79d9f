/**
 * Does the certificate bear one of the names that we came for?
 *
 * RFC 7672 §3.2.3: any presented identifier, any reference identifier. DNS-IDs
 * alone count where there are any, else the CN-ID (RFC 6125 §6.4.4); a wildcard is
 * the whole first label and stands for one label (§6.4.3). The comparison is
 * OpenSSL's X509_check_host, told to refuse partial wildcards, which Node allows
 * by default and RFC 7672 §3.2.3 does not.
 *
 * Pure.
 */
import type { X509Certificate } from 'node:crypto'
import type { DomainName } from '../name.js'

/** The first reference name that the certificate bears, or undefined. */
export function matchName(
  certificate: X509Certificate,
  referenceNames: readonly DomainName[],
): DomainName | undefined {
  return referenceNames.find((name) => certificate.checkHost(name, STRICT) !== undefined)
}

const STRICT = {
  subject: 'default',
  wildcards: true,
  partialWildcards: false,
  multiLabelWildcards: false,
  singleLabelSubdomains: false,
} as const
