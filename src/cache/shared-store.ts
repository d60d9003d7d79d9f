/**
 * What can a cache that several processes share do for a resolver?
 *
 * The shape of redis-store.ts, and of nothing where there is no Redis. All of it is
 * help: none of these promises rejects or takes long, and where the store is out of
 * order the answer is the one that leads to DNS. Types only, and the store that is
 * not there; pure.
 */
import type { Fact, RecordType } from '../lookup.js'
import type { DomainName } from '../name.js'

export type SharedStore = {
  /** What somebody was told, if it is whole, ours and still valid. */
  readonly get: (name: DomainName, type: RecordType) => Promise<Fact | undefined>
  /**
   * Whose it is to ask DNS.
   *
   * @param latest what expires by then, or a second later, is not worth knowing; milliseconds since the epoch
   */
  readonly claim: (name: DomainName, type: RecordType, latest?: number) => Promise<Claim>
  /** What the one who is at it finds; undefined if nothing, or not soon enough. */
  readonly wait: (name: DomainName, type: RecordType) => Promise<Fact | undefined>
  /** Ends the claim; with what was found, for everybody. */
  readonly release: (name: DomainName, type: RecordType, found: Fact | undefined) => Promise<void>
}

export type Claim =
  /** This process's, until it releases it. */
  | { readonly kind: 'ours' }
  /** Somebody is at it. */
  | { readonly kind: 'theirs' }
  /** Somebody has just found it: nobody's any more. */
  | { readonly kind: 'known'; readonly fact: Fact }

export const OURS: Claim = { kind: 'ours' }
export const THEIRS: Claim = { kind: 'theirs' }

/** For a process on its own. */
export const NO_SHARED_STORE: SharedStore = {
  get: () => Promise.resolve(undefined),
  claim: () => Promise.resolve(OURS),
  wait: () => Promise.resolve(undefined),
  release: () => Promise.resolve(),
}
