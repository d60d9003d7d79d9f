/**
 * Is this text a list of certificates?
 *
 * Of text that OpenSSL will be told to trust alone. OpenSSL passes over what it cannot
 * read, and Node takes an empty list for none and trusts its own: so a file that is
 * empty or cut off has to be found out before. Pure.
 */
import { X509Certificate } from 'node:crypto'

/** At least one certificate in PEM (RFC 7468 §5), and none that cannot be read. */
export function areCertificates(text: string): boolean {
  const blocks = text.match(WHOLE) ?? []
  const begun = text.match(BEGINNING) ?? []
  return blocks.length > 0 && blocks.length === begun.length && blocks.every(isCertificate)
}

function isCertificate(pem: string): boolean {
  try {
    return new X509Certificate(pem).raw.length > 0
  } catch {
    return false
  }
}

const BEGINNING = /^-----BEGIN CERTIFICATE-----/gm
const WHOLE = /^-----BEGIN CERTIFICATE-----[^-]*^-----END CERTIFICATE-----/gm
