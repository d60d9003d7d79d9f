/**
 * Picks among several resolvers.
 *
 * Those that validate (probed-resolver.ts) are queried in order of preference, with
 * hedging (hedge.ts).
 *
 * Promises: never returns an answer from a resolver that has not been shown to validate,
 * or that failed a probe while the query was in flight. If none validates, every lookup is
 * a failure that says so, never absence, never `insecure`.
 *
 * Clock, timer and randomness are passed in.
 */
import type { Lookup, RecordType, Resolver } from '../lookup.js'
import type { DomainName } from '../name.js'
import { failed } from './ask.js'
import { hedge } from './hedge.js'
import { inTime, ProbedResolver } from './probed-resolver.js'
import type { Member, ProbedParts } from './probed-resolver.js'

export type PoolParts = Omit<ProbedParts, 'onProbed'> & {
  /** The preferred first; at least one. */
  readonly members: readonly Member[]
}

export type Pool = Resolver & {
  /** Probes all members now, except those probed a moment ago. */
  readonly probe: () => void
  /** No more probes. Lookups in flight are completed. */
  readonly close: () => void
}

export function createPool(parts: PoolParts): Pool {
  const { members, timeoutMs, now, schedule, observe } = parts
  let isOut = false
  const resolvers = members.map((member) => new ProbedResolver(member, { ...parts, onProbed }))

  /** Reports once when no resolver validates any more, and when one does again. */
  function onProbed(): void {
    if (resolvers.some(({ result }) => result === undefined)) return
    const isOutNow = !resolvers.some(({ isValidating }) => isValidating)
    if (isOutNow !== isOut) observe({ kind: 'resolvers', isOut: isOutNow })
    isOut = isOutNow
  }

  for (const resolver of resolvers) resolver.startProbe()

  function ask<T extends RecordType>(
    those: readonly ProbedResolver[],
    name: DomainName,
    type: T,
    deadline: number,
  ): Promise<Lookup<T> | undefined> {
    return hedge(
      those.map((resolver) => () => resolver.lookup(name, type, deadline)),
      { patienceMs: timeoutMs * PATIENCE, schedule },
    )
  }

  return {
    async lookup(name, type) {
      const deadline = now() + timeoutMs
      const usable = resolvers.filter(
        ({ result, isValidating }) => result === undefined || isValidating,
      )
      const answer = await ask(usable, name, type, deadline)
      if (answer) return answer
      // No resolver is left; one that failed before may have recovered.
      const lost = resolvers.filter(({ mayHaveRecovered }) => mayHaveRecovered)
      await inTime(firstToValidate(lost), deadline, parts)
      const recovered = resolvers.filter(({ isValidating }) => isValidating)
      return (
        (await ask(recovered, name, type, deadline)) ??
        failed('no-resolver', resolvers.map((resolver) => resolver.describe()).join('; '))
      )
    },
    probe() {
      for (const resolver of resolvers) resolver.probeSoon()
    },
    close() {
      for (const resolver of resolvers) resolver.close()
    },
  }
}

/** Settles when one of them validates, or all have been probed. */
function firstToValidate(those: readonly ProbedResolver[]): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const probes = those.map(async (resolver) => {
      await resolver.probe()
      if (resolver.isValidating) resolve(resolver)
    })
    Promise.all(probes).then(resolve, reject)
  })
}

/** Share of a lookup's time after which the next resolver is queried in parallel. */
const PATIENCE = 0.25
