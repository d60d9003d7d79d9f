/** As much of an hmail as the delivery status reads. */
import type { Hmail, Recipient } from '../../src/haraka/host.js'

/** @param recipient undefined: there is none */
export function hmailTo(recipient: Recipient | undefined): Pick<Hmail, 'todo'> {
  return { todo: { domain: 'a.example', rcpt_to: recipient ? [recipient] : [] } }
}

export function hmailFor(domain: string): Pick<Hmail, 'todo'> {
  return { todo: { domain, rcpt_to: [] } }
}
