/**
 * What were the peer's certificates worth?
 *
 * `authenticated` is constructed in one place, verify/verify.ts. The other two say
 * why there is no authentication: nobody asked for it (`encrypted`), or what was
 * shown does not satisfy the TLSA records (`refused`). Plain data; pure.
 */
import type { DomainName } from './name.js'
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

/**
 * Why a chain was refused, from the least to the most specific. When several
 * records or paths fail, the one that came furthest is reported.
 */
export const REFUSALS = [
  'no-certificate',
  'unreadable-certificate',
  'certificate-mismatch',
  'untrusted-path',
  'budget-exhausted',
  'certificate-expired',
  'certificate-not-yet-valid',
  'name-mismatch',
] as const

export type RefusalReason = (typeof REFUSALS)[number]

export type Refused = {
  readonly kind: 'refused'
  readonly reason: RefusalReason
  /** For people: certificate, record, what was expected and found. Printable, one line. */
  readonly detail: string
}

export type Verdict = Authenticated | Encrypted | Refused
