/**
 * By which clocks is the signature of this name valid?
 *
 * Asks for a SOA without validation (CD), so that the answer comes even where the
 * resolver, or this machine, has a wrong clock, and reads the times of the RRSIG over
 * it. Nobody vouches for them: they are a hint for a person, never evidence.
 */
import type { Failed } from '../lookup.js'
import type { DomainName } from '../name.js'
import { failed } from './ask.js'
import type { Ask } from './ask.js'
import type { SignatureTimes } from './message.js'

/** @param deadline milliseconds since the epoch */
export type ReadSignature = (deadline: number) => Promise<SignatureTimes | Failed>

export function createSignatureReader(ask: Ask, name: DomainName | '.'): ReadSignature {
  return async (deadline) => {
    const message = await ask({ name, type: 'SOA', isUnchecked: true }, deadline)
    if ('kind' in message) return message
    return message.soaSignature ?? failed('malformed', `no signature over the SOA of ${name}`)
  }
}
