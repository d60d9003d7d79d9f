/**
 * Which of several resolvers is asked, and when is none?
 *
 * In order of preference, of those that have proved to validate (probe.ts). One that
 * fails is passed over for the next, one that takes long has the next asked beside
 * it, and each is probed again, soon where it failed, so that the first is used again
 * once it is healthy. A bogus answer is final: all of them validate, and asking around
 * for a better one is what an attacker would wish for (RFC 8914 §6).
 *
 * Promises: no answer ever comes from a resolver that has not proved to validate; with
 * none left, every lookup is a failure that says so, never absence, never `insecure`.
 *
 * Given clock, timer and chance.
 */
import type {
  Failed,
  FailureCause,
  Lookup,
  LookupObserver,
  Proof,
  RecordType,
  Resolver,
} from '../lookup.js'
import type { DomainName } from '../name.js'
import { errorText } from '../text.js'
import { failed } from './ask.js'
import type { Stub } from './stub.js'

export type Member = Stub & {
  /** @param deadline milliseconds since the epoch */
  readonly prove: (deadline: number) => Promise<Proof>
}

export type PoolParts = {
  /** The preferred first; at least one. */
  readonly members: readonly Member[]
  /** Milliseconds for one lookup, whoever is asked. */
  readonly timeoutMs: number
  /** Milliseconds between two probes of a resolver that answers. */
  readonly probeIntervalMs: number
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** Calls `action` after `milliseconds`, unless the returned function is called before. */
  readonly schedule: (milliseconds: number, action: () => void) => () => void
  /** From 0 inclusive to 1 exclusive. */
  readonly random: () => number
  readonly observe: LookupObserver
}

export type Pool = Resolver & {
  /** No more probes. Lookups that are underway come to their end. */
  readonly close: () => void
}

/** One member, and what is known of it. */
type Standing = {
  readonly member: Member
  proof: Proof | undefined
  provedAt: number
  proving: Promise<void> | undefined
  cancel: () => void
  /** Probes failed in a row. */
  failures: number
}

