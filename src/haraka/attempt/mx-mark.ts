/**
 * Marks each entry that this plugin puts into Haraka's MX list.
 *
 * The mark links the entry to its candidate and to the attempt it was made for. It is a
 * symbol, because Haraka copies entries by spreading them, which keeps it.
 *
 * Promises: an entry without a mark, with the mark of another attempt, or with another
 * address than its candidate has no candidate.
 */
import { isIP } from 'node:net'
import type { Candidate } from './decision.js'
import type { Mx } from '../host.js'
import type { Settlement } from './settlement.js'

/** An attempt (attempt.ts): what counts here is that it is the same one. */
type Attempt = { readonly settlement: Settlement }

export function mark(mx: Mx, candidate: Candidate, attempt: Attempt): Mx {
  return Object.assign(mx, { [MARK]: { candidate, attempt } })
}

/** The candidate of this attempt that an entry was made from, or undefined. */
export function candidateOf(mx: Mx & Marked, attempt: Attempt): Candidate | undefined {
  const bound = mx[MARK]
  if (bound?.attempt !== attempt) return undefined
  return isSamePlace(mx, bound.candidate.mx) ? bound.candidate : undefined
}

/** Whether an entry is one of ours, of whichever attempt. */
export function isMarked(entry: unknown): boolean {
  return typeof entry === 'object' && entry !== null && Reflect.has(entry, MARK)
}

/** Where Haraka would connect to, and by which protocol. It fills in ports and resolves names. */
function isSamePlace(mx: Mx, own: Mx): boolean {
  if (own.path !== undefined || mx.path) return mx.path === own.path
  if (Boolean(mx.using_lmtp) !== Boolean(own.using_lmtp) || mx.port !== own.port) return false
  if (mx.exchange === own.exchange) return true
  return isIP(own.exchange ?? '') === 0 && mx.from_dns === own.exchange
}

const MARK = Symbol('dane candidate')

type Marked = { readonly [MARK]?: { readonly candidate: Candidate; readonly attempt: Attempt } }
