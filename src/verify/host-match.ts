/**
 * Does the certificate match one of the reference names?
 *
 * RFC 7672 §3.2.3: any presented identifier may match any reference identifier. If there
 * are DNS-IDs, only they count, otherwise the CN-ID (RFC 6125 §6.4.4). A wildcard has to
 * be the whole first label and matches exactly one label (§6.4.3). The comparison is
 * OpenSSL's X509_check_host with partial wildcards disabled: Node allows them by default,
 * RFC 7672 §3.2.3 does not.
 *
 * Pure.
 */
import type { X509Certificate } from 'node:crypto'
import type { DomainName } from '../name.js'

/** The reference names that the certificate matches, in the given order. Never throws. */
export function matchHost(
  certificate: X509Certificate,
  referenceNames: readonly DomainName[],
): readonly DomainName[] {
  return referenceNames.filter((name) => {
    try {
      return certificate.checkHost(name, STRICT) !== undefined
    } catch {
      return false // a CN that is not a string type: it matches no name
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
