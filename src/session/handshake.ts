/**
 * What does a TLS handshake need so that TLSA alone can judge it?
 *
 * Options that keep PKIX out of it, the protocol versions that count, and the
 * certificates as the server sent them. Used by the gate in Haraka and by the
 * command line, so that both do the same. Makes no connection itself.
 */
import type { ConnectionOptions, TLSSocket } from 'node:tls'
import type { DomainName } from '../name.js'
import type { PeerChain } from '../verdict.js'

/** PKIX must neither help nor hurt (RFC 7672 §3.1): the given options, with TLSA as the only judge. */
export function handshakeOptions(
  options: ConnectionOptions,
  tlsaBase: DomainName,
): ConnectionOptions {
  // A resumed session shows no certificate.
  const { minVersion, session: _, ...rest } = options
  const ours: ConnectionOptions = {
    // RFC 7672 §8.1.
    servername: tlsaBase,
    rejectUnauthorized: false,
    checkServerIdentity: () => undefined,
    // RFC 8996: not below TLS 1.2, whatever is allowed elsewhere.
    minVersion: minVersion === 'TLSv1.3' ? minVersion : 'TLSv1.2',
  }
  return Object.assign(rest, ours)
}

/** RFC 8996: to be looked at after the handshake, since options can be overridden on their way. */
export function isAcceptedProtocol(protocol: string): boolean {
  return protocol === 'TLSv1.2' || protocol === 'TLSv1.3'
}

/**
 * The certificates as sent. Not `getPeerCertificate(true)`, which drops, reorders
 * and adds certificates from the local store. Undefined if there are none, which is
 * also what a resumed session shows.
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
 * The first certificate as sent, out of what `getPeerCertificate()` has given to Haraka:
 * no more is needed where it matches a DANE-EE(3) record, and `peerChain` costs a copy of
 * all the others. Undefined if there is none.
 */
export function leafOf(certificate: unknown): Buffer | undefined {
  const raw: unknown =
    typeof certificate === 'object' && certificate !== null
      ? Reflect.get(certificate, 'raw')
      : undefined
  return Buffer.isBuffer(raw) ? raw : undefined
}

/** More than verify accepts, so that a longer list is refused there, not cut here. */
const MAX_CHAIN = 200
