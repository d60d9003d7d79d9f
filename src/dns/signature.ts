/**
 * Reads the validity period of a zone's signature, to compare a clock with.
 *
 * Queries a SOA without validation (CD), so that there is an answer even where the clock
 * of the resolver or of this machine is wrong, and reads the times of the RRSIG over it.
 * They are not validated: a hint for a person, never evidence.
 */
import type { Failed } from '../lookup.js'
import type { DomainName } from '../name.js'
import { failed } from './ask.js'
import type { Ask } from './ask.js'
import type { SignatureTimes } from './message.js'

/** @param deadline milliseconds since the epoch */
export type ReadSignature = (
  deadline: number,
) => Promise<({ readonly kind: 'times' } & SignatureTimes) | Failed>

export function createSignatureReader(ask: Ask, name: DomainName | '.'): ReadSignature {
  return async (deadline) => {
    const message = await ask({ name, type: 'SOA', isUnchecked: true }, deadline)
    if (message.kind === 'failed') return message
    const { soaSignature } = message
    return soaSignature
      ? { kind: 'times', ...soaSignature }
      : failed('malformed', `no signature over the SOA of ${name}`)
  }
}
