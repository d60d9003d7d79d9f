/**
 * What a reply proves to be absent, by the NSEC and NSEC3 records of one zone.
 *
 * Only records count that the keys of this zone have verified, as published and not as an
 * expansion of a wildcard (RFC 4592 §4). NSEC and NSEC3 are never combined, nor records of
 * several zones (RFC 4035 §5.4, RFC 5155 §8.2). What cannot be proven is `nothing`: the
 * caller must not take it for absence. Pure, except for the work that is charged.
 */
import { NXDOMAIN } from '../rcode.js'
import { RR_TYPE } from '../signed-message.js'
import type { RRset, SignedReply } from '../signed-message.js'
import { isWithin, wireNameText } from '../wire-name.js'
import type { WireName } from '../wire-name.js'
import type { TypeBitmap } from './bitmap.js'
import { deniedByNsec, nsecOfExpansion, readNsec } from './nsec.js'
import type { Denial, Nsec } from './nsec.js'
import {
  byParameters,
  deniedByNsec3,
  hasTooManyIterations,
  nsec3OfExpansion,
  readNsec3,
} from './nsec3.js'
import type { HashedZone, Nsec3 } from './nsec3.js'
import type { ZoneKeys } from './signature.js'
import { PAUSED } from './work.js'
import type { Paused, Work } from './work.js'

type Unproven =
  | { readonly kind: 'nothing'; readonly detail: string }
  | { readonly kind: 'exhausted'; readonly detail: string }
  | Paused

/** `expiresAt`: milliseconds since the epoch, by the records used. */
export type Proof =
  | { readonly kind: 'nxdomain'; readonly expiresAt: number }
  | {
      readonly kind: 'nodata'
      readonly expiresAt: number
      /** The types at the name itself; undefined if it has no records. */
      readonly types: TypeBitmap | undefined
    }
  /** The zone says that it does not say: opt-out, or too many iterations. */
  | { readonly kind: 'insecure'; readonly expiresAt: number; readonly detail: string }
  | Unproven

/** @param name at or below the zone of the keys */
export function proveDenial(
  { rrsets, rcode }: Pick<SignedReply, 'rrsets' | 'rcode'>,
  keys: ZoneKeys,
  name: WireName,
  type: number,
  work: Work,
): Proof {
  const verified = verifyDenials(rrsets, keys, work)
  if (verified.kind !== 'verified') return verified
  const { nsecs, nsec3s } = verified
  const reasons: string[] = [...verified.reasons]
  const denials: (() => Denial | undefined)[] = [
    ...(nsecs.length > 0 ? [() => deniedByNsec(nsecs, keys.zone, name, type)] : []),
    ...hashedZones(nsec3s, keys.zone, work).map(
      (hashed) => () => deniedByNsec3(hashed, name, type, rcode === NXDOMAIN),
    ),
  ]
  for (const deny of denials) {
    const denial = deny()
    if (denial === undefined) return stopped(work)
    if (denial.kind !== 'nothing') return proofOf(denial, verified)
    reasons.push(denial.detail)
  }
  return tooManyIterations(verified) ?? nothing(reasons, keys.zone)
}

export type ExpansionProof =
  /** RFC 4035 §5.3.4, RFC 5155 §8.8. */
  | { readonly kind: 'proven'; readonly expiresAt: number }
  | { readonly kind: 'insecure'; readonly expiresAt: number; readonly detail: string }
  | Unproven

/** That `name` may be answered from the wildcard of `encloser`: nothing closer exists (RFC 4592 §3.3.1). */
export function proveExpansion(
  rrsets: readonly RRset[],
  keys: ZoneKeys,
  name: WireName,
  encloser: WireName,
  work: Work,
): ExpansionProof {
  const verified = verifyDenials(rrsets, keys, work)
  if (verified.kind !== 'verified') return verified
  const { nsecs, nsec3s, expiry } = verified
  const nsec = nsecOfExpansion(nsecs, name, encloser)
  if (nsec !== undefined) return { kind: 'proven', expiresAt: earliest([nsec], expiry) }
  for (const hashed of hashedZones(nsec3s, keys.zone, work)) {
    const expansion = nsec3OfExpansion(hashed, name, encloser)
    if (expansion === undefined) return stopped(work)
    if (expansion.kind === 'nothing') continue
    const expiresAt = earliest(expansion.used, expiry)
    if (!expansion.isOptOut) return { kind: 'proven', expiresAt }
    // RFC 5155 §9.2: an unsigned delegation may be there instead.
    return { kind: 'insecure', expiresAt, detail: 'NSEC3 opt-out covers the name of a wildcard' }
  }
  return tooManyIterations(verified) ?? nothing(verified.reasons, keys.zone)
}

