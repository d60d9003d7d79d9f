/**
 * Coalesces equal questions that are asked at the same time into one lookup.
 *
 * Effects: none; holds the promises of lookups in flight.
 */
import { ofType } from '../lookup.js'
import type { Lookup, RecordType } from '../lookup.js'
import type { DomainName } from '../name.js'

/** All callers with the same key, type and name share one result. */
export type Coalesce = <T extends RecordType>(
  key: 'lookup' | 'refresh' | 'prefetch',
  name: DomainName,
  type: T,
  work: () => Promise<Lookup<T>>,
) => Promise<Lookup<T>>

export function createCoalesce(): Coalesce {
  const inFlight = new Map<string, Promise<Lookup>>()
  return (key, name, type, work) => {
    const question = `${key} ${type} ${name}`
    const known = inFlight.get(question)
    if (known) return known.then((lookup) => ofType(lookup, type))
    const lookup = work().finally(() => inFlight.delete(question))
    inFlight.set(question, lookup)
    return lookup
  }
}
