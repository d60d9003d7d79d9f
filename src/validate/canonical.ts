/**
 * Canonical order and form of names and records, and the octets that a signature covers.
 *
 * RFC 4034 §6.1 to §6.3 and §3.1.8.1, with the corrections of RFC 6840 §5.1. Names come as
 * `WireName`s, in lower case already; RDATA as a `RRset` has it, checked and uncompressed,
 * so that a name in it ends where its length octets say.
 *
 * Pure. A set of n records costs n log n comparisons.
 */
import { RR_TYPE } from '../signed-message.js'
import type { RRset, Rrsig } from '../signed-message.js'
import { parentOf, wildcardOf } from '../wire-name.js'
import type { WireName } from '../wire-name.js'

/**
 * Negative, 0 or positive as `a` comes before, is, or comes after `b` (RFC 4034 §6.1):
 * label by label from the right, as unsigned octets, where a missing octet comes first.
 */
export function compareNames(a: WireName, b: WireName): number {
  const left = labelsOf(a)
  const right = labelsOf(b)
  for (let depth = 1; depth <= Math.min(left.length, right.length); depth++) {
    const one = left[left.length - depth] ?? ''
    const other = right[right.length - depth] ?? ''
    // One character is one octet, so the strings have the order of the octets.
    if (one !== other) return one < other ? -1 : 1
  }
  return left.length - right.length
}

/** The labels without their length octets, the root's excepted. */
function labelsOf(name: WireName): readonly string[] {
  const labels: string[] = []
  for (let at = 0; name.charCodeAt(at) !== 0; at += 1 + name.charCodeAt(at)) {
    labels.push(name.slice(at + 1, at + 1 + name.charCodeAt(at)))
  }
  return labels
}

/**
 * The labels of an owner as an RRSIG counts them: without the root, and without a leading
 * `*` (RFC 4034 §3.1.3).
 */
export function signedLabelCount(owner: WireName): number {
  const labels = labelsOf(owner)
  return labels[0] === '*' ? labels.length - 1 : labels.length
}

/** The rightmost `count` labels; undefined if the name has fewer. */
export function rightmostLabels(name: WireName, count: number): WireName | undefined {
  let rest: WireName | undefined = name
  for (let left = labelsOf(name).length - count; left > 0 && rest; left--) rest = parentOf(rest)
  return labelsOf(name).length < count ? undefined : rest
}

/** RFC 4034 §6.2 with RFC 6840 §5.1: names in RDATA in lower case, for the types that say so. */
export function canonicalRdata(type: number, rdata: Buffer): Buffer {
  switch (type) {
    case RR_TYPE.NS:
    case RR_TYPE.CNAME:
    case RR_TYPE.DNAME:
      return lowered(rdata, 0, rdata.length)
    case RR_TYPE.MX:
      return lowered(rdata, PREFERENCE, rdata.length)
    case RR_TYPE.SOA:
      return lowered(rdata, 0, rdata.length - SOA_NUMBERS)
    default:
      return rdata // RFC 6840 §5.1: the next name of NSEC keeps its case
  }
}

/** Length octets are at most 63, so none of them is a letter. */
function lowered(rdata: Buffer, start: number, end: number): Buffer {
  const copy = Buffer.from(rdata)
  for (let i = start; i < end; i++) {
    const octet = copy[i] ?? 0
    if (octet >= UPPER_A && octet <= UPPER_Z) copy[i] = octet + 0x20
  }
  return copy
}

/** The RDATA of a set in canonical form and order, each once (RFC 4034 §6.3). */
export function canonicalOrder(type: number, rdatas: readonly Buffer[]): readonly Buffer[] {
  // compare() is the order of unsigned octets, a missing one first.
  const sorted = rdatas.map((rdata) => canonicalRdata(type, rdata)).sort((a, b) => a.compare(b))
  return sorted.filter((rdata, index) => index === 0 || !sorted[index - 1]?.equals(rdata))
}

/**
 * The owner that was signed: the wildcard if the RRSIG has fewer labels than the owner
 * (RFC 4035 §5.3.2). Undefined if it has more: then the RRSIG is invalid.
 */
export function signedOwner(owner: WireName, labels: number): WireName | undefined {
  const count = signedLabelCount(owner)
  if (labels === count) return owner
  const encloser = labels < count ? rightmostLabels(owner, labels) : undefined
  return encloser && wildcardOf(encloser)
}

/** What the signature covers (RFC 4034 §3.1.8.1), `owner` being the `signedOwner`. */
export function signedData(rrset: RRset, rrsig: Rrsig, owner: WireName): Buffer {
  const header = Buffer.alloc(RRSIG_FIXED)
  header.writeUInt16BE(rrsig.typeCovered, 0)
  header.writeUInt8(rrsig.algorithm, 2)
  header.writeUInt8(rrsig.labels, 3)
  header.writeUInt32BE(rrsig.originalTtl, 4)
  header.writeUInt32BE(rrsig.expiration, 8)
  header.writeUInt32BE(rrsig.inception, 12)
  header.writeUInt16BE(rrsig.keyTag, 16)
  const name = Buffer.from(owner, 'latin1')
  const parts: Buffer[] = [header, Buffer.from(rrsig.signer, 'latin1')]
  for (const rdata of canonicalRdatas(rrset)) {
    const fields = Buffer.alloc(10)
    fields.writeUInt16BE(rrset.type, 0)
    fields.writeUInt16BE(CLASS_IN, 2)
    fields.writeUInt32BE(rrsig.originalTtl, 4)
    fields.writeUInt16BE(rdata.length, 8)
    parts.push(name, fields, rdata)
  }
  return Buffer.concat(parts)
}

/** Sorted once, however many signatures there are over the set. */
function canonicalRdatas(rrset: RRset): readonly Buffer[] {
  const rdatas = sorted.get(rrset) ?? canonicalOrder(rrset.type, rrset.rdatas)
  sorted.set(rrset, rdatas)
  return rdatas
}

const sorted = new WeakMap<RRset, readonly Buffer[]>()

const CLASS_IN = 1
/** Octets before the signer's name (RFC 4034 §3.1). */
const RRSIG_FIXED = 18
/** Octets before the name in an MX record (RFC 1035 §3.3.9). */
const PREFERENCE = 2
/** Octets after the names in a SOA record (RFC 1035 §3.3.13). */
const SOA_NUMBERS = 20
const UPPER_A = 0x41
const UPPER_Z = 0x5a
