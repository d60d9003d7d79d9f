/**
 * Derives the alias that a DNAME makes of a name below it (RFC 6672).
 *
 * The record is the DNAME, which is signed; the CNAME that a server puts next to it is
 * not (RFC 6672 §5.3.1). So the CNAME is derived here, whether it is in the reply or not,
 * and one that says something else is never believed. Pure.
 */
import { nameFromWire } from '../name.js'
import type { DomainName } from '../name.js'
import type { ResourceRecord } from './message.js'

export type Derived =
  | {
      readonly kind: 'alias'
      /** The owner of the DNAME. */
      readonly owner: DomainName
      readonly target: DomainName
      /** Seconds. */
      readonly ttl: number
    }
  /** RFC 6672 §2.2: the new name would have more than 255 octets, or none at all. */
  | { readonly kind: 'impossible'; readonly owner: DomainName }
  /** RFC 6672 §2.4: more than one DNAME for one name. */
  | { readonly kind: 'contradiction' }

/** Undefined if no DNAME is above the name; one at the name itself does not apply to it (RFC 6672 §2.3). */
export function deriveAlias(
  answers: readonly ResourceRecord[],
  name: DomainName,
): Derived | undefined {
  const above = answers.flatMap(({ owner, ttl, record }) =>
    record.type === 'DNAME' && name.endsWith(`.${owner}`)
      ? [{ owner, ttl, target: record.target }]
      : [],
  )
  const [first] = above
  if (first === undefined) return undefined
  const { owner } = first
  if (above.some((other) => other.owner !== owner || other.target !== first.target)) {
    return { kind: 'contradiction' }
  }
  const labels = name.slice(0, -owner.length - 1)
  const target = nameFromWire(first.target === '.' ? labels : `${labels}.${first.target}`)
  if (target === undefined) return { kind: 'impossible', owner }
  return { kind: 'alias', owner, target, ttl: Math.min(...above.map(({ ttl }) => ttl)) }
}
