/**
 * The reasons why mail was not delivered over an authenticated channel.
 *
 * A `Reason` is a kebab-case word that appears unchanged in log, DSN and command line.
 * Each has a phrase: one of the gateways' five if their tables cover the case, otherwise
 * one of ours. Each has an enhanced status code (RFC 3463), so that a deferral and the
 * later bounce agree. All are class 4 until the queue lifetime ends, except for those
 * that RFC 5321 §5.1 and RFC 7505 make permanent.
 *
 * Pure data.
 */
import type { Failed } from './lookup.js'

/** The result of the lookups, before any connection. */
export type LookupReason =
  | 'mx-bogus'
  | 'mx-lookup-failed'
  | 'address-bogus'
  | 'address-lookup-failed'
  | 'no-address'
  | 'alias-lookup-failed'
  | 'tlsa-bogus'
  | 'tlsa-lookup-failed'
  | 'no-resolver'

/** Why DANE does not apply to a host; under `mandatory`, why the host is skipped. */
export type NoDaneReason =
  | 'mx-insecure'
  | 'address-insecure'
  | 'address-literal'
  | 'tlsa-insecure'
  | 'no-tlsa-record'
  | 'tlsa-unusable'

/** Failures between the connection and the end of the TLS handshake. */
export type SessionReason =
  | 'connection-failed'
  | 'connection-lost'
  | 'session-timeout'
  | 'greeting-refused'
  | 'ehlo-refused'
  | 'starttls-not-offered'
  | 'starttls-refused'
  | 'protocol-violation'
  | 'tls-handshake-failed'
  | 'tls-disabled'

/**
 * Why a chain was refused, from the least to the most specific. If several records or
 * paths fail, the most specific reason is reported.
 */
export const CERTIFICATE_REASONS = [
  'no-certificate',
  'unreadable-certificate',
  'certificate-mismatch',
  'untrusted-path',
  'budget-exhausted',
  'certificate-expired',
  'certificate-not-yet-valid',
  'name-mismatch',
] as const

export type CertificateReason = (typeof CERTIFICATE_REASONS)[number]

/** Permanent by RFC 5321 §5.1 and RFC 7505 §4.1: the message is returned at once. */
export type UndeliverableReason = 'null-mx' | 'no-such-domain' | 'no-mail-host'

/** The relay itself is the cause. */
export type LocalReason = 'invalid-domain' | 'route-deferred' | 'no-plan' | 'internal-error'

export type Reason =
  | LookupReason
  | NoDaneReason
  | SessionReason
  | CertificateReason
  | UndeliverableReason
  | LocalReason

/** A reason, and the details of this case. */
export type Why<R extends Reason = Reason> = {
  readonly reason: R
  /** For messages: what was expected and found. Printable, one line; may be empty. */
  readonly detail: string
}

/** Why a host or a message is deferred when the lookup of `what` failed. */
export function lookupReason<T extends 'mx' | 'address' | 'tlsa'>(
  what: T,
  { cause }: Failed,
): `${T}-bogus` | `${T}-lookup-failed` | 'no-resolver' {
  if (cause === 'no-resolver') return cause
  return cause === 'bogus' ? `${what}-bogus` : `${what}-lookup-failed`
}

/** Whether the reason is absence from DNS, which may have changed by now. */
export function isAbsence(reason: Reason): boolean {
  return reason === 'no-address' || TABLE[reason].rank === RANK.absent
}

/** The reason as text, for a person who knows mail but not this program. */
export function phraseOf(reason: Reason): string {
  return TABLE[reason].phrase
}

/** RFC 3463 `[class, subject, detail]`: class 5 only for messages that are returned at once. */
export function statusOf(reason: Reason): readonly [4 | 5, number, number] {
  return TABLE[reason].status
}

/**
 * Of several reasons, the one to report: a host's bad certificate outranks a DNS failure,
 * which outranks a host that did not respond. Ties go to the first, which has
 * the better preference. Undefined if there are none.
 */
export function mostSpecific<T extends { readonly reason: Reason }>(
  all: readonly T[],
): T | undefined {
  return all.reduce<T | undefined>(
    (best, next) => (best && rank(next.reason) <= rank(best.reason) ? best : next),
    undefined,
  )
}

function rank(reason: Reason): number {
  return TABLE[reason].rank
}

type Entry = {
  readonly phrase: string
  readonly status: readonly [4 | 5, number, number]
  readonly rank: number
}

