/**
 * Does this resolver validate?
 *
 * A name that is signed has to come back with AD set, which a resolver sets only on
 * what it has validated (RFC 6840 §5.8), and a name whose signatures are broken, where
 * the operator knows one, has to come back as SERVFAIL. AD alone could be a forwarder's
 * repetition of what somebody else claimed.
 *
 * Given a way to ask; what it finds out is a value.
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
export async function prove(
  ask: Ask,
  { name, bogusName }: ProbeNames,
  deadline: number,
): Promise<Proof> {
  const signed = await ask({ name, type: 'SOA' }, deadline)
  if ('kind' in signed) return { kind: 'failing', detail: failureText(signed) }
  if (signed.rcode !== NOERROR && signed.rcode !== NXDOMAIN) {
    return { kind: 'failing', detail: `${rcodeText(signed)} for ${name}` }
  }
  if (!signed.authenticData) {
    return { kind: 'not-validating', detail: `no AD bit on the answer for ${name}` }
  }
  if (bogusName === undefined) return { kind: 'validating' }

  const bogus = await ask({ name: bogusName, type: 'A' }, deadline)
  if ('kind' in bogus) return { kind: 'failing', detail: failureText(bogus) }
  if (bogus.rcode === SERVFAIL) return { kind: 'validating' }
  return bogus.rcode === NOERROR || bogus.rcode === NXDOMAIN
    ? { kind: 'not-validating', detail: `an answer for ${bogusName}, which must fail` }
    : { kind: 'failing', detail: `${rcodeText(bogus)} for ${bogusName}` }
}

function rcodeText({ rcode, extendedErrors }: Message): string {
  return printable([`RCODE ${rcode}`, ...extendedErrors.map(extendedErrorText)].join(', '))
}
