/**
 * Where does one DER element begin and end inside bytes that anyone may have sent?
 *
 * Just enough of X.690 to cut a certificate into its parts without re-encoding
 * them, since TLSA digests are over the octets as sent (RFC 6698 §2.1.2). Strict:
 * definite lengths in their shortest form, single-octet tags, nothing outside the
 * given range. `isDer` asks the same of everything inside. Pure; reads each octet at
 * most once per call.
 */

/** One element: `bytes[start, end)`, its content `bytes[contentStart, end)`. */
export type DerElement = {
  readonly tag: number
  readonly start: number
  readonly contentStart: number
  readonly end: number
}

/** X.690 identifier octets used here. */
export const TAG = {
  integer: 0x02,
  bitString: 0x03,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  context0: 0xa0,
} as const

/** The element that starts at `start` and ends at or before `limit`; undefined if there is none. */
export function readElement(bytes: Buffer, start: number, limit: number): DerElement | undefined {
  const tag = bytes[start]
  const first = bytes[start + 1]
  if (tag === undefined || first === undefined || start + 2 > limit) return undefined
  if ((tag & 0x1f) === 0x1f) return undefined // tags of several octets: none in a certificate's frame
  if (first < 0x80) return within(tag, start, start + 2, first, limit)
  const octets = first & 0x7f
  // 0x80 is BER's indefinite form; four octets already exceed any message this project accepts.
  if (octets === 0 || octets > 4 || start + 2 + octets > limit) return undefined
  const length = bytes.readUIntBE(start + 2, octets)
  const shortest = length >= 0x80 && bytes[start + 2] !== 0
  return shortest ? within(tag, start, start + 2 + octets, length, limit) : undefined
}

/** The only element of `bytes`: it fills them to the last octet. */
export function readWhole(bytes: Buffer): DerElement | undefined {
  const element = readElement(bytes, 0, bytes.length)
  return element?.end === bytes.length ? element : undefined
}

/** The elements directly inside `parent`; undefined unless they fill it exactly and are at most `most`. */
export function readChildren(
  bytes: Buffer,
  parent: DerElement,
  most: number,
): readonly DerElement[] | undefined {
  const children: DerElement[] = []
  let at = parent.contentStart
  while (at < parent.end) {
    const child = readElement(bytes, at, parent.end)
    if (child === undefined || children.length === most) return undefined
    children.push(child)
    at = child.end
  }
  return children
}

/**
 * Whether `bytes` are one element in DER, and all that is in it too: what BER allows
 * besides (indefinite and long lengths, strings in pieces, something behind the end)
 * is where two parsers read two things. Types and values are not looked at.
 */
export function isDer(bytes: Buffer): boolean {
  const whole = readWhole(bytes)
  return whole !== undefined && isDerBelow(bytes, whole, MAX_DEPTH)
}

function isDerBelow(bytes: Buffer, element: DerElement, depth: number): boolean {
  const isConstructed = (element.tag & 0x20) !== 0
  if (element.tag < 0x40) {
    // X.690 §10.2: of the universal types, strings included, only these two have parts.
    const number = element.tag & 0x1f
    if (number === 0 || isConstructed !== (number === 0x10 || number === 0x11)) return false
  }
  if (!isConstructed) return true
  if (depth === 0) return false
  const children = readChildren(bytes, element, bytes.length)
  return children?.every((child) => isDerBelow(bytes, child, depth - 1)) ?? false
}

/** Elements inside each other; certificates have about ten. */
const MAX_DEPTH = 32

function within(
  tag: number,
  start: number,
  contentStart: number,
  length: number,
  limit: number,
): DerElement | undefined {
  const end = contentStart + length
  return end <= limit ? { tag, start, contentStart, end } : undefined
}