type Verified = {
  readonly kind: 'verified'
  readonly nsecs: readonly Nsec[]
  readonly nsec3s: readonly Nsec3[]
  /** Milliseconds since the epoch. */
  readonly expiry: ReadonlyMap<RRset, number>
  /** Why records do not count. */
  readonly reasons: readonly string[]
}

/** The records of the zone that count. */
function verifyDenials(rrsets: readonly RRset[], keys: ZoneKeys, work: Work): Verified | Unproven {
  const denials = rrsets.filter(
    ({ owner, type, signatures }) =>
      (type === RR_TYPE.NSEC || type === RR_TYPE.NSEC3) &&
      isWithin(owner, keys.zone) &&
      signatures.some(({ signer }) => signer === keys.zone),
  )
  if (denials.length > MOST_DENIALS) {
    return { kind: 'exhausted', detail: `more than ${MOST_DENIALS} NSEC or NSEC3 in one reply` }
  }
  const nsecs: Nsec[] = []
  const nsec3s: Nsec3[] = []
  const expiry = new Map<RRset, number>()
  const reasons: string[] = []
  for (const rrset of denials) {
    const result = work.verify(rrset, keys)
    if (result.kind === 'paused' || result.kind === 'exhausted') return result
    const what = `${rrset.type === RR_TYPE.NSEC ? 'NSEC' : 'NSEC3'} ${wireNameText(rrset.owner)}`
    // RFC 4592 §4: a record of denial denies at its own name alone.
    if (result.kind === 'bogus' || result.wildcard !== undefined) {
      reasons.push(`${what}: ${result.kind === 'bogus' ? result.detail : 'from a wildcard'}`)
      continue
    }
    const nsec = rrset.type === RR_TYPE.NSEC ? readNsec(rrset, keys.zone) : undefined
    const nsec3 = rrset.type === RR_TYPE.NSEC3 ? readNsec3(rrset, keys.zone) : undefined
    if (nsec) nsecs.push(nsec)
    if (nsec3) nsec3s.push(nsec3)
    if (nsec || nsec3) expiry.set(rrset, result.expiresAt)
    else reasons.push(`${what} is malformed, or of unknown parameters`)
  }
  return { kind: 'verified', nsecs, nsec3s, expiry, reasons }
}

/** What can be hashed; the parameters of a zone differ only while it changes them. */
function hashedZones(
  nsec3s: readonly Nsec3[],
  zone: WireName,
  { hashes, budget }: Work,
): readonly HashedZone[] {
  return byParameters(nsec3s)
    .filter((records) => !hasTooManyIterations(records))
    .slice(0, MOST_PARAMETERS)
    .map((records) => ({ zone, records, hashes, budget }))
}

function proofOf(denial: Exclude<Denial, { kind: 'nothing' }>, { expiry }: Verified): Proof {
  const expiresAt = earliest(denial.used, expiry)
  switch (denial.kind) {
    case 'nxdomain':
      return { kind: 'nxdomain', expiresAt }
    case 'nodata':
      return { kind: 'nodata', expiresAt, types: denial.types }
    case 'insecure':
      return { kind: 'insecure', expiresAt, detail: denial.detail }
  }
}

/** RFC 5155 §10.3, RFC 9276 §3.2: insecure, since these records are the zone's own. */
function tooManyIterations({ nsec3s, expiry }: Verified) {
  const beyond = nsec3s.filter((record) => hasTooManyIterations([record]))
  const [first] = beyond
  if (first === undefined) return undefined
  const expiresAt = earliest(
    beyond.map(({ rrset }) => rrset),
    expiry,
  )
  const detail = `NSEC3 with ${first.iterations} iterations, too many to be checked`
  return { kind: 'insecure', expiresAt, detail } as const
}

function earliest(used: readonly RRset[], expiry: ReadonlyMap<RRset, number>): number {
  return Math.min(...used.map((rrset) => expiry.get(rrset) ?? 0))
}

/** Hashing has stopped: for this turn, or for good. */
function stopped({ budget }: Work): Unproven {
  const detail = budget.exhausted
  if (detail === undefined && budget.isSliceSpent) return PAUSED
  return { kind: 'exhausted', detail: detail ?? 'a name outside of its zone' }
}

function nothing(reasons: readonly string[], zone: WireName): Unproven {
  const none = `no NSEC or NSEC3 of zone ${wireNameText(zone)} in the reply`
  return { kind: 'nothing', detail: reasons[0] ?? none }
}

/** NSEC and NSEC3 RRsets in one reply; a denial needs at most three. */
const MOST_DENIALS = 16
/** Sets of NSEC3 parameters looked at. */
const MOST_PARAMETERS = 2
