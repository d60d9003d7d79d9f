/**
 * What can an answer from the DNS be, and who can give one?
 *
 * A `Lookup` is everything a caller may know about one question (name, type):
 * there is data, there is none, or the question could not be answered. The three
 * never mix: a failure is not absence, and absence of evidence is never `secure`
 * (RFC 7672 §2.1.1).
 *
 * `Security` has two values because that is what a stub behind a validating
 * resolver can observe: AD set over a trusted path, or not. A bogus answer is a
 * failure; NXDOMAIN and NODATA are absence.
 */
import { extendedErrorText } from './extended-error.js'
import type { ExtendedError } from './extended-error.js'
import type { DomainName } from './name.js'
import type { TlsaRecord } from './tlsa.js'

/** Whether DNSSEC vouches for an answer. */
export type Security = 'secure' | 'insecure'

/** The record types that DANE for SMTP asks for. */
export const RECORD_TYPES = ['MX', 'A', 'AAAA', 'CNAME', 'TLSA'] as const
export type RecordType = (typeof RECORD_TYPES)[number]

/**
 * Records of one type at one name. More TLSA or MX records than these are nobody's
 * configuration but somebody's attempt to keep a relay busy.
 */
export const MAX_RECORDS: Readonly<Record<RecordType, number>> = {
  MX: 256,
  A: 512,
  AAAA: 512,
  CNAME: 1,
  TLSA: 64,
}

/** Aliases followed in one lookup; BIND and Unbound stop at 16 and 11. */
export const MAX_ALIASES = 16

export type MxRecord = {
  readonly type: 'MX'
  /** 0 to 65535, lower is preferred. */
  readonly preference: number
  /** The root (RFC 7505) is '.', a name this project cannot hold is ''; neither is ever a `DomainName`. */
  readonly exchange: DomainName | '.' | ''
}

export type AddressRecord = { readonly type: 'A' | 'AAAA'; readonly address: string }
export type CnameRecord = { readonly type: 'CNAME'; readonly target: DomainName }
export type TlsaDnsRecord = { readonly type: 'TLSA' } & TlsaRecord
export type DnsRecord = MxRecord | AddressRecord | CnameRecord | TlsaDnsRecord

/** The records asked for, under the canonical name. At least one. */
export type Found = {
  readonly kind: 'found'
  readonly records: readonly DnsRecord[]
  readonly security: Security
  /** The name that owns the records, after all aliases. */
  readonly canonicalName: DomainName
  /** The names passed on the way, the one asked for first; empty without an alias. */
  readonly aliases: readonly DomainName[]
  /** Milliseconds since the epoch; the lowest TTL of records and aliases. */
  readonly expiresAt: number
}

/** No such records (`nodata`) or no such name (`nxdomain`): an answer, not an error. */
export type Absent = {
  readonly kind: 'absent'
  readonly reason: 'nodata' | 'nxdomain'
  readonly security: Security
  readonly canonicalName: DomainName
  readonly aliases: readonly DomainName[]
  /** Milliseconds since the epoch, by the SOA (RFC 2308 §5). */
  readonly expiresAt: number
}

export const FAILURE_CAUSES = [
  'bogus',
  'servfail',
  'refused',
  'rcode',
  'timeout',
  'network',
  'malformed',
  'alias-loop',
  'no-resolver',
] as const

/** Why a question has no answer. Only `bogus` speaks of DNSSEC; `no-resolver`: nobody validates. */
export type FailureCause = (typeof FAILURE_CAUSES)[number]

/** The question could not be answered. Never kept as an answer. */
export type Failed = {
  readonly kind: 'failed'
  readonly cause: FailureCause
  /** For people: what came back, printable ASCII. */
  readonly detail: string
  readonly extendedErrors: readonly ExtendedError[]
}

/** What may be remembered until it expires. */
export type Fact = Found | Absent

export type Lookup = Fact | Failed

/** Something that can be asked: a pool of stubs, a cache around one, a fake made of data. */
export type Resolver = {
  /** Never rejects for what the network does: that is a `Failed`. */
  lookup(name: DomainName, type: RecordType): Promise<Lookup>
  /** What `lookup` would say, where that is known without waiting for anything. */
  remembered?(name: DomainName, type: RecordType): Fact | undefined
}

/** A resolver that remembers, and can be told to ask again. */
export type CachedResolver = Resolver & {
  /** As `lookup`, past everything that is remembered, unless it was asked a moment ago. */
  refresh(name: DomainName, type: RecordType): Promise<Lookup>
}

/** Hears of every question that left the process, what came back, and what resolvers are worth; for the log. */
export type LookupObserver = (event: LookupEvent) => void

export type LookupEvent =
  | {
      readonly kind: 'query'
      readonly name: DomainName
      readonly type: RecordType
      readonly server: string
    }
  | {
      readonly kind: 'response'
      readonly name: DomainName
      readonly type: RecordType
      readonly server: string
      readonly lookup: Lookup
      /** How long it took, with all attempts and aliases. */
      readonly milliseconds: number
    }
  | {
      readonly kind: 'cached'
      readonly name: DomainName
      readonly type: RecordType
      readonly lookup: Fact
    }
  /** A fact was known: to this process, or to those it shares a cache with. */
  | { readonly kind: 'hit'; readonly layer: 'process' | 'redis' }
  /** The shared cache is lost for reading or writing, or it is there again. */
  | {
      readonly kind: 'redis'
      readonly what: 'read' | 'write'
      /** Why it is lost; undefined: it is there again. */
      readonly fault: string | undefined
    }
  /** A resolver has shown something new of itself. */
  | {
      readonly kind: 'resolver'
      readonly server: string
      readonly proof: Proof
      readonly isFirst: boolean
    }
  /** The last resolver that validates is lost, or there is one again. */
  | { readonly kind: 'resolvers'; readonly isOut: boolean }

/** What a resolver has shown of itself when it was probed. */
export type Proof =
  | {
      readonly kind: 'validating'
      /** Why the name that must fail has shown nothing yet: AD alone speaks for the resolver. */
      readonly caveat?: string
    }
  /** It answers, but does not validate: nothing it says is evidence. */
  | { readonly kind: 'not-validating'; readonly detail: string }
  /** It does not answer at all, or not this question. */
  | { readonly kind: 'failing'; readonly detail: string }

/** `SECURE`, `INSECURE`, `BOGUS` or `NXDOMAIN`: the gateways' four words; any other failure by its cause. */
export function statusWord(lookup: Lookup): string {
  switch (lookup.kind) {
    case 'found':
      return lookup.security.toUpperCase()
    case 'absent':
      return 'NXDOMAIN'
    case 'failed':
      return lookup.cause.toUpperCase()
  }
}

/** A failure in words: its cause, what came back, what the resolver added. Printable. */
export function failureText({ cause, detail, extendedErrors }: Failed): string {
  return [cause, detail, ...extendedErrors.map(extendedErrorText)]
    .filter((part) => part !== '')
    .join(', ')
}