/** The gateways' five phrases (decision-table.csv). */
const PHRASE = {
  untrusted: 'server certificate not trusted',
  unsigned: 'non-DNSSEC destination',
  noTlsa: 'no TLSA record',
  tlsaError: 'TLSA lookup error',
  notFound: 'host or domain name not found',
} as const

const RANK = { network: 0, local: 1, absent: 2, lookup: 3, session: 4, certificate: 5 } as const

const untrusted: Entry = { phrase: PHRASE.untrusted, status: [4, 7, 5], rank: RANK.certificate }
const unsigned: Entry = { phrase: PHRASE.unsigned, status: [4, 7, 5], rank: RANK.absent }
const notFound: Entry = { phrase: PHRASE.notFound, status: [4, 4, 3], rank: RANK.lookup }
const tlsaError: Entry = { phrase: PHRASE.tlsaError, status: [4, 4, 3], rank: RANK.lookup }

const certificates = {
  'no-certificate': untrusted,
  'unreadable-certificate': untrusted,
  'certificate-mismatch': untrusted,
  'untrusted-path': untrusted,
  'budget-exhausted': untrusted,
  'certificate-expired': untrusted,
  'certificate-not-yet-valid': untrusted,
  'name-mismatch': untrusted,
} satisfies Record<CertificateReason, Entry>

function session(phrase: string, detail: number): Entry {
  return { phrase, status: [4, 7, detail], rank: RANK.session }
}

function permanent(phrase: string, subject: number, detail: number): Entry {
  return { phrase, status: [5, subject, detail], rank: RANK.absent }
}

const TABLE: Readonly<Record<Reason, Entry>> = {
  ...certificates,
  'mx-bogus': notFound,
  'mx-lookup-failed': notFound,
  'address-bogus': notFound,
  'address-lookup-failed': notFound,
  'no-address': { phrase: PHRASE.notFound, status: [4, 4, 4], rank: RANK.network },
  'alias-lookup-failed': tlsaError,
  'tlsa-bogus': tlsaError,
  'tlsa-lookup-failed': tlsaError,
  'no-resolver': { phrase: 'no validating resolver', status: [4, 4, 3], rank: RANK.lookup },
  'mx-insecure': unsigned,
  'address-insecure': unsigned,
  'address-literal': unsigned,
  'tlsa-insecure': unsigned,
  'no-tlsa-record': { phrase: PHRASE.noTlsa, status: [4, 7, 5], rank: RANK.absent },
  'tlsa-unusable': { phrase: 'no usable TLSA record', status: [4, 7, 5], rank: RANK.absent },
  'connection-failed': { phrase: 'no connection', status: [4, 4, 1], rank: RANK.network },
  'connection-lost': {
    phrase: 'connection lost before TLS',
    status: [4, 4, 2],
    rank: RANK.network,
  },
  'session-timeout': {
    phrase: 'TLS was not established in time',
    status: [4, 4, 2],
    rank: RANK.network,
  },
  'greeting-refused': session('connection refused by the server before TLS', 5),
  'ehlo-refused': session('EHLO refused by the server before TLS', 5),
  'starttls-not-offered': session('TLS is required, but was not offered', 4),
  'starttls-refused': session('TLS is required, but was refused', 5),
  'protocol-violation': session('invalid SMTP reply before TLS', 5),
  'tls-handshake-failed': session('TLS handshake failed', 5),
  'tls-disabled': {
    phrase: 'TLS is required, but disabled here',
    status: [4, 7, 4],
    rank: RANK.local,
  },
  'null-mx': permanent('domain accepts no mail (null MX)', 1, 10),
  'no-such-domain': permanent('domain does not exist', 1, 2),
  'no-mail-host': permanent('domain has neither MX nor address records', 4, 4),
  'invalid-domain': { phrase: 'not a domain name', status: [4, 1, 2], rank: RANK.local },
  'route-deferred': {
    phrase: 'no authenticated route to the destination',
    status: [4, 7, 5],
    rank: RANK.local,
  },
  'no-plan': { phrase: 'delivery withheld by local policy', status: [4, 3, 0], rank: RANK.local },
  'internal-error': {
    phrase: 'delivery withheld by local policy',
    status: [4, 3, 0],
    rank: RANK.local,
  },
}

/** All reasons, for tests and documentation. */
export const ALL_REASONS: readonly Reason[] = Object.keys(TABLE).filter(isReason)

function isReason(word: string): word is Reason {
  return Object.hasOwn(TABLE, word)
}
