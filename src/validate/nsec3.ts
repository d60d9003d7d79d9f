/**
 * What NSEC3 records prove (RFC 5155 §8, RFC 9276).
 *
 * The records given here have been verified with the keys of one zone. They count only
 * with their owner directly below that zone, hashed with SHA-1, flags 0 or 1, and together
 * with records of the same salt and iterations (RFC 5155 §8.2). Opt-out over the next
 * closer name makes the result of a proof insecure (RFC 5155 §9.2), and completes none that
 * lacks something else. More iterations than RFC 9276 §3.2 lets validators refuse make it
 * insecure as well: their hashes are never computed.
 *
 * Pure, except for the budget: each name is hashed once per lookup and set of parameters.
 */
import { createHash } from 'node:crypto'
import { RR_TYPE } from '../signed-message.js'
import type { RRset } from '../signed-message.js'
import { isWithin, parentOf, ROOT, wildcardOf } from '../wire-name.js'
import type { WireName } from '../wire-name.js'
import { lacks, readBitmap, speaksForNamesBelow } from './bitmap.js'
import type { TypeBitmap } from './bitmap.js'
import type { Budget } from './budget.js'
import type { Denial } from './nsec.js'

export type Nsec3 = {
  /** The hashed owner and the next one, 20 octets as latin1: they compare as the octets do. */
  readonly hash: string
  readonly next: string
  readonly isOptOut: boolean
  readonly iterations: number
  readonly salt: Buffer
  readonly types: TypeBitmap
  /** The RRset it was read from. */
  readonly rrset: RRset
}

/** Undefined unless it is one well-formed record with known parameters, directly below its zone. */
export function readNsec3(rrset: RRset, zone: WireName): Nsec3 | undefined {
  const [rdata, second] = rrset.rdatas
  if (rdata === undefined || second !== undefined || rdata.length < 5) return undefined
  // RFC 5155 §3, §8.1, §8.2: the owner is the hash and the zone; SHA-1; no flag but opt-out.
  if (parentOf(rrset.owner) !== zone) return undefined
  const hash = fromBase32Hex(rrset.owner.slice(1, 1 + rrset.owner.charCodeAt(0)))
  const flags = rdata[1] ?? 0
  if (hash === undefined || rdata[0] !== SHA1 || (flags & ~OPT_OUT) !== 0) return undefined
  const saltEnd = 5 + (rdata[4] ?? 0)
  const nextEnd = saltEnd + 1 + HASH_OCTETS
  if (rdata[saltEnd] !== HASH_OCTETS || nextEnd > rdata.length) return undefined
  const types = readBitmap(rdata.subarray(nextEnd))
  if (types === undefined) return undefined
  return {
    hash,
    next: rdata.toString('latin1', saltEnd + 1, nextEnd),
    isOptOut: (flags & OPT_OUT) !== 0,
    iterations: rdata.readUInt16BE(2),
    salt: rdata.subarray(5, saltEnd),
    types,
    rrset,
  }
}

/** Hashes of names, kept for one lookup. */
export type Hashes = Map<string, string>

/** Records with the same parameters, and what is needed to hash with these. */
export type HashedZone = {
  readonly zone: WireName
  readonly records: readonly Nsec3[]
  readonly hashes: Hashes
  readonly budget: Budget
}

/** Records by parameters, since no proof may combine several (RFC 5155 §8.2). */
export function byParameters(records: readonly Nsec3[]): readonly (readonly Nsec3[])[] {
  const groups = new Map<string, Nsec3[]>()
  for (const record of records) {
    const key = parametersOf(record)
    groups.set(key, [...(groups.get(key) ?? []), record])
  }
  return [...groups.values()]
}

/** RFC 5155 §10.3, RFC 9276 §3.2: their proofs are not looked at. */
export function hasTooManyIterations(records: readonly Nsec3[]): boolean {
  return records.some(({ iterations }) => iterations > MOST_ITERATIONS)
}

