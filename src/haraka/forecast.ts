/**
 * What would a policy have made of a message that Haraka delivered without it?
 *
 * Given what the policy would have decided, and which hosts Haraka called on its own
 * with what they showed. Haraka stops at the first host that takes the message, DANE
 * goes on past each that it refuses: what a host that nobody called would have shown
 * nobody knows, and then the forecast says so. To call it for the sake of the forecast
 * would not be the same mail flow any more.
 *
 * Pure.
 */
import type { Forecast, Refusal } from '../mail-event.js'
import { worthiest } from '../reason.js'
import type { Candidate, Decision } from './delivery.js'
import type { Mx } from './host.js'

/** What one address that Haraka tried was worth to the policy. */
export type Standing =
  /** DANE demands nothing here. */
  | { readonly kind: 'open' }
  | { readonly kind: 'verified' | 'encrypted' }
  | { readonly kind: 'refused'; readonly refusal: Refusal }
  /** Haraka did not ask what the plugin would have asked. */
  | { readonly kind: 'unsure'; readonly detail: string }
  | { readonly kind: 'no-connection' }

/** An address that Haraka tried; without a candidate the policy would have left it out. */
export type Tried = {
  readonly candidate: Candidate | undefined
  readonly standing: Standing
}

/** Which of the policy's own candidates an entry of Haraka's MX list is. */
export function candidateFor(decision: Decision, mx: Mx): Candidate | undefined {
  if (decision.kind !== 'deliver') return undefined
  const same = decision.candidates.filter(
    (each) => each.mx.exchange === mx.exchange && each.mx.path === mx.path,
  )
  const name = mx.from_dns?.toLowerCase()
  return same.find(({ host }) => host === name) ?? same[0]
}

/**
 * @param decision undefined where the policy leaves the message alone
 * @param tried in the order in which Haraka tried them
 * @param isExhausted Haraka ran out of hosts; else the last one has settled the message
 */
export function forecast(
  decision: Decision | undefined,
  tried: readonly Tried[],
  isExhausted: boolean,
): Forecast {
  if (decision === undefined) return { kind: 'no-dane' }
  if (decision.kind === 'return') return { kind: 'returned', refusal: decision.refusal }
  if (decision.kind === 'defer') return { kind: 'deferred', refusal: decision.refusal }

  const settledAs = isExhausted ? undefined : settled(tried.at(-1))
  if (settledAs) return settledAs

  const refusals = tried.flatMap(({ standing }) =>
    standing.kind === 'refused' ? [standing.refusal] : [],
  )
  const gap = unknowns(decision.candidates, tried)
  const [first, ...rest] = refusals
  if (gap !== undefined) {
    return { kind: 'unknown', refusal: first && worthiest([first, ...rest]), detail: gap }
  }
  const [worst, ...others] = [...decision.refusals, ...refusals]
  return worst
    ? { kind: 'deferred', refusal: worthiest([worst, ...others]) }
    : // Nobody answered: Haraka's own deferral, whatever the policy.
      { kind: 'no-dane' }
}

/** The forecast where the host that settled the message would have done so under the policy too. */
function settled(last: Tried | undefined): Forecast | undefined {
  if (last?.candidate === undefined) return undefined
  const { standing } = last
  switch (standing.kind) {
    case 'open':
      return { kind: 'no-dane' }
    case 'verified':
    case 'encrypted':
      return { kind: standing.kind }
    case 'refused':
    case 'unsure':
    case 'no-connection':
      return undefined
  }
}

/** What would have to be known to say more. */
function unknowns(candidates: readonly Candidate[], tried: readonly Tried[]): string | undefined {
  for (const { standing } of tried) if (standing.kind === 'unsure') return standing.detail
  const called = new Set(tried.map(({ candidate }) => candidate))
  const left = candidates.filter((candidate) => !called.has(candidate)).map(({ host }) => host)
  if (left.length === 0) return undefined
  const some = [...new Set(left)]
  const more = some.length > SHOWN ? ` and ${some.length - SHOWN} more` : ''
  return `not called by Haraka, and next in turn: ${some.slice(0, SHOWN).join(', ')}${more}`
}

const SHOWN = 3
