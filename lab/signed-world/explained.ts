/**
 * The reviewed list of differences between this validator and the references, by RFC.
 *
 * An entry is for one property of a zone that the question led to, and for what is said
 * then: the reason that this validator gives has to be that property of that zone, and the
 * references have to say what follows from it. No entry accounts for `secure` here unless
 * BIND says the same, nor for `insecure` where a reference says `secure`, except for SHA-1,
 * which these releases still support.
 */
import type { BuiltZone } from './build.js'
import type { Compared } from './compare.js'
import type { Status } from './references.js'
import type { ZoneSpec } from './spec.js'

export type Seen = {
  readonly name: string
  readonly type: string
  readonly ours: Status
  readonly unbound: Status
  readonly bind: Status
  /** Why it is bogus here. */
  readonly detail: string
  /** The zones that hold a name that was asked for or answered. */
  readonly zones: readonly Pick<BuiltZone, 'spec'>[]
  /** Those that no other of these zones lies between: where the answers come from. */
  readonly answering: readonly Pick<BuiltZone, 'spec'>[]
  /** Why zones are insecure here, by origin. */
  readonly insecure: ReadonlyMap<string, string>
}

type Explanation = {
  readonly text: string
  readonly accountsFor: (seen: Seen) => boolean
}

export function explanationOf(seen: Seen): string | undefined {
  return EXPLANATIONS.find(({ accountsFor }) => accountsFor(seen))?.text
}

export const EXPLANATIONS: readonly Explanation[] = [
  {
    text: 'RFC 9905 §2: a zone of algorithm 5 or 7 alone is insecure here; these releases of Unbound and BIND still support SHA-1',
    accountsFor: (seen) =>
      isInsecure(seen.ours) &&
      others(seen).every((other) => isBroken(other) || outcome(other) === outcome(seen.ours)) &&
      seen.zones.some(
        ({ spec: { origin, signing } }) =>
          (signing?.algorithm === 5 || signing?.algorithm === 7) &&
          /^algorithm [57] .*not supported$/.test(seen.insecure.get(origin) ?? ''),
      ),
  },
  {
    text: 'RFC 4509 §3: where a DS record with SHA-256 exists, that with SHA-1 is ignored; Unbound takes either, BIND agrees',
    accountsFor: (seen) =>
      seen.ours === 'bogus' &&
      isBroken(seen.bind) &&
      seen.zones.some(
        ({ spec: { origin, ds } }) =>
          ds === 'sha1-and-wrong-sha256' && isAbout(seen, `no DNSKEY of ${origin} matches DS `),
      ),
  },
  {
    text: 'RFC 5011 §2.1: a revoked key is not a secure entry point; Unbound before 1.26 takes it, BIND agrees',
    accountsFor: (seen) =>
      seen.ours === 'bogus' &&
      isBroken(seen.bind) &&
      seen.zones.some(
        ({ spec: { origin, zoneBreak } }) =>
          zoneBreak === 'revoked' && isAbout(seen, `no DNSKEY of ${origin} matches DS `),
      ),
  },
  {
    text: 'RFC 9276 §3.2: BIND takes a zone with more than 150 iterations for unsigned, even where a signature is wrong; Unbound agrees that it is bogus',
    accountsFor: (seen) =>
      seen.ours === 'bogus' &&
      isBroken(seen.unbound) &&
      isInsecure(seen.bind) &&
      seen.answering.some(({ spec }) => hasTooManyIterations(spec)),
  },
  {
    text: 'RFC 9276 §3.2: a zone with more than 150 iterations denies nothing, so that a name in it is insecure once its signature is gone',
    accountsFor: (seen) =>
      isInsecure(seen.ours) &&
      others(seen).every((other) => isBroken(other) || isInsecure(other)) &&
      seen.answering.some(({ spec }) => hasTooManyIterations(spec)),
  },
  {
    text: 'RFC 4035 §5.2, §5.4: NSEC or NSEC3 records of the proof were removed; bogus for Unbound too, BIND does not need them',
    accountsFor: (seen) =>
      seen.ours === 'bogus' &&
      isBroken(seen.unbound) &&
      /no proof that|without proof that/.test(seen.detail) &&
      seen.answering.some(
        ({ spec: { undenied, zoneBreak } }) => undenied > 0 || zoneBreak === 'no-denial',
      ),
  },
  {
    text: 'RFC 4035 §5.3.4: the parent signed for a wildcard of the zone, whose denials cannot show that the name does not exist; bogus for Unbound too, BIND does not need them',
    accountsFor: (seen) =>
      seen.ours === 'bogus' &&
      isBroken(seen.unbound) &&
      isAbout(seen, 'from a wildcard, without proof that') &&
      seen.answering.some(({ spec: { setBreaks } }) =>
        setBreaks.some(({ kind, owner }) => kind === 'signed-by-parent' && owner.startsWith('*')),
      ),
  },
  {
    text: 'RFC 6672 §3.2, §5.3.1: the alias that a DNAME makes of the name answers a question for CNAME; Unbound 1.17 follows it instead, BIND agrees',
    accountsFor: (seen) =>
      seen.type === 'CNAME' &&
      outcome(seen.ours) === 'found' &&
      seen.ours === seen.bind &&
      seen.zones.some(({ spec: { records } }) =>
        records.some((record) => {
          const [owner = '', type] = record.split(' ')
          return type === 'DNAME' && seen.name.endsWith(`.${owner.replace(/\.$/, '')}`)
        }),
      ),
  },
]

/** Of replies changed on the way; `honest` is what was said about the replies as they were. */
export function explanationOfChanged(changed: Compared, honest: Compared): string | undefined {
  const isSame = changed.ours === honest.ours && changed.content === honest.content
  const isAgreed = honest.ours === honest.unbound && honest.ours === honest.bind
  if (isAgreed && changed.ours.startsWith('secure') && isSame) {
    return 'RFC 4035 §3.2.3, RFC 2181 §5: the changed reply still has all RRsets and signatures of the proof, and what all three said about the reply as it was is what it proves'
  }
  // Where the references had another opinion of the zone itself, an entry accounts for it.
  const isUnsigned = isInsecure(honest.ours) && (isAgreed || honest.explanation !== undefined)
  return isUnsigned && isInsecure(changed.ours)
    ? 'RFC 4035 §4.3: nothing shows that a reply about an unsigned zone was changed'
    : undefined
}

function isInsecure(status: Status): boolean {
  return status.startsWith('insecure')
}

/** References say SERVFAIL whatever made them fail. */
function isBroken(status: Status): boolean {
  return status === 'bogus' || status === 'failed'
}

function outcome(status: Status): string | undefined {
  return status.split(' ')[1]
}

function others({ unbound, bind }: Seen): readonly Status[] {
  return [unbound, bind]
}

function isAbout({ detail }: Seen, words: string): boolean {
  return detail.includes(words)
}

function hasTooManyIterations({ signing }: ZoneSpec): boolean {
  return signing?.denial.kind === 'nsec3' && signing.denial.iterations > 150
}
