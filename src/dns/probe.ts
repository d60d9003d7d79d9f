/**
 * Does this resolver validate?
 *
 * The answer for a signed name must have AD set, which a resolver sets only on validated
 * answers (RFC 6840 §5.8); the query has AD clear, so that a server which copies the
 * query's bits does not pass. If the operator configures a name with broken signatures,
 * that must be answered with SERVFAIL, and with data without validation: otherwise its
 * servers may just be down. This detects a resolver that sets AD on everything, or that
 * serves bogus data; a forwarder to a validating resolver passes both.
 *
 * The servers of the bogus name may be unreachable, which is not the resolver's fault:
 * then the previous result counts, or AD alone if there is none, with a caveat. The query
 * function and the clock are passed in; the result is a value.
 */
import { extendedErrorText } from '../extended-error.js'
import { failureText } from '../lookup.js'
import type { ProbeResult } from '../lookup.js'
import type { DomainName } from '../name.js'
import { printable } from '../text.js'
import { NOERROR, NXDOMAIN, SERVFAIL } from '../rcode.js'
import type { Ask } from './ask.js'
import type { Message } from './message.js'

export type ProbeNames = {
  /** Signed, in the root by default. */
  readonly name: DomainName | '.'
  /** Bogus; undefined if the operator names none. */
  readonly bogusName: DomainName | undefined
}

/** @param deadline milliseconds since the epoch */
export type Probe = (deadline: number) => Promise<ProbeResult>

/** The result for the bogus name: withheld as required, served, or inconclusive. */
type Shown =
  | { readonly kind: 'withheld' }
  | { readonly kind: 'served' }
  | { readonly kind: 'nothing'; readonly why: string }

/** For one resolver, whose last result it remembers. */
export function createProbe(ask: Ask, { name, bogusName }: ProbeNames, now: () => number): Probe {
  let last: 'withheld' | 'served' | undefined

  async function probeBogus(broken: DomainName, deadline: number): Promise<ProbeResult> {
    // Half of the time, so that the probe ends in time even if the servers of the bogus name are down.
    const shown = await show(ask, broken, now() + (deadline - now()) / 2)
    if (shown.kind !== 'nothing') last = shown.kind
    if (last === 'served') {
      return { kind: 'not-validating', detail: `an answer for ${broken}, which must fail` }
    }
    return shown.kind === 'nothing' && last === undefined
      ? { kind: 'validating', caveat: `${broken} is inconclusive: ${shown.why}` }
      : { kind: 'validating' }
  }

  return async (deadline) => {
    const signed = await ask({ name, type: 'SOA' }, deadline)
    if (signed.kind === 'failed') return { kind: 'failing', detail: failureText(signed) }
    if (!isAnswer(signed)) return { kind: 'failing', detail: `${rcodeText(signed)} for ${name}` }
    if (!signed.authenticData) {
      return { kind: 'not-validating', detail: `no AD bit on the answer for ${name}` }
    }
    return bogusName === undefined ? { kind: 'validating' } : probeBogus(bogusName, deadline)
  }
}

/**
 * For a resolver whose AD bit may be believed, but need not be: if it is not, the plugin
 * validates.
 */
export function createEitherProbe(byItself: Probe, passesOn: Probe, now: () => number): Probe {
  return async (deadline) => {
    const believed = await byItself(now() + (deadline - now()) / 2)
    if (believed.kind !== 'not-validating' && believed.kind !== 'failing') return believed
    const passing = await passesOn(deadline)
    // That its AD bit was wrong has to be known, whatever else it does.
    const isAnswer = passing.kind === 'passing' || passing.kind === 'unusable'
    return isAnswer ? { ...passing, byItself: believed } : believed
  }
}

async function show(ask: Ask, name: DomainName, deadline: number): Promise<Shown> {
  const checked = await ask({ name, type: 'A' }, deadline)
  if (checked.kind === 'failed') return { kind: 'nothing', why: failureText(checked) }
  if (isAnswer(checked)) return { kind: 'served' }
  if (checked.rcode !== SERVFAIL) return { kind: 'nothing', why: rcodeText(checked) }
  // RFC 4035 §3.2.2: with CD set it has to answer, whatever validation would say.
  const unchecked = await ask({ name, type: 'A', isUnchecked: true }, deadline)
  if (unchecked.kind === 'failed') return { kind: 'nothing', why: failureText(unchecked) }
  return isAnswer(unchecked)
    ? { kind: 'withheld' }
    : { kind: 'nothing', why: `${rcodeText(unchecked)} without validation too` }
}

function isAnswer({ rcode }: Message): boolean {
  return rcode === NOERROR || rcode === NXDOMAIN
}

function rcodeText({ rcode, extendedErrors }: Message): string {
  return printable([`RCODE ${rcode}`, ...extendedErrors.map(extendedErrorText)].join(', '))
}
