/**
 * TLS options and certificates for a handshake that only TLSA records judge.
 *
 * Disables PKIX, enforces the accepted protocol versions, and returns the certificates as
 * the server sent them. Used by the gate in Haraka and by the command line, so that both
 * do the same. Makes no connection itself.
 */
import type { ConnectionOptions, TLSSocket } from 'node:tls'
import type { DomainName } from '../name.js'
import type { PeerChain } from '../verdict.js'

/** PKIX must neither help nor hurt (RFC 7672 §3.1): the given options, with TLSA alone deciding. */
export function handshakeOptions(
  options: ConnectionOptions,
  tlsaBase: DomainName,
): ConnectionOptions {
  // A resumed session presents no certificate.
  const { session: _, ...rest } = withAcceptedVersions(options)
  const ours: ConnectionOptions = {
    // RFC 7672 §8.1.
    servername: tlsaBase,
    rejectUnauthorized: false,
    checkServerIdentity: () => undefined,
  }
  return Object.assign(rest, ours)
}

/**
 * The given options, limited to the accepted protocol versions. RFC 8996: at least TLS 1.2,
 * whatever other settings allow. Node throws if both `secureProtocol` and versions are
 * given, so the former is translated into the latter. An unknown `secureProtocol` is kept,
 * so that Node reports it.
 */
export function withAcceptedVersions(options: ConnectionOptions): ConnectionOptions {
  const { secureProtocol, minVersion, maxVersion, ...rest } = options
  if (secureProtocol !== undefined && !METHODS.test(secureProtocol)) {
    return Object.assign(rest, { secureProtocol })
  }
  const newest = secureProtocol?.startsWith('TLSv1_2') === true ? 'TLSv1.2' : undefined
  return Object.assign(
    rest,
    { minVersion: minVersion === 'TLSv1.3' ? minVersion : ('TLSv1.2' as const) },
    (maxVersion ?? newest) && { maxVersion: maxVersion ?? newest },
  )
}

/** OpenSSL's names of client methods. */
const METHODS = /^(?:TLS|SSLv23|TLSv1|TLSv1_1|TLSv1_2)(?:_client)?_method$/

/**
 * RFC 8996: checked again after the handshake, since other code may override options on the
 * way.
 */
export function isAcceptedProtocol(protocol: string): boolean {
  return protocol === 'TLSv1.2' || protocol === 'TLSv1.3'
}

/**
 * The certificates as sent. Not `getPeerCertificate(true)`, which drops, reorders and adds
 * certificates from the local store. Undefined if there are none, as in a resumed session.
 */
export function peerChain(socket: TLSSocket): PeerChain | undefined {
  const first = socket.getPeerX509Certificate()
  if (first === undefined) return undefined
  const rest: Buffer[] = []
  for (let next = first.issuerCertificate; next && rest.length < MAX_CHAIN;) {
    rest.push(next.raw)
    next = next.issuerCertificate
  }
  return [first.raw, ...rest]
}

/**
 * The first certificate as sent, from the result of `getPeerCertificate()` in Haraka. It is
 * sufficient if it matches a DANE-EE(3) record; `peerChain` copies all the others.
 * Undefined if there is none.
 */
export function leafOf(certificate: unknown): Buffer | undefined {
  const raw: unknown =
    typeof certificate === 'object' && certificate !== null
      ? Reflect.get(certificate, 'raw')
      : undefined
  return Buffer.isBuffer(raw) ? raw : undefined
}

/**
 * More than verify accepts, so that a longer list is refused there instead of being
 * truncated here.
 */
const MAX_CHAIN = 200