/**
 * Undefined: the budget did not allow it, at all or in this turn.
 *
 * @param name at or below the zone
 * @param isNameError whether the reply says that the name does not exist; it can only make
 *   the proof that is asked for stricter
 */
export function deniedByNsec3(
  hashed: HashedZone,
  name: WireName,
  type: number,
  isNameError: boolean,
): Denial | undefined {
  const encloser = closestEncloser(hashed, name)
  if (encloser === undefined) return undefined
  switch (encloser.kind) {
    case 'none':
      return nothing('no NSEC3 matches the name or any above it')
    case 'itself':
      return atName(encloser.match, name, type)
    case 'above':
      return belowEncloser(hashed, encloser, type, isNameError)
  }
}

/** RFC 5155 §8.5, §8.6: the type is absent at a name that exists. */
function atName(match: Nsec3, name: WireName, type: number): Denial {
  if (!lacks(match.types, type, name === ROOT)) {
    return nothing('the NSEC3 at the name does not deny the type')
  }
  return { kind: 'nodata', used: [match.rrset], types: match.types }
}

/** RFC 5155 §8.4 to §8.7: the name does not exist; does a wildcard match it? */
function belowEncloser(
  hashed: HashedZone,
  encloser: Above,
  type: number,
  isNameError: boolean,
): Denial | undefined {
  const proven = nextCloserCovered(hashed, encloser)
  if (proven.kind === 'nothing') return proven
  const { used, isOptOut } = proven
  // RFC 5155 §8.6: an unsigned delegation may be there, whatever the wildcard.
  if (isOptOut && type === RR_TYPE.DS) return optedOut(used)
  const wildcard = wildcardOf(encloser.name)
  if (wildcard === undefined) return isOptOut ? optedOut(used) : { kind: 'nxdomain', used }
  const hash = hashOf(hashed, wildcard)
  if (hash === undefined) return undefined
  const match = hashed.records.find((record) => record.hash === hash)
  if (match !== undefined && !lacks(match.types, type, false)) {
    return nothing('the NSEC3 at the wildcard does not deny the type')
  }
  const shown = match ?? hashed.records.find((record) => covers(record, hash))
  if (shown === undefined) {
    // RFC 5155 §8.5 with erratum 3441: an empty non-terminal above an unsigned delegation has
    // no record, so that NODATA needs none about the wildcard. A name error does (§8.4).
    return isOptOut && !isNameError ? optedOut(used) : nothing('no NSEC3 covers the wildcard')
  }
  const all = [...used, shown.rrset]
  if (isOptOut) return optedOut(all)
  return match === undefined
    ? { kind: 'nxdomain', used: all }
    : { kind: 'nodata', used: all, types: undefined }
}

/** RFC 5155 §9.2: an unsigned delegation may be there instead. */
function optedOut(used: readonly RRset[]): Denial {
  return { kind: 'insecure', used, detail: OPTED_OUT }
}

type Expansion =
  | { readonly kind: 'covered'; readonly used: readonly RRset[]; readonly isOptOut: boolean }
  | { readonly kind: 'nothing'; readonly detail: string }

/**
 * For a positive answer from the wildcard of `encloser`: the next closer name does not
 * exist (RFC 5155 §8.8). The signature shows that the encloser does.
 */
export function nsec3OfExpansion(
  hashed: HashedZone,
  name: WireName,
  encloser: WireName,
): Expansion | undefined {
  let nextCloser = name
  for (let up = parentOf(name); up !== undefined && up !== encloser; up = parentOf(up)) {
    nextCloser = up
  }
  const hash = hashOf(hashed, nextCloser)
  if (hash === undefined) return undefined
  return coverOf(hashed, hash, [])
}

type Above = {
  readonly kind: 'above'
  readonly name: WireName
  readonly match: Nsec3
  /** Of the next closer name. */
  readonly nextCloserHash: string
}

type Encloser =
  { readonly kind: 'none' } | { readonly kind: 'itself'; readonly match: Nsec3 } | Above

