/**
 * Which decision of ours stands behind an entry of Haraka's MX list?
 *
 * Each entry that this plugin hands to Haraka bears a mark that binds it to its
 * candidate and to the attempt it was made for. An entry without one, or with one
 * from an earlier attempt, is nobody's decision. The mark is a symbol, because
 * Haraka copies entries by spreading them, which keeps it.
 */
import type { Attempt } from './attempt.js'
import type { Candidate } from './delivery.js'
import type { Mx } from './host.js'

export function mark(mx: Mx, candidate: Candidate, attempt: Attempt): Mx {
  return Object.assign(mx, { [CANDIDATE]: { candidate, attempt } })
}

/** The candidate of this attempt behind an entry, or undefined. */
export function candidateOf(mx: Mx & Marked, attempt: Attempt): Candidate | undefined {
  const bound = mx[CANDIDATE]
  return bound?.attempt === attempt ? bound.candidate : undefined
}

const CANDIDATE = Symbol('dane candidate')

type Marked = {
  readonly [CANDIDATE]?: { readonly candidate: Candidate; readonly attempt: Attempt }
}
