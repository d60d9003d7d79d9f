/**
 * The interface of a cache that several processes share.
 *
 * Implemented by redis-store.ts, and by a stub for a process without Redis. It is an
 * optimization: none of these promises rejects or takes long, and if the store is
 * unavailable the result leads to a DNS query. Pure.
 */
import type { Fact, RecordType } from '../lookup.js'
import type { DomainName } from '../name.js'

export type SharedStore = {
  /**
   * The answer that another process has stored, or stores while this one waits. Undefined:
   * the caller has to query DNS and call `release` with the answer.
   */
  readonly find: <T extends RecordType>(name: DomainName, type: T) => Promise<Fact<T> | undefined>
  /**
   * Which process queries DNS.
   *
   * @param latest a fact that expires by then, or within a second, is ignored; milliseconds since the epoch
   */
  readonly claim: <T extends RecordType>(
    name: DomainName,
    type: T,
    latest: number,
  ) => Promise<Claim<T>>
  /** Ends the claim, if there is one, and shares the answer. */
  readonly release: (name: DomainName, type: RecordType, found: Fact | undefined) => Promise<void>
}

export type Claim<T extends RecordType = RecordType> =
  /** This process's, until it releases it. */
  | { readonly kind: 'ours' }
  /** Another process is querying DNS. */
  | { readonly kind: 'theirs' }
  /** Another process has just found it. */
  | { readonly kind: 'known'; readonly fact: Fact<T> }

export const OURS = { kind: 'ours' } as const
export const THEIRS = { kind: 'theirs' } as const

/** For a process without Redis. */
export const NO_SHARED_STORE: SharedStore = {
  find: () => Promise.resolve(undefined),
  claim: () => Promise.resolve(OURS),
  release: () => Promise.resolve(),
}