/** The closest name at or above with a matching record (RFC 5155 §8.3). */
function closestEncloser(hashed: HashedZone, name: WireName): Encloser | undefined {
  let below: string | undefined
  for (let at: WireName | undefined = name; at !== undefined; at = parentOf(at)) {
    const hash = hashOf(hashed, at)
    if (hash === undefined) return undefined
    const match = hashed.records.find((record) => record.hash === hash)
    if (match !== undefined) {
      if (below === undefined) return { kind: 'itself', match }
      return { kind: 'above', name: at, match, nextCloserHash: below }
    }
    if (at === hashed.zone) break
    below = hash
  }
  return { kind: 'none' }
}

function nextCloserCovered(hashed: HashedZone, encloser: Above): Expansion {
  // RFC 5155 §8.3: nothing below a delegation or a DNAME is denied by the zone above.
  if (!speaksForNamesBelow(encloser.match.types)) {
    return { kind: 'nothing', detail: 'the NSEC3 is of a delegation or a DNAME above the name' }
  }
  return coverOf(hashed, encloser.nextCloserHash, [encloser.match.rrset])
}

function coverOf({ records }: HashedZone, hash: string, used: readonly RRset[]): Expansion {
  const cover = records.find((record) => covers(record, hash))
  if (cover === undefined) {
    return { kind: 'nothing', detail: 'no NSEC3 covers the next closer name' }
  }
  return { kind: 'covered', used: [...used, cover.rrset], isOptOut: cover.isOptOut }
}

/** Whether the hash lies strictly between owner and next, the last record leading to the first. */
function covers({ hash: owner, next }: Nsec3, hash: string): boolean {
  if (next > owner) return owner < hash && hash < next
  return hash !== next && (hash > owner || hash < next)
}

/** RFC 5155 §5; undefined if the budget does not allow it, at all or in this turn. */
function hashOf({ zone, records, hashes, budget }: HashedZone, name: WireName): string | undefined {
  const [parameters] = records
  if (parameters === undefined || !isWithin(name, zone)) return undefined
  const key = `${parametersOf(parameters)} ${name}`
  const known = hashes.get(key)
  if (known !== undefined) return known
  const { iterations, salt } = parameters
  if (budget.isSliceSpent) return undefined
  if (!budget.take('hashes', MICROSECONDS * (1 + iterations))) return undefined
  let digest = Buffer.from(name, 'latin1')
  for (let left = iterations; left >= 0; left--) {
    digest = createHash('sha1').update(digest).update(salt).digest()
  }
  const hash = digest.toString('latin1')
  hashes.set(key, hash)
  return hash
}

function parametersOf({ iterations, salt }: Nsec3): string {
  return `${iterations} ${salt.toString('hex')}`
}

/** RFC 4648 §7 without padding: 32 characters are 20 octets. Names are in lower case. */
function fromBase32Hex(text: string): string | undefined {
  if (!/^[0-9a-v]{32}$/.test(text)) return undefined
  let octets = ''
  let bits = 0
  let value = 0
  for (const character of text) {
    value = ((value << 5) | Number.parseInt(character, 32)) & 0xfff
    bits += 5
    if (bits >= 8) {
      bits -= 8
      octets += String.fromCharCode((value >> bits) & 0xff)
    }
  }
  return octets
}

function nothing(detail: string): Denial {
  return { kind: 'nothing', detail }
}

/** RFC 5155 §11: SHA-1, the only one. */
const SHA1 = 1
const HASH_OCTETS = 20
/** RFC 5155 §3.1.2.1. */
const OPT_OUT = 1
/** RFC 9276 §3.2: validators may treat more as insecure; Unbound and BIND 9.18 have 150. */
const MOST_ITERATIONS = 150

/** One iteration on a busy machine. */
const MICROSECONDS = 4

const OPTED_OUT = 'NSEC3 opt-out covers it, so that an unsigned delegation may be there'
