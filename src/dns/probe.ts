/**
 * Does this resolver validate?
 *
 * A name that is signed has to come back with AD set, which a resolver sets only on
 * what it has validated (RFC 6840 §5.8); the query has AD clear, so that a server which
 * copies the query's bits shows nothing. Where the operator knows a name whose
 * signatures are broken, that has to come back as SERVFAIL, and to have an answer
 * without validation: else its servers may just be down. This finds a resolver that
 * sets AD on everything, or serves what does not validate; a forwarder that passes on
 * what a validating resolver says passes both.
 *
 * Whether the broken name can be asked for is not the resolver's doing: where it shows
 * nothing, what it showed last counts, and before it has shown anything AD alone, with
 * a caveat. Given a way to ask, and the clock; what it finds out is a value.
 */
import { extendedErrorText } from '../extended-error.js'
import { failureText } from '../lookup.js'
import type { Proof } from '../lookup.js'
import type { DomainName } from '../name.js'
import { printable } from '../text.js'
import { NOERROR, NXDOMAIN, SERVFAIL } from './answer.js'
import type { Ask } from './ask.js'
import type { Message } from './message.js'

export type ProbeNames = {
  /** Signed, in the root by default. */
  readonly name: DomainName | '.'
  /** Bogus; undefined if the operator names none. */
  readonly bogusName: DomainName | undefined
}

/** @param deadline milliseconds since the epoch */
export type Prove = (deadline: number) => Promise<Proof>

/** What the broken name has shown: withheld as it must be, served, or nothing. */
type Shown =
  | { readonly kind: 'withheld' }
  | { readonly kind: 'served' }
  | { readonly kind: 'nothing'; readonly why: string }

/** For one resolver, whose showings it remembers. */
export function createProver(ask: Ask, { name, bogusName }: ProbeNames, now: () => number): Prove {
  let last: 'withheld' | 'served' | undefined

  async function proveWith(broken: DomainName, deadline: number): Promise<Proof> {
    // Half of the time, so that a verdict comes in time even if the broken name's servers are down.
    const shown = await show(ask, broken, now() + (deadline - now()) / 2)
    if (shown.kind !== 'nothing') last = shown.kind
    if (last === 'served') {
      return { kind: 'not-validating', detail: `an answer for ${broken}, which must fail` }
    }
    return shown.kind === 'nothing' && last === undefined
      ? { kind: 'validating', caveat: `${broken} shows nothing: ${shown.why}` }
      : { kind: 'validating' }
  }

  return async (deadline) => {
    const signed = await ask({ name, type: 'SOA' }, deadline)
    if ('kind' in signed) return { kind: 'failing', detail: failureText(signed) }
    if (!isAnswer(signed)) return { kind: 'failing', detail: `${rcodeText(signed)} for ${name}` }
    if (!signed.authenticData) {
      return { kind: 'not-validating', detail: `no AD bit on the answer for ${name}` }
    }
    return bogusName === undefined ? { kind: 'validating' } : proveWith(bogusName, deadline)
  }
}

async function show(ask: Ask, name: DomainName, deadline: number): Promise<Shown> {
  const checked = await ask({ name, type: 'A' }, deadline)
  if ('kind' in checked) return { kind: 'nothing', why: failureText(checked) }
  if (isAnswer(checked)) return { kind: 'served' }
  if (checked.rcode !== SERVFAIL) return { kind: 'nothing', why: rcodeText(checked) }
  // RFC 4035 §3.2.2: with CD set it has to answer, whatever validation would say.
  const unchecked = await ask({ name, type: 'A', isUnchecked: true }, deadline)
  if ('kind' in unchecked) return { kind: 'nothing', why: failureText(unchecked) }
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
