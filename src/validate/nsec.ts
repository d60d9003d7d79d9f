/**
 * What NSEC records prove (RFC 4034 §4, RFC 4035 §5.4).
 *
 * The records given here have been verified with the keys of one zone, and were not
 * expanded from a wildcard. Even so they count only for what they say: the owner and the
 * next name lie in that zone, and the record of a delegation or a DNAME says nothing about
 * names below it (RFC 6840 §4.1).
 *
 * Pure. n records cost some n comparisons for each of two names.
 */
import { RR_TYPE } from '../signed-message.js'
import type { RRset } from '../signed-message.js'
import {
  isWithin,
  labelCount,
  parentOf,
  ROOT,
  wildcardOf,
  wireNameFromOctets,
} from '../wire-name.js'
import type { WireName } from '../wire-name.js'
import { isNonexistent, lacks, readBitmap, speaksForNamesBelow } from './bitmap.js'
import type { TypeBitmap } from './bitmap.js'
import { compareNames } from './canonical.js'

export type Nsec = {
  readonly owner: WireName
  readonly next: WireName
  readonly types: TypeBitmap
  /** The RRset it was read from. */
  readonly rrset: RRset
}

/** What the records say about a name and a type. */
export type Denial =
  /** The name does not exist, and no wildcard matches it. */
  | { readonly kind: 'nxdomain'; readonly used: readonly RRset[] }
  /** The name exists, or a wildcard matches it, without the type. */
  | {
      readonly kind: 'nodata'
      readonly used: readonly RRset[]
      /** The types at the name itself; undefined if it has no records. */
      readonly types: TypeBitmap | undefined
    }
  /** It cannot be known from here: opt-out, or too many iterations. */
  | { readonly kind: 'insecure'; readonly used: readonly RRset[]; readonly detail: string }
  | { readonly kind: 'nothing'; readonly detail: string }

/** Undefined unless it is one well-formed record inside its zone. */
export function readNsec(rrset: RRset, zone: WireName): Nsec | undefined {
  const [rdata, second] = rrset.rdatas
  if (rdata === undefined || second !== undefined) return undefined
  const end = nameEnd(rdata)
  if (end === undefined) return undefined
  const next = wireNameFromOctets(rdata.subarray(0, end))
  const types = readBitmap(rdata.subarray(end))
  if (next === undefined || types === undefined) return undefined
  // A next name outside would cover names of other zones.
  if (!isWithin(rrset.owner, zone) || !isWithin(next, zone)) return undefined
  // RFC 4034 §4.1.1: only the last one leads back, and to the apex.
  if (compareNames(next, rrset.owner) <= 0 && next !== zone) return undefined
  return { owner: rrset.owner, next, types, rrset }
}

/** @param name at or below `zone` */
export function deniedByNsec(
  nsecs: readonly Nsec[],
  zone: WireName,
  name: WireName,
  type: number,
): Denial {
  const match = nsecs.find(({ owner }) => owner === name)
  if (match !== undefined) return atName(match, name, type)

  const cover = nsecs.find((nsec) => covers(nsec, name))
  if (cover === undefined) return nothing('no NSEC covers the name')
  // RFC 4592 §2.2.2: a name with names below it exists, without records.
  if (isWithin(cover.next, name)) {
    return { kind: 'nodata', used: [cover.rrset], types: undefined }
  }
  const encloser = enclosedBy(cover, name)
  const wildcard = isWithin(encloser, zone) ? wildcardOf(encloser) : undefined
  if (wildcard === undefined) return nothing('the NSEC has no closest encloser in its zone')
  return atWildcard(nsecs, cover, wildcard, type)
}

/** RFC 4035 §5.4: the type is absent at a name that exists. */
function atName(match: Nsec, name: WireName, type: number): Denial {
  if (!lacks(match.types, type, name === ROOT)) {
    return nothing('the NSEC at the name does not deny the type')
  }
  const used = [match.rrset]
  if (isNonexistent(match.types)) return { kind: 'nxdomain', used }
  return { kind: 'nodata', used, types: match.types }
}

/** RFC 4035 §3.1.3.2, §3.1.3.4: the name does not exist; does a wildcard match it? */
function atWildcard(nsecs: readonly Nsec[], cover: Nsec, wildcard: WireName, type: number): Denial {
  const match = nsecs.find(({ owner }) => owner === wildcard)
  if (match !== undefined) {
    if (!lacks(match.types, type, false)) {
      return nothing('the NSEC at the wildcard does not deny the type')
    }
    return { kind: 'nodata', used: [cover.rrset, match.rrset], types: undefined }
  }
  const second = nsecs.find((nsec) => covers(nsec, wildcard))
  if (second === undefined) return nothing('no NSEC covers the wildcard')
  const used = [cover.rrset, second.rrset]
  // The wildcard has names below it: it exists, without records.
  if (isWithin(second.next, wildcard)) return { kind: 'nodata', used, types: undefined }
  return { kind: 'nxdomain', used }
}

/**
 * For a positive answer from the wildcard of `encloser`: the name itself does not exist,
 * and nothing closer than the encloser does (RFC 4035 §5.3.4, RFC 4592 §3.3.1).
 */
export function nsecOfExpansion(
  nsecs: readonly Nsec[],
  name: WireName,
  encloser: WireName,
): RRset | undefined {
  return nsecs.find(
    (nsec) =>
      covers(nsec, name) && !isWithin(nsec.next, name) && enclosedBy(nsec, name) === encloser,
  )?.rrset
}

/** Whether the name lies strictly between owner and next (RFC 4034 §6.1), and may be denied here. */
function covers({ owner, next, types }: Nsec, name: WireName): boolean {
  if (compareNames(owner, name) >= 0) return false
  // The last NSEC leads back to the apex; `readNsec` has seen to that.
  const isLast = compareNames(next, owner) <= 0
  if (!isLast && compareNames(name, next) >= 0) return false
  return !isWithin(name, owner) || speaksForNamesBelow(types)
}

/** The closest encloser that an NSEC shows for a name it covers (RFC 4592 §3.3.1). */
function enclosedBy({ owner, next }: Nsec, name: WireName): WireName {
  const one = commonAncestor(owner, name)
  const other = commonAncestor(next, name)
  return labelCount(one) > labelCount(other) ? one : other
}

function commonAncestor(a: WireName, b: WireName): WireName {
  let name: WireName = a
  while (!isWithin(b, name)) name = parentOf(name) ?? ROOT
  return name
}

/** Where the name at the start of RDATA ends; it is not compressed (RFC 4034 §4.1.1). */
function nameEnd(rdata: Buffer): number | undefined {
  let at = 0
  for (;;) {
    const length = rdata[at]
    if (length === undefined || length > 63) return undefined
    at += 1 + length
    if (length === 0) return at
  }
}

function nothing(detail: string): Denial {
  return { kind: 'nothing', detail }
}

/** Whether a DS question at the name found a delegation without one (RFC 4035 §5.2). */
export function isInsecureCut(types: TypeBitmap | undefined): boolean {
  return types?.has(RR_TYPE.NS) ?? false
}
