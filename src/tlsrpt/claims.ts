/**
 * Claims on reports, over a store that makes each step of a report once.
 *
 * A claim is a step, and so is each state that its holder notes: a holder whose lease ended
 * and who was followed by another process finds that its next step was made already. Clock
 * and steps are passed in.
 */
import type { Claim, ReportKey, ReportState, ReportStore } from './store.js'

/** A report after its last step. */
export type Step = {
  /** From 1; 0: nothing has happened. */
  readonly number: number
  /** Of the claim that made it: letters and digits. */
  readonly token: string
  /** Milliseconds since the epoch until which it is held; 0: it is not. */
  readonly heldUntil: number
  readonly state: ReportState
}

export type Steps = {
  readonly current: (key: ReportKey) => Promise<Step>
  /**
   * Makes the step that `next` chooses after the current one, and makes it durable;
   * undefined: none, or another process made one first.
   */
  readonly advance: (
    key: ReportKey,
    next: (current: Step) => Omit<Step, 'number'> | undefined,
  ) => Promise<Step | undefined>
}

export const NO_STEP: Step = {
  number: 0,
  token: '',
  heldUntil: 0,
  state: { kind: 'open', notBefore: 0, note: '' },
}

type Held = Step & { readonly leaseMs: number }

/**
 * @param writer letters and digits, of this process alone
 * @param now milliseconds since the epoch
 */
export function createClaims(
  steps: Steps,
  writer: string,
  now: () => number,
): Pick<ReportStore, 'state' | 'claim' | 'note' | 'release'> {
  /** The last step of each claim. */
  const held = new WeakMap<Claim, Held>()
  let claims = 0

  /** Makes the next step of a claim, unless another one followed. */
  function follow(claim: Claim, mine: Held, heldUntil: number, state?: ReportState) {
    return steps.advance(claim, (current) =>
      current.number === mine.number && current.token === mine.token
        ? { token: mine.token, heldUntil, state: state ?? current.state }
        : undefined,
    )
  }

  return {
    state: async (key) => (await steps.current(key)).state,

    async claim({ day, domain }, at, leaseMs) {
      const token = `${writer}x${++claims}`
      const step = await steps.advance({ day, domain }, ({ heldUntil, state }) => {
        if (heldUntil > now() || state.kind === 'done') return undefined
        if (state.kind === 'waiting' && state.notBefore > at) return undefined
        return { token, heldUntil: now() + leaseMs, state }
      })
      if (step === undefined) return undefined
      const claim: Claim = { day, domain, fence: step.number, state: step.state }
      held.set(claim, { ...step, leaseMs })
      return claim
    },

    async note(claim, state) {
      const mine = held.get(claim)
      if (mine === undefined) return false
      const isOver = state.kind === 'waiting' || state.kind === 'done'
      const step = await follow(claim, mine, isOver ? 0 : now() + mine.leaseMs, state)
      if (step === undefined || isOver) held.delete(claim)
      else held.set(claim, { ...step, leaseMs: mine.leaseMs })
      return step !== undefined
    },

    async release(claim) {
      const mine = held.get(claim)
      held.delete(claim)
      if (mine) await follow(claim, mine, 0)
    },
  }
}