export function createPool(parts: PoolParts): Pool {
  const { members, timeoutMs, now, schedule, observe } = parts
  const standings = members.map((member): Standing => ({
    member,
    proof: undefined,
    provedAt: 0,
    proving: undefined,
    cancel: nothing,
    failures: 0,
  }))
  let isClosed = false
  let isOut = false

  function prove(standing: Standing): Promise<void> {
    standing.cancel()
    standing.proving ??= standing.member
      .prove(now() + timeoutMs)
      .catch((error: unknown): Proof => ({ kind: 'failing', detail: errorText(error) }))
      .then((proof) => {
        note(standing, proof)
      })
    return standing.proving
  }

  /** As `prove`, for those who do not wait. */
  function begin(standing: Standing): void {
    prove(standing).catch(nothing)
  }

  function note(standing: Standing, proof: Proof): void {
    const { proof: before, member } = standing
    standing.proving = undefined
    standing.provedAt = now()
    standing.failures = proof.kind === 'failing' ? standing.failures + 1 : 0
    standing.proof = proof
    if (!isClosed) {
      standing.cancel = schedule(pause(standing), () => {
        begin(standing)
      })
    }
    if (before?.kind !== proof.kind) {
      observe({ kind: 'resolver', server: member.server, proof, isFirst: before === undefined })
    }
    announce()
  }

  /** Said when the last one is lost, once, and when there is one again. */
  function announce(): void {
    if (standings.some(({ proof }) => proof === undefined)) return
    const isOutNow = usable().length === 0
    if (isOutNow !== isOut) observe({ kind: 'resolvers', isOut: isOutNow })
    isOut = isOutNow
  }

  /** With some chance in it, so that many relays do not ask at the same instant. */
  function pause({ failures }: Standing): number {
    const { probeIntervalMs, random } = parts
    const usual = failures > 0 ? FIRST_PAUSE_MS * 2 ** Math.min(failures - 1, 10) : probeIntervalMs
    return Math.min(usual, probeIntervalMs) * (0.9 + 0.2 * random())
  }

  function usable(): readonly Standing[] {
    return standings.filter(({ proof }) => proof?.kind === 'validating')
  }

  /** Waits for the work, but not longer than the deadline. */
  function inTime(work: Promise<unknown>, deadline: number): Promise<unknown> {
    let cancel = nothing
    const late = new Promise<void>((resolve) => {
      cancel = schedule(Math.max(0, deadline - now()), resolve)
    })
    return Promise.race([work, late]).finally(cancel)
  }

  /** Undefined where the resolver has not proved to validate; its first probe is waited for. */
  async function askOne(
    standing: Standing,
    name: DomainName,
    type: RecordType,
    deadline: number,
  ): Promise<Lookup | undefined> {
    if (standing.proof === undefined) await inTime(prove(standing), deadline)
    if (standing.proof?.kind !== 'validating') return undefined
    return standing.member.lookup(name, type, deadline)
  }

  /** The first answer that is one, or the preferred resolver's failure; undefined if nobody could be asked. */
  function askInOrder(
    those: readonly Standing[],
    name: DomainName,
    type: RecordType,
    deadline: number,
  ): Promise<Lookup | undefined> {
    return new Promise((resolve, reject) => {
      const failures: Failed[] = []
      let next = 0
      let underway = 0
      let cancel = nothing

      const goOn = (): void => {
        cancel()
        const standing = those[next++]
        if (standing === undefined) {
          if (underway === 0) resolve(failures[0])
          return
        }
        underway++
        cancel = next < those.length ? schedule(timeoutMs * PATIENCE, goOn) : nothing
        askOne(standing, name, type, deadline).then((lookup) => {
          underway--
          if (lookup !== undefined && (lookup.kind !== 'failed' || FINAL.has(lookup.cause))) {
            cancel()
            resolve(lookup)
            return
          }
          if (lookup) {
            failures.push(lookup)
            doubt(standing, lookup)
          }
          goOn()
        }, reject)
      }
      goOn()
    })
  }

  /** It failed. Only a probe can tell whether that is its fault or the name's. */
  function doubt(standing: Standing, { cause }: Failed): void {
    if (cause === 'servfail' || standing.proving !== undefined || isClosed) return
    // Many fail at once, and one probe is enough.
    standing.cancel()
    const left = standing.provedAt + FIRST_PAUSE_MS - now()
    standing.cancel = schedule(Math.max(0, left), () => {
      begin(standing)
    })
  }

  function describe(): string {
    const each = standings.map(({ member, proof }) => {
      if (proof === undefined) return `${member.server} has not answered yet`
      if (proof.kind === 'validating') return `${member.server} validates`
      const what = proof.kind === 'failing' ? 'fails' : 'does not validate'
      return `${member.server} ${what}: ${proof.detail}`
    })
    return each.join('; ')
  }

  standings.forEach(begin)

  return {
    async lookup(name, type) {
      const deadline = now() + timeoutMs
      const ask = (those: readonly Standing[]): Promise<Lookup | undefined> =>
        askInOrder(those, name, type, deadline)
      const known = await ask(
        standings.filter(({ proof }) => proof === undefined || proof.kind === 'validating'),
      )
      if (known) return known
      // Nobody is left; but who failed may be back.
      const lost = standings.filter(
        ({ proof, provedAt }) => proof?.kind === 'failing' && now() - provedAt >= FIRST_PAUSE_MS,
      )
      await inTime(Promise.all(lost.map(prove)), deadline)
      return (await ask(usable())) ?? failed('no-resolver', describe())
    },
    close() {
      isClosed = true
      for (const { cancel } of standings) cancel()
    },
  }
}

function nothing(): void {
  // no timer is running
}

/** Failures that are the name's own, whoever is asked. */
const FINAL: ReadonlySet<FailureCause> = new Set(['bogus', 'alias-loop'])
/** Share of a lookup's time after which the next resolver is asked beside a silent one. */
const PATIENCE = 0.25
/** Milliseconds before a resolver that failed is probed again, doubled each time it fails again. */
const FIRST_PAUSE_MS = 1_000
