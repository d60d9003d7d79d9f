/**
 * Decides whether some signature vouches for an RRset (RFC 4035 §5.3).
 *
 * Promises: `verified` only if an RRSIG of the set fits it in owner, type, labels, signer
 * and time, and a key of the zone made it. The zone is the one that the caller has
 * established by a chain of trust, never the one that an RRSIG names. One good RRSIG is
 * enough, whatever the others are (RFC 4035 §5.3.3, RFC 6840 §5.4).
 *
 * A set that was expanded from a wildcard is verified, but proves nothing before the
 * denial of its own name (RFC 4035 §5.3.4): the caller has to ask for that, by
 * `closestEncloser`. Pure, except for the budget.
 */
import { RR_TYPE } from '../signed-message.js'
import type { RRset, Rrsig } from '../signed-message.js'
import { isWithin, labelCount, parentOf, wireNameText } from '../wire-name.js'
import type { WireName } from '../wire-name.js'
import { MOST_FAILED_PER_TAG, MOST_PER_SET } from './budget.js'
import type { Budget } from './budget.js'
import { signedData, signedLabelCount, signedOwner } from './canonical.js'
import { isSignedBy } from './key.js'
import type { ZoneKey } from './key.js'

/** The keys that may sign the records of a zone. */
export type ZoneKeys = { readonly zone: WireName; readonly keys: readonly ZoneKey[] }

export type Verification =
  | {
      readonly kind: 'verified'
      readonly rrset: RRset
      /** The owner that was signed, if the set was expanded from a wildcard (RFC 4035 §5.3.2). */
      readonly wildcard: WireName | undefined
      /** The wildcard's parent. */
      readonly closestEncloser: WireName | undefined
      /** Milliseconds: TTL, original TTL and the end of the signature (RFC 4035 §5.3.3). */
      readonly expiresAt: number
      /** The key that vouches for it, and its signature. */
      readonly key: ZoneKey
      readonly rrsig: Rrsig
    }
  /** No signature does. Words for the operator. */
  | { readonly kind: 'bogus'; readonly detail: string }
  /** The work allowed was not enough to know. */
  | { readonly kind: 'exhausted'; readonly detail: string }

/** @param now milliseconds since the epoch */
export function verifyRRset(
  rrset: RRset,
  keys: ZoneKeys,
  now: number,
  budget: Budget,
): Verification {
  const misplaced = misplacedIn(rrset, keys.zone)
  if (misplaced !== undefined) return { kind: 'bogus', detail: misplaced }
  const reasons: string[] = []
  const trial: Trial = { rrset, keys, budget, tried: 0, failed: new Map() }
  for (const rrsig of rrset.signatures) {
    const unfit = unfitFor(rrset, rrsig, keys.zone) ?? outOfTime(rrsig, now)
    const result = unfit === undefined ? tryKeys(rrsig, trial) : unmade(unfit)
    switch (result.kind) {
      case 'made':
        return verified(rrset, rrsig, result.key, now)
      case 'exhausted':
        return result
      case 'unmade':
        reasons.push(result.detail)
    }
  }
  return { kind: 'bogus', detail: mostTelling(reasons, keys.zone) }
}

/** Why no signature of the zone can vouch for this set. */
function misplacedIn({ owner, type }: RRset, zone: WireName): string | undefined {
  if (!isWithin(owner, zone)) return `${wireNameText(owner)} is not in zone ${wireNameText(zone)}`
  // RFC 4035 §2.4, RFC 6840 §4.4: the DS set belongs to the parent.
  if (type === RR_TYPE.DS && owner === zone) return `DS of ${wireNameText(zone)} signed by itself`
  // RFC 4034 §2: DNSKEY exists only at the apex.
  if (type === RR_TYPE.DNSKEY && owner !== zone) return 'DNSKEY below the apex of its zone'
  return undefined
}

/** Why this RRSIG does not fit the set (RFC 4035 §5.3.1). */
function unfitFor({ owner, type }: RRset, rrsig: Rrsig, zone: WireName): string | undefined {
  if (rrsig.typeCovered !== type) return `signature covers type ${rrsig.typeCovered}`
  if (rrsig.signer !== zone) {
    return `signature by ${wireNameText(rrsig.signer)}, not by zone ${wireNameText(zone)}`
  }
  const count = signedLabelCount(owner)
  if (rrsig.labels > count) return `signature for ${rrsig.labels} labels of ${count}`
  // No wildcard lies above its zone.
  if (rrsig.labels < labelCount(zone)) return 'signature of a wildcard above its zone'
  if (rrsig.labels < count && NEVER_EXPANDED.has(type)) {
    return 'signature of a wildcard over records that are never expanded from one'
  }
  return undefined
}

/** Why this RRSIG is not valid now (RFC 4034 §3.1.5), with some tolerance. */
function outOfTime({ inception, expiration, keyTag }: Rrsig, now: number): string | undefined {
  const lifetime = serialDifference(expiration, inception)
  if (lifetime < 0) return `signature by key ${keyTag} ends before it begins`
  const skew = Math.min(Math.max(lifetime / 10, SKEW.least), SKEW.most)
  const seconds = Math.floor(now / 1000)
  if (serialDifference(seconds, expiration) > skew) {
    return `signature by key ${keyTag} expired on ${dateText(expiration, seconds)}`
  }
  if (serialDifference(inception, seconds) > skew) {
    return `signature by key ${keyTag} is not valid before ${dateText(inception, seconds)}`
  }
  return undefined
}

