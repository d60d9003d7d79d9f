/**
 * The types at a name, as NSEC and NSEC3 list them (RFC 4034 §4.1.2, RFC 5155 §3.2.1).
 *
 * Read strictly: windows ascending, 1 to 32 octets each, nothing left over. Anything else
 * is undefined, and the record proves nothing. Pure; the octets are not copied.
 */
import { RR_TYPE } from '../signed-message.js'

export type TypeBitmap = { has(type: number): boolean }

export function readBitmap(octets: Buffer): TypeBitmap | undefined {
  const windows = new Map<number, Buffer>()
  let last = -1
  let at = 0
  while (at < octets.length) {
    const window = octets[at] ?? 0
    const length = octets[at + 1] ?? 0
    const end = at + 2 + length
    if (window <= last || length < 1 || length > MOST_OCTETS || end > octets.length) {
      return undefined
    }
    windows.set(window, octets.subarray(at + 2, end))
    last = window
    at = end
  }
  return {
    has: (type) => {
      const octet = windows.get(type >> 8)?.[(type & 0xff) >> 3] ?? 0
      return (octet & (0x80 >> (type & 7))) !== 0
    },
  }
}

/**
 * A delegation, seen from the parent: it speaks neither for names below it, nor for types
 * other than DS (RFC 6840 §4.1).
 */
export function isDelegation(types: TypeBitmap): boolean {
  return types.has(RR_TYPE.NS) && !types.has(RR_TYPE.SOA)
}

/** Whether the records of names below this one can be denied here (RFC 6840 §4.1, RFC 6672 §5.3.4.1). */
export function speaksForNamesBelow(types: TypeBitmap): boolean {
  return !isDelegation(types) && !types.has(RR_TYPE.DNAME)
}

/**
 * Whether the owner of the bitmap lacks the type (RFC 4035 §5.4; RFC 6840 §4.3, §4.4): no
 * such type and no alias, and the zone that says so is the one that the type belongs to.
 */
export function lacks(types: TypeBitmap, type: number, isRoot: boolean): boolean {
  if (types.has(type) || types.has(RR_TYPE.CNAME)) return false
  // The DS belongs to the parent, which has no SOA here; the root has no parent.
  if (type === RR_TYPE.DS) return isRoot || !types.has(RR_TYPE.SOA)
  return !isDelegation(types)
}

/** RFC 9824 §2.2: set at a name that does not exist. */
export function isNonexistent(types: TypeBitmap): boolean {
  return types.has(NXNAME)
}

const MOST_OCTETS = 32
const NXNAME = 128
