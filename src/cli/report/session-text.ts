/**
 * What a host published and showed, as text: owner and TTL of its TLSA records, its
 * certificates with their digests, how long the handshake took, what expires soon.
 *
 * Text from outside is printable already. Pure.
 */
import { tlsaOwner } from '../../name.js'
import type { HostPlan } from '../../plan.js'
import { USAGE } from '../../tlsa.js'
import { dayText } from '../shown-certificate.js'
import type { ShownCertificate } from '../shown-certificate.js'
import type { Connection, TlsSession } from './report.js'

export function tlsaLines({ tlsa }: HostPlan, port: number, now: number): readonly string[] {
  if (tlsa?.kind !== 'secure') return []
  const { tlsaBase, usable, unusable } = tlsa
  const owner = tlsaOwner(port, tlsaBase) ?? tlsaBase
  const counts = `${usable.length} usable, ${unusable.length} not usable`
  return [`TLSA records at ${owner}: ${counts}, TTL ${secondsLeft(tlsa, now)} s left.`]
}

export function secondsLeft({ expiresAt }: { readonly expiresAt: number }, now: number): number {
  return Math.max(0, Math.round((expiresAt - now) / 1000))
}

export function sessionLines({ milliseconds, shown }: TlsSession): readonly string[] {
  return [
    `Connection and handshake took ${milliseconds} ms.`,
    ...shown.flatMap((each, depth) => certificateLines(each, depth)),
  ]
}

function certificateLines(
  { subject, issuer, names, notBefore, notAfter, certificate, publicKey }: ShownCertificate,
  depth: number,
): readonly string[] {
  const also = names === '' ? '' : `, names ${names}`
  return [
    `Certificate ${depth}: ${subject}${also}, issued by ${issuer}, valid from ${dayText(notBefore)} to ${dayText(notAfter)}`,
    `Certificate ${depth} SHA2-256: ${certificate.sha256}, public key ${publicKey?.sha256 ?? 'unreadable'}`,
  ]
}

export type Expiry = { readonly depth: number; readonly notAfter: number }

/**
 * The certificate that expires first, if that is soon and a DANE-TA(2) record matched:
 * DANE-EE(3) does not look at dates (RFC 7672 §3.1.1).
 */
export function expirySoon(connection: Connection, now: number): Expiry | undefined {
  if (connection.kind !== 'passed' || connection.verdict.kind !== 'authenticated') return undefined
  const { record, depth } = connection.verdict
  if (record.usage !== USAGE.daneTa) return undefined
  return connection.session.shown
    .slice(0, depth + 1)
    .flatMap(({ notAfter }, at) => (notAfter === undefined ? [] : [{ depth: at, notAfter }]))
    .filter(({ notAfter }) => notAfter - now < SOON_MS)
    .toSorted((a, b) => a.notAfter - b.notAfter)[0]
}

export function expiryLines(connection: Connection, now: number): readonly string[] {
  const expiry = expirySoon(connection, now)
  if (expiry === undefined) return []
  const days = Math.max(0, Math.floor((expiry.notAfter - now) / DAY_MS))
  return [
    `Certificate ${expiry.depth} expires in ${days} days (${dayText(expiry.notAfter)}): then the DANE-TA(2) record no longer matches and mail waits.`,
  ]
}

const DAY_MS = 86_400_000
/** Certificates that renew themselves do so a month before. */
const SOON_MS = 14 * DAY_MS
