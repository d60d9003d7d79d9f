/**
 * Which of several resolvers is asked, and when is none?
 *
 * Those that have proved to validate (probe.ts), in order of preference (race.ts). Each
 * is probed again and again, soon where it failed or did not validate, so that the
 * first is used again once it is healthy.
 *
 * Promises: no answer ever comes from a resolver that has not proved to validate, nor
 * from one that was found out while it was asked; what it said before that is to be
 * forgotten. With none left, every lookup is a failure that says so, never absence,
 * never `insecure`.
 *
 * Given clock, timer and chance.
 */
import type {
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
import type { Prove } from './probe.js'
import { askInOrder } from './race.js'
import type { Stub } from './stub.js'

export type Member = Stub & {
  readonly prove: Prove
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
  /** Called when one that was believed turns out not to validate: nobody knows since when. */
  readonly forget: () => void
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
  /** Probes in a row that did not show all of what they are to show. */
  failures: number
  /** It has validated since it was last found not to. */
  isBelieved: boolean
  /** How often it was found not to validate. */
  lapses: number
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
    isBelieved: false,
    lapses: 0,
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
    standing.failures = isSettled(proof) ? 0 : standing.failures + 1
    standing.proof = proof
    judge(standing, proof)
    if (isClosed) return
    standing.cancel = schedule(pause(standing), () => {
      begin(standing)
    })
    if (before?.kind !== proof.kind) {
      observe({ kind: 'resolver', server: member.server, proof, isFirst: before === undefined })
    }
    announce()
  }

  /** RFC 4035 §4.9.3: its AD bit, set or clear, has been worth nothing since who knows when. */
  function judge(standing: Standing, proof: Proof): void {
    if (proof.kind === 'validating') standing.isBelieved = true
    if (proof.kind !== 'not-validating') return
    standing.lapses++
    if (standing.isBelieved) parts.forget()
    standing.isBelieved = false
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

  /** Settles when one of them validates, or all have been probed. */
  function firstToValidate(those: readonly Standing[]): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const probes = those.map(async (standing) => {
        await prove(standing)
        if (standing.proof?.kind === 'validating') resolve(standing)
      })
      Promise.all(probes).then(resolve, reject)
    })
  }

  /** Waits for the work, but not longer than the deadline. */
  function inTime(work: Promise<unknown>, deadline: number): Promise<unknown> {
    let cancel = nothing
    const late = new Promise<void>((resolve) => {
      cancel = schedule(Math.max(0, deadline - now()), resolve)
    })
    return Promise.race([work, late]).finally(cancel)
  }

  /** Undefined where it has not proved to validate, or no longer does; its first probe is waited for. */
  async function askOne(
    standing: Standing,
    name: DomainName,
    type: RecordType,
    deadline: number,
  ): Promise<Lookup | undefined> {
    if (standing.proof === undefined) await inTime(prove(standing), deadline)
    if (standing.proof?.kind !== 'validating') return undefined
    const { lapses } = standing
    const lookup = await standing.member.lookup(name, type, deadline)
    if (lookup.kind === 'failed') doubt(standing, lookup.cause)
    return standing.lapses === lapses ? lookup : undefined
  }

  /** It failed. Only a probe can tell whether that is its fault or the name's. */
  function doubt(standing: Standing, cause: FailureCause): void {
    if (NAMES_OWN.has(cause) || standing.proving !== undefined || isClosed) return
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
        askInOrder(
          those.map((standing) => () => askOne(standing, name, type, deadline)),
          { patienceMs: timeoutMs * PATIENCE, schedule },
        )
      const known = await ask(
        standings.filter(({ proof }) => proof === undefined || proof.kind === 'validating'),
      )
      if (known) return known
      // Nobody is left; but who was lost may be back.
      const lost = standings.filter(
        ({ proof, provedAt }) =>
          proof !== undefined && proof.kind !== 'validating' && now() - provedAt >= FIRST_PAUSE_MS,
      )
      await inTime(firstToValidate(lost), deadline)
      return (await ask(usable())) ?? failed('no-resolver', describe())
    },
    close() {
      isClosed = true
      for (const { cancel } of standings) cancel()
    },
  }
}

function isSettled(proof: Proof): boolean {
  return proof.kind === 'validating' && proof.caveat === undefined
}

function nothing(): void {
  // no timer is running
}

/**
 * Failures that say nothing of the resolver. Bogus may: with a wrong clock or an old trust
 * anchor everything is.
 */
const NAMES_OWN: ReadonlySet<FailureCause> = new Set(['servfail', 'alias-loop'])
/** Share of a lookup's time after which the next resolver is asked beside a silent one. */
const PATIENCE = 0.25
/** Milliseconds before a resolver that failed is probed again, doubled each time it fails again. */
const FIRST_PAUSE_MS = 1_000
