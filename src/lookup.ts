/**
 * The result of a DNS lookup, and the interface of a resolver.
 *
 * A `Lookup` is the answer to one question (name, type):
 * there are records, there are none, or the question could not be answered. The three
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
import type { ResolverProblem } from './resolver-problem.js'
import type { TlsaRecord } from './tlsa.js'

/** Whether an answer is validated by DNSSEC. */
export type Security = 'secure' | 'insecure'

/** The record types that DANE for SMTP needs, and TXT for TLS reports (RFC 8460 §3). */
export const RECORD_TYPES = ['MX', 'A', 'AAAA', 'CNAME', 'DNAME', 'TLSA', 'TXT'] as const
export type RecordType = (typeof RECORD_TYPES)[number]

/**
 * Records of one type at one name. No legitimate configuration has more TLSA or MX
 * records; larger sets are treated as an attempt to keep the relay busy.
 */
export const MAX_RECORDS: Readonly<Record<RecordType, number>> = {
  MX: 256,
  A: 512,
  AAAA: 512,
  CNAME: 1,
  DNAME: 1,
  TLSA: 64,
  TXT: 64,
}

/** Aliases followed in one lookup; the limits of BIND and Unbound are 16 and 11. */
export const MAX_ALIASES = 16

export type MxRecord = {
  readonly type: 'MX'
  /** 0 to 65535, lower is preferred. */
  readonly preference: number
  readonly exchange: Exchange
}

/** What an MX record names. */
export type Exchange =
  | { readonly kind: 'host'; readonly name: DomainName }
  /** The root: null MX (RFC 7505). */
  | { readonly kind: 'root' }
  /** A name that cannot be held as a `DomainName`. */
  | { readonly kind: 'unusable' }

type RecordsByType = {
  readonly MX: MxRecord
  readonly A: { readonly type: 'A'; readonly address: string }
  readonly AAAA: { readonly type: 'AAAA'; readonly address: string }
  readonly CNAME: { readonly type: 'CNAME'; readonly target: DomainName }
  /** The target may be the root. */
  readonly DNAME: { readonly type: 'DNAME'; readonly target: DomainName | '.' }
  readonly TLSA: { readonly type: 'TLSA' } & TlsaRecord
  readonly TXT: {
    readonly type: 'TXT'
    /** The strings joined with nothing between, an octet a character; empty if they are malformed. */
    readonly text: string
  }
}

export type DnsRecord<T extends RecordType = RecordType> = RecordsByType[T]

/** The records queried for, under the canonical name. At least one. */
export type Found<T extends RecordType = RecordType> = {
  readonly kind: 'found'
  readonly records: readonly DnsRecord<T>[]
  readonly security: Security
  /** The name that owns the records, after all aliases. */
  readonly canonicalName: DomainName
  /** The aliases followed, starting with the queried name; empty if there is none. */
  readonly aliases: readonly DomainName[]
  /** The owner of the DNAME that the first alias was derived from (RFC 6672 §2.2). */
  readonly dname?: DomainName
  /** Milliseconds since the epoch; the lowest TTL of records and aliases. */
  readonly expiresAt: number
  /** The resolver says that this has expired, and that it could not ask again (RFC 8767). */
  readonly isStale?: true
}

/** No such records (`nodata`) or no such name (`nxdomain`): an answer, not an error. */
export type Absent = {
  readonly kind: 'absent'
  readonly reason: 'nodata' | 'nxdomain'
  readonly security: Security
  readonly canonicalName: DomainName
  readonly aliases: readonly DomainName[]
  readonly dname?: DomainName
  /** Milliseconds since the epoch, by the SOA (RFC 2308 §5). */
  readonly expiresAt: number
  readonly isStale?: true
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
  'stale',
] as const

/**
 * Why a lookup failed. `bogus`: DNSSEC validation failed; `no-resolver`: no validating
 * resolver is available; `stale`: there is an answer, but an expired one (RFC 8767), and
 * what it says would return the message or send it unprotected.
 */
export type FailureCause = (typeof FAILURE_CAUSES)[number]

/** The question could not be answered. Never cached as an answer. */
export type Failed = {
  readonly kind: 'failed'
  readonly cause: FailureCause
  /** For messages: the response. Printable ASCII. */
  readonly detail: string
  readonly extendedErrors: readonly ExtendedError[]
}

/** What may be cached until it expires. */
export type Fact<T extends RecordType = RecordType> = Found<T> | Absent

