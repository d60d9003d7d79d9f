/**
 * Makes a peer's certificate printable before Haraka logs it.
 *
 * Haraka logs the subject's CN and O and the issuer's O. Before 3.3.3 it does not escape
 * line breaks in them, so a mail host could forge log lines.
 *
 * Changes only what Haraka receives as the certificate.
 */
import { printable } from '../../text.js'
import type { Socket } from '../host.js'

/** Must be called after other code has wrapped `upgrade`, and before Haraka calls it. */
export function showPrintable(socket: Socket): void {
  const upgrade = socket.upgrade.bind(socket)
  socket.upgrade = (options, callback) => {
    upgrade(
      options,
      callback &&
        ((authorized, error, certificate, cipher) => {
          callback(authorized, error, printableNames(certificate), cipher)
        }),
    )
  }
}

/** A copy of the result of `getPeerCertificate`, with printable names. */
export function printableNames(certificate: unknown): unknown {
  if (typeof certificate !== 'object' || certificate === null) return certificate
  const names = (key: string): Record<string, string> => {
    const given: unknown = Reflect.get(certificate, key)
    const entries = typeof given === 'object' && given !== null ? Object.entries(given) : []
    return Object.fromEntries(entries.map(([type, name]) => [type, printable(String(name))]))
  }
  return Object.assign({}, certificate, { subject: names('subject'), issuer: names('issuer') })
}
