/**
 * Which keys sign a zone, given what its parent or a trust anchor says of them?
 *
 * A DS counts if its algorithm and digest are supported; a key leads if a DS refers to it
 * and it has itself signed the DNSKEY RRset (RFC 4035 §5.2). No DS that counts: the zone is
 * insecure (RFC 6840 §5.2). Some count, and none leads: bogus, never insecure. One is
 * enough, and no algorithm has to be complete (RFC 6840 §5.11). Pure.
 */
import { RR_TYPE } from '../signed-message.js'
import type { RRset } from '../signed-message.js'
import type { TrustAnchor } from '../trust-anchor.js'
import { ROOT, wireNameText } from '../wire-name.js'
import type { WireName } from '../wire-name.js'
import { algorithmText, dsMatches, isSupportedAlgorithm, isSupportedDigest, readDs } from './key.js'
import type { AlgorithmPolicy, Ds, ZoneKey } from './key.js'
import type { ZoneKeys } from './signature.js'
import type { Paused, Work } from './work.js'

export type SecureZone = {
  readonly kind: 'secure'
  readonly apex: WireName
  readonly keys: ZoneKeys
  /** Milliseconds since the epoch. */
  readonly expiresAt: number
}

export type InsecureZone = {
  readonly kind: 'insecure'
  readonly apex: WireName
  readonly detail: string
  readonly expiresAt: number
}

/** Bogus, or more work than a zone may cause. */
export type FailedZone = { readonly kind: 'bogus'; readonly detail: string }

export type ZoneResult = SecureZone | InsecureZone | FailedZone | Paused

/** What vouches for the keys of a zone. */
export type Trust =
  | { readonly kind: 'ds'; readonly ds: readonly Ds[]; readonly expiresAt: number }
  | { readonly kind: 'anchors'; readonly anchors: readonly TrustAnchor[] }

/** The DS records that a verified RRset holds. */
export function trustOf(rrset: RRset, expiresAt: number): Trust | FailedZone {
  if (rrset.rdatas.length > MOST_DS) {
    return bogus(`more than ${MOST_DS} DS records of ${wireNameText(rrset.owner)}`)
  }
  return { kind: 'ds', ds: rrset.rdatas.map(readDs), expiresAt }
}

/** Why the zone is insecure whatever its keys are; undefined if some DS counts. */
export function unsupported(trust: Trust, policy: AlgorithmPolicy): string | undefined {
  // An anchor that cannot be used is no proof of anything.
  if (trust.kind === 'anchors' || supported(trust.ds, policy).length > 0) return undefined
  const [first] = trust.ds
  if (first === undefined) return undefined
  if (!isSupportedAlgorithm(first.algorithm, policy)) {
    return `algorithm ${algorithmText(first.algorithm)} not supported`
  }
  return `DS digest type ${first.digestType} not supported`
}

/** @param dnskeys the RRset at the apex */
export function zoneOfKeys(
  apex: WireName,
  trust: Trust,
  dnskeys: RRset,
  policy: AlgorithmPolicy,
  work: Work,
): ZoneResult {
  const zone = wireNameText(apex)
  if (dnskeys.rdatas.length > MOST_KEYS) {
    return bogus(`more than ${MOST_KEYS} DNSKEY records of ${zone}`)
  }
  const keys = work
    .keysOf(dnskeys)
    .filter((key): key is ZoneKey => key.kind === 'key' && !key.isRevoked)
  const leading = keys.filter((key) => leads(key, apex, trust, policy))
  if (leading.length === 0) return bogus(noneLeads(zone, trust, policy))
  const result = work.verify(dnskeys, { zone: apex, keys: leading })
  switch (result.kind) {
    case 'paused':
      return result
    case 'exhausted':
    case 'bogus': {
      const clock = apex === ROOT ? clockFault(dnskeys, work.now) : undefined
      return bogus(clock ?? `DNSKEY of ${zone}: ${result.detail}`)
    }
    case 'verified': {
      const until = trust.kind === 'ds' ? trust.expiresAt : Infinity
      const expiresAt = Math.min(until, result.expiresAt)
      return { kind: 'secure', apex, keys: { zone: apex, keys }, expiresAt }
    }
  }
}

function leads(key: ZoneKey, apex: WireName, trust: Trust, policy: AlgorithmPolicy): boolean {
  if (trust.kind === 'ds') return supported(trust.ds, policy).some((ds) => dsMatches(ds, apex, key))
  return trust.anchors.some((anchor) => {
    if (anchor.owner !== apex) return false
    return anchor.kind === 'dnskey' ? anchor.rdata.equals(key.rdata) : dsMatches(anchor, apex, key)
  })
}

/** RFC 4035 §5.2; RFC 4509 §3: SHA-1 is ignored where there is another digest. */
function supported(ds: readonly Ds[], policy: AlgorithmPolicy): readonly Ds[] {
  const known = ds.filter(
    ({ algorithm, digestType }) =>
      isSupportedAlgorithm(algorithm, policy) && isSupportedDigest(digestType),
  )
  const stronger = known.filter(({ digestType }) => digestType !== DIGEST_SHA1)
  return stronger.length > 0 ? stronger : known
}

function noneLeads(zone: string, trust: Trust, policy: AlgorithmPolicy): string {
  if (trust.kind === 'anchors') {
    return `no DNSKEY of ${zone} matches a trust anchor`
  }
  const tags = supported(trust.ds, policy).map(({ keyTag }) => keyTag)
  return `no DNSKEY of ${zone} matches DS ${tags.slice(0, SHOWN).join(', ')}`
}

/**
 * The root is signed for weeks at a time. If all its signatures have expired, or none is
 * valid yet, it is the clock of this machine that is wrong, or someone repeats old replies.
 */
function clockFault({ signatures, type }: RRset, now: number): string | undefined {
  if (type !== RR_TYPE.DNSKEY || signatures.length === 0) return undefined
  const seconds = Math.floor(now / 1000)
  const isPast = signatures.every(({ expiration }) => ((expiration - seconds) | 0) < 0)
  const isFuture = signatures.every(({ inception }) => ((inception - seconds) | 0) > 0)
  if (!isPast && !isFuture) return undefined
  const clock = new Date(now).toISOString().slice(0, 16)
  const what = isPast ? 'have expired' : 'are not valid yet'
  return `clock: all signatures of the root ${what}, by the clock of this machine (${clock}Z)`
}

function bogus(detail: string): FailedZone {
  return { kind: 'bogus', detail }
}

/** More than any honest zone has (CVE-2023-50387). */
const MOST_DS = 12
export const MOST_KEYS = 32
/** RFC 4034 App. A.2. */
const DIGEST_SHA1 = 1
/** Key tags in a message. */
const SHOWN = 4
