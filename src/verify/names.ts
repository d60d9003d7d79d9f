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

/** The reference names that the certificate bears, in their order. Never throws. */
export function matchNames(
  certificate: X509Certificate,
  referenceNames: readonly DomainName[],
): readonly DomainName[] {
  return referenceNames.filter((name) => {
    try {
      return certificate.checkHost(name, STRICT) !== undefined
    } catch {
      return false // a CN of a type that is no string: no name at all, and an answer
    }
  })
}

const STRICT = {
  subject: 'default',
  wildcards: true,
  partialWildcards: false,
  multiLabelWildcards: false,
  singleLabelSubdomains: false,
} as const