export type Lookup<T extends RecordType = RecordType> = Fact<T> | Failed

/** Answers lookups: a pool of stubs, a cache in front of one, or a fake in tests. */
export type Resolver = {
  /** Network failures do not reject: they are a `Failed`. */
  lookup<T extends RecordType>(name: DomainName, type: T): Promise<Lookup<T>>
  /** The answer of `lookup`, if it is available at once. */
  remembered?<T extends RecordType>(name: DomainName, type: T): Fact<T> | undefined
}

/** A resolver with a cache that can be bypassed. */
export type CachedResolver = Resolver & {
  /** As `lookup`, but never from the cache. */
  refresh<T extends RecordType>(name: DomainName, type: T): Promise<Lookup<T>>
}

/** A stale answer, where it may not count as one. */
export function staleFailure(what: string): Failed {
  return { kind: 'failed', cause: 'stale', detail: `${what}, ${STALE_TEXT}`, extendedErrors: [] }
}

export const STALE_TEXT = 'but the answer of the resolver has expired (EDE 3 or 19)'

/** The same answer, typed by the type that was queried. Throws for records of another type: a bug. */
export function ofType<T extends RecordType>(lookup: Fact, type: T): Fact<T>
export function ofType<T extends RecordType>(lookup: Lookup, type: T): Lookup<T>
export function ofType<T extends RecordType>(lookup: Lookup, type: T): Lookup<T> {
  if (lookup.kind !== 'found' || holdsOnly(lookup, type)) return lookup
  throw new Error(`records of another type than ${type}`)
}

function holdsOnly<T extends RecordType>(found: Found, type: T): found is Found<T> {
  return found.records.every((record) => record.type === type)
}

/** Receives each query sent, its answer, and changes in the state of resolvers; for log and metrics. */
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
      /** Duration including all attempts and aliases. */
      readonly milliseconds: number
    }
  | {
      readonly kind: 'cached'
      readonly name: DomainName
      readonly type: RecordType
      readonly lookup: Fact
    }
  /** A fact came from the memory of this process, or from the shared cache. */
  | { readonly kind: 'hit'; readonly layer: 'process' | 'redis' }
  /** The shared cache has become unavailable for reading or writing, or available again. */
  | {
      readonly kind: 'redis'
      readonly what: 'read' | 'write'
      /** Why it is unavailable; undefined: it is available again. */
      readonly fault: string | undefined
    }
  /** The result of a probe differs from the previous one. */
  | {
      readonly kind: 'resolver'
      readonly server: string
      readonly result: ProbeResult
      readonly isFirst: boolean
      /** dane.ini does not name it, and there are others. */
      readonly isOptional?: boolean
    }
  /** No validating resolver is available any more, or one is available again. */
  | { readonly kind: 'resolvers'; readonly isOut: boolean }

/** What probing a resolver has shown. */
export type ProbeResult =
  /** Its AD bit is believed. */
  | {
      readonly kind: 'validating'
      /** Why the bogus name is inconclusive so far: the AD bit is the only evidence. */
      readonly caveat?: string
    }
  /** It passes DNSSEC data on, and the plugin validates. */
  | { readonly kind: 'passing'; readonly byItself?: Disbelieved }
  /** It does not pass on what the plugin needs to validate. */
  | {
      readonly kind: 'unusable'
      readonly problem: ResolverProblem
      readonly detail: string
      readonly byItself?: Disbelieved
    }
  | Disbelieved

/** Why the AD bit of a resolver is not believed. */
export type Disbelieved =
  /** It answers, but does not validate: none of its answers is evidence. */
  | { readonly kind: 'not-validating'; readonly detail: string }
  /** It does not answer at all, or not this question. */
  | { readonly kind: 'failing'; readonly detail: string }

/** Whether the resolver is in use. */
export function isUsable(result: ProbeResult | undefined): boolean {
  return result?.kind === 'validating' || result?.kind === 'passing'
}

/** The result in one word, for the metrics. */
export function statusWord(lookup: Lookup): Security | Absent['reason'] | FailureCause {
  switch (lookup.kind) {
    case 'found':
      return lookup.security
    case 'absent':
      return lookup.reason
    case 'failed':
      return lookup.cause
  }
}

/** A failure as text: the cause, the response, the resolver's explanation. Printable. */
export function failureText({ cause, detail, extendedErrors }: Failed): string {
  return [cause, detail, ...extendedErrors.map(extendedErrorText)]
    .filter((part) => part !== '')
    .join(', ')
}
