/**
 * Is this text a list of certificates?
 *
 * For files of trusted CAs. OpenSSL skips what it cannot parse, and Node treats an empty
 * list as none and falls back to its own: an empty or truncated file has to be detected
 * before. Pure.
 */
import { X509Certificate } from 'node:crypto'

/** At least one certificate in PEM (RFC 7468 §5), and no malformed one. */
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
