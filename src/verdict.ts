/**
 * The result of checking a server's certificates.
 *
 * `authenticated` is constructed only in verify/verify.ts and verify/path.ts. The other
 * two mean that there is no authentication: none was required (`encrypted`), or the
 * certificates do not satisfy the TLSA records (`refused`). Plain data; pure.
 */
import type { DomainName } from './name.js'
import type { CertificateReason, Why } from './reason.js'
import type { UsableTlsa } from './tlsa.js'

/** The server's certificates in DER, leaf first, exactly as sent. Never empty. */
export type PeerChain = readonly [Buffer, ...Buffer[]]

export type Authenticated = {
  readonly kind: 'authenticated'
  readonly record: UsableTlsa
  /** Where the record matched: 0 is the leaf, 1 its issuer, and so on up the path. */
  readonly depth: number
  /** The presented name that matched a reference name; undefined for DANE-EE, which has no name check. */
  readonly name: DomainName | undefined
}

/** TLS without authentication: every TLSA record was unusable (RFC 7672 §2.2). */
export type Encrypted = { readonly kind: 'encrypted' }

/** The certificates do not satisfy the TLSA records. */
export type Refused = { readonly kind: 'refused' } & Why<CertificateReason>

export type Verdict = Authenticated | Encrypted | Refused
