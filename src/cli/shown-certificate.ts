/**
 * What a certificate shows, for display: subject, issuer, names, dates, digests.
 *
 * For people only: what a certificate is worth is decided by verify/. Everything is
 * bounded in size and printable. Never throws, whatever the octets. Pure.
 */
import { createHash } from 'node:crypto'
import { hasOwnCurve, openCertificate, parseCertificate } from '../x509/certificate.js'
import { printable } from '../text.js'

export type ShownCertificate = {
  /** Octets of the certificate. */
  readonly size: number
  readonly subject: string
  readonly issuer: string
  /** The subject alternative names. */
  readonly names: string
  /** Milliseconds since the epoch; undefined if unreadable. */
  readonly notBefore: number | undefined
  readonly notAfter: number | undefined
  /** Hexadecimal; of the certificate and, if it can be found in there, of its public key. */
  readonly certificate: Digests
  readonly publicKey: Digests | undefined
}

export type Digests = { readonly sha256: string; readonly sha512: string }

/** The first certificates of a chain; the others are only counted. */
export function showChain(chain: readonly Buffer[] | undefined): readonly ShownCertificate[] {
  return (chain ?? []).slice(0, MAX_SHOWN).map(showCertificate)
}

export function showCertificate(der: Buffer): ShownCertificate {
  const parsed = parseCertificate(der)
  // OpenSSL takes long to read a key on a curve of its own.
  const x509 = parsed && !hasOwnCurve(parsed.spki) ? openCertificate(der) : undefined
  return {
    size: der.length,
    subject: nameText(x509?.subject),
    issuer: nameText(x509?.issuer),
    names: printable(x509?.subjectAltName ?? '', MAX_TEXT),
    notBefore: instant(x509?.validFrom),
    notAfter: instant(x509?.validTo),
    certificate: digestsOf(der),
    publicKey: parsed && digestsOf(parsed.spki),
  }
}

function digestsOf(octets: Buffer): Digests {
  const digest = (name: string): string => createHash(name).update(octets).digest('hex')
  return { sha256: digest('sha256'), sha512: digest('sha512') }
}

function nameText(name: string | undefined): string {
  if (name === undefined) return 'unreadable'
  return name === '' ? 'no name' : printable(name.replaceAll('\n', ', '), MAX_TEXT)
}

function instant(text: string | undefined): number | undefined {
  const value = Date.parse(text ?? '')
  return Number.isFinite(value) ? value : undefined
}

/** `2026-06-15`, or `unknown`. */
export function dayText(instant: number | undefined): string {
  return instant === undefined ? 'unknown' : new Date(instant).toISOString().slice(0, 10)
}

const MAX_TEXT = 300
/** No path that verifies is longer in practice; servers may send a hundred. */
const MAX_SHOWN = 10
