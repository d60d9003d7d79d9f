/**
 * Forecasts what a policy would have done with a message that Haraka delivered without it.
 *
 * Inputs are the decision of that policy and the addresses that Haraka tried by itself,
 * each with its result. Haraka stops at the first host that accepts the message, whereas
 * DANE continues after each host that it refuses. What a host would have shown that Haraka
 * never tried cannot be known, and the forecast says so. Connecting to it for the forecast
 * would change the mail flow.
 *
 * Pure.
 */
import type { Forecast } from '../../mail-event.js'
import { mostSpecific } from '../../reason.js'
import type { Candidate, Decision } from '../attempt/decision.js'
import type { Mx } from '../host.js'
import type { AddressResult } from './address-result.js'

/** An address that Haraka tried; without a candidate the policy would not have tried it. */
export type Tried = {
  readonly candidate: Candidate | undefined
  readonly result: AddressResult
}

/** The policy's own candidate for an entry of Haraka's MX list. */
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
 * @param isExhausted Haraka ran out of hosts; otherwise the last one settled the message
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

  const refusals = tried.flatMap(({ result }) =>
    result.kind === 'refused' ? [result.refusal] : [],
  )
  const gap = unknowns(decision.candidates, tried)
  if (gap !== undefined) {
    return { kind: 'unknown', refusal: mostSpecific(refusals), detail: gap }
  }
  const refusal = mostSpecific([...decision.refusals, ...refusals])
  return refusal
    ? { kind: 'deferred', refusal }
    : // No host answered: Haraka defers by itself, whatever the policy.
      { kind: 'no-dane' }
}

/** The forecast if the host that settled the message would have done so under the policy too. */
function settled(last: Tried | undefined): Forecast | undefined {
  if (last?.candidate === undefined) return undefined
  const { result } = last
  switch (result.kind) {
    case 'open':
      return { kind: 'no-dane' }
    case 'verified':
    case 'encrypted':
      return { kind: result.kind }
    case 'refused':
    case 'unknown':
    case 'no-connection':
      return undefined
  }
}

/** What keeps the forecast from being certain, if anything does. */
function unknowns(candidates: readonly Candidate[], tried: readonly Tried[]): string | undefined {
  for (const { result } of tried) if (result.kind === 'unknown') return result.detail
  const called = new Set(tried.map(({ candidate }) => candidate))
  const left = candidates.filter((candidate) => !called.has(candidate)).map(({ host }) => host)
  if (left.length === 0) return undefined
  const some = [...new Set(left)]
  const more = some.length > SHOWN ? ` and ${some.length - SHOWN} more` : ''
  return `not tried by Haraka, and next in order: ${some.slice(0, SHOWN).join(', ')}${more}`
}

const SHOWN = 3