type Trial = {
  readonly rrset: RRset
  readonly keys: ZoneKeys
  readonly budget: Budget
  tried: number
  /** By key tag. */
  readonly failed: Map<number, number>
}

type Tried =
  | { readonly kind: 'made'; readonly key: ZoneKey }
  | { readonly kind: 'unmade'; readonly detail: string }
  | { readonly kind: 'exhausted'; readonly detail: string }

/**
 * The key that made this signature, or why none did. All keys of the tag are tried: it
 * identifies nothing (RFC 6840 §5.5, RFC 4034 §8).
 */
function tryKeys(rrsig: Rrsig, trial: Trial): Tried {
  const { keyTag, algorithm } = rrsig
  const { rrset, keys } = trial
  const owner = signedOwner(rrset.owner, rrsig.labels)
  if (owner === undefined) return unmade('signature of a wildcard that is too long')
  // RFC 6840 §6.2: whether a key has the SEP flag does not matter.
  const matching = keys.keys.filter((key) => key.keyTag === keyTag && key.algorithm === algorithm)
  if (matching.length === 0) return unmade(`no key ${keyTag} of algorithm ${algorithm}`)
  const usable = matching.filter(({ isRevoked }) => !isRevoked)
  if (usable.length === 0) return unmade(`key ${keyTag} is revoked`)
  // Put together only if it is verified: a large set times many signatures is work as well.
  let data: Buffer | undefined
  for (const key of usable) {
    const failed = trial.failed.get(keyTag) ?? 0
    if (failed === MOST_FAILED_PER_TAG) return unmade(`too many keys with tag ${keyTag}`)
    const isMade = tryKey(key, () => (data ??= signedData(rrset, rrsig, owner)), rrsig, trial)
    if (typeof isMade !== 'boolean') return isMade
    if (isMade) return { kind: 'made', key }
    trial.failed.set(keyTag, failed + 1)
  }
  return unmade(`signature by key ${keyTag} does not match`)
}

function tryKey(key: ZoneKey, data: () => Buffer, rrsig: Rrsig, trial: Trial): boolean | Tried {
  if (trial.tried === MOST_PER_SET) {
    return { kind: 'exhausted', detail: `more than ${MOST_PER_SET} signatures over one RRset` }
  }
  trial.tried++
  const results = trial.budget.resultsOf(trial.rrset)
  const id = `${trial.rrset.signatures.indexOf(rrsig)} ${key.rdata.toString('latin1')}`
  const known = results.get(id)
  if (known !== undefined) return known
  if (!trial.budget.take('verifications', key.cost)) {
    return { kind: 'exhausted', detail: trial.budget.exhausted ?? '' }
  }
  const isMade = isSignedBy(key, data(), rrsig.signature)
  results.set(id, isMade)
  return isMade
}

function unmade(detail: string): Tried {
  return { kind: 'unmade', detail }
}

function verified(rrset: RRset, rrsig: Rrsig, key: ZoneKey, now: number): Verification {
  const owner = signedOwner(rrset.owner, rrsig.labels)
  const wildcard = owner === rrset.owner ? undefined : owner
  // Within the tolerance after its end, it is not kept at all.
  const left = serialDifference(rrsig.expiration, Math.floor(now / 1000))
  const seconds = Math.min(rrset.ttl, rrsig.originalTtl, Math.max(left, 0))
  return {
    kind: 'verified',
    rrset,
    wildcard,
    closestEncloser: wildcard && parentOf(wildcard),
    expiresAt: now + seconds * 1000,
    key,
    rrsig,
  }
}

/** `a` minus `b` in serial arithmetic on 32 bits (RFC 1982 §3.2): -2^31 to 2^31-1. */
function serialDifference(a: number, b: number): number {
  return (a - b) | 0
}

/** The day of a serial number, in the era that is nearest to now. */
function dateText(serial: number, seconds: number): string {
  const day = new Date((seconds + serialDifference(serial, seconds)) * 1000)
  return day.toISOString().slice(0, 10)
}

/** One reason is enough for a line of log: the last step that some signature came to. */
function mostTelling(reasons: readonly string[], zone: WireName): string {
  if (reasons.length === 0) return `no signature by ${wireNameText(zone)}`
  const order = [/does not match/, /expired|not valid before/, /revoked/, /no key/]
  for (const pattern of order) {
    const found = reasons.find((reason) => pattern.test(reason))
    if (found !== undefined) return found
  }
  return reasons[0] ?? ''
}

/** RFC 4592 §4, RFC 4035 §2.2, §2.3: they exist only where the zone itself has them. */
const NEVER_EXPANDED: ReadonlySet<number> = new Set([
  RR_TYPE.NSEC,
  RR_TYPE.NSEC3,
  RR_TYPE.DNSKEY,
  RR_TYPE.DS,
  RR_TYPE.SOA,
])

/**
 * Seconds by which a clock may be wrong: a tenth of the signature's lifetime between these
 * bounds, as Unbound has it. The RFCs allow none.
 */
const SKEW = { least: 3_600, most: 86_400 } as const
