/**
 * The reviewed list of differences between this validator and the references, by RFC.
 *
 * An entry is for a property of the zones that a question led to, and for the statuses it
 * accounts for. Only where BIND says `secure` too does one account for `secure` here.
 */
import type { BuiltZone } from './build.js'
import type { Compared } from './compare.js'
import type { Status } from './references.js'
import type { ZoneSpec } from './spec.js'

export type Seen = {
  readonly type: string
  readonly ours: Status
  readonly unbound: Status
  readonly bind: Status
  /** The zones whose names were asked about to answer the question. */
  readonly zones: readonly BuiltZone[]
}

type Explanation = {
  readonly text: string
  readonly accountsFor: (seen: Seen) => boolean
}

export function explanationOf(seen: Seen): string | undefined {
  return EXPLANATIONS.find(({ accountsFor }) => accountsFor(seen))?.text
}

const EXPLANATIONS: readonly Explanation[] = [
  {
    text: 'RFC 9905 §2: a zone of algorithm 5 or 7 alone is insecure here; these releases of Unbound and BIND still support SHA-1',
    accountsFor: (seen) =>
      (seen.ours.startsWith('insecure') || seen.ours === 'bogus') &&
      someSpec(seen, ({ signing }) => signing?.algorithm === 5 || signing?.algorithm === 7),
  },
  {
    text: 'RFC 4509 §3: where a DS record with SHA-256 exists, that with SHA-1 is ignored; Unbound takes either, BIND agrees',
    accountsFor: (seen) =>
      seen.ours === 'bogus' &&
      seen.bind === 'bogus' &&
      someSpec(seen, ({ ds }) => ds === 'sha1-and-wrong-sha256'),
  },
  {
    text: 'RFC 5011 §2.1: a revoked key is not a secure entry point; Unbound before 1.26 takes it, BIND agrees',
    accountsFor: (seen) =>
      seen.ours === 'bogus' &&
      seen.bind === 'bogus' &&
      someSpec(seen, ({ zoneBreak }) => zoneBreak === 'revoked'),
  },
  {
    text: 'RFC 9276 §3.2: BIND takes a zone with more than 150 iterations for unsigned, even where a signature is wrong; Unbound agrees that it is bogus',
    accountsFor: (seen) =>
      seen.ours === 'bogus' &&
      seen.unbound === 'bogus' &&
      seen.bind.startsWith('insecure') &&
      someSpec(
        seen,
        ({ signing }) => signing?.denial.kind === 'nsec3' && signing.denial.iterations > 150,
      ),
  },
  {
    text: 'RFC 9276 §3.2: a zone with more than 150 iterations denies nothing, so that a name in it is insecure once its signature is gone',
    accountsFor: (seen) =>
      seen.ours.startsWith('insecure') &&
      !seen.unbound.startsWith('secure') &&
      someSpec(
        seen,
        ({ signing }) => signing?.denial.kind === 'nsec3' && signing.denial.iterations > 150,
      ),
  },
  {
    text: 'RFC 4035 §5.2, §5.3.4: an NSEC or NSEC3 record was removed, or the parent signed for a wildcard; bogus for Unbound too, BIND does not need it',
    accountsFor: (seen) =>
      seen.ours === 'bogus' &&
      seen.unbound === 'bogus' &&
      someSpec(
        seen,
        ({ undenied, zoneBreak, setBreaks }) =>
          undenied > 0 ||
          zoneBreak === 'no-denial' ||
          setBreaks.some(({ kind, owner }) => kind === 'signed-by-parent' && owner.startsWith('*')),
      ),
  },
  {
    text: 'RFC 6672 §3.2, §5.3.1: the alias that a DNAME makes of the name answers a question for CNAME; Unbound 1.17 follows it instead, BIND agrees',
    accountsFor: (seen) =>
      seen.type === 'CNAME' &&
      seen.ours.endsWith('found') &&
      seen.ours === seen.bind &&
      someSpec(seen, ({ records }) => records.some((record) => record.includes(' DNAME '))),
  },
]

/** Of replies changed on the way; `honest` is what was said about the replies as they were. */
export function explanationOfChanged(changed: Compared, honest: Compared): string | undefined {
  const isAgreed = honest.ours === honest.unbound && honest.ours === honest.bind
  const isSame = changed.ours === honest.ours && changed.content === honest.content
  if (!isAgreed || !changed.ours.startsWith('secure')) {
    return changed.ours.startsWith('insecure') && honest.ours.startsWith('insecure')
      ? 'RFC 4035 §4.3: nothing shows that a reply about an unsigned zone was changed'
      : undefined
  }
  return isSame
    ? 'RFC 4035 §3.2.3, RFC 2181 §5: the changed reply still has all RRsets and signatures of the proof, and what all three said about the reply as it was is what it proves'
    : undefined
}

function someSpec({ zones }: Seen, has: (spec: ZoneSpec) => boolean): boolean {
  return zones.some(({ spec }) => has(spec))
}
