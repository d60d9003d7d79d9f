/**
 * Finds where DER elements begin and end in untrusted bytes.
 *
 * Implements as much of X.690 as is needed to split a certificate into its fields without
 * re-encoding them, since TLSA digests are computed over the bytes as sent (RFC 6698
 * §2.1.2). Strict: definite lengths in their shortest form, single-octet tags, nothing
 * outside the given range. `isDer` checks all nested elements as well. Pure; reads each
 * octet at most once per call.
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
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  oid: 0x06,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
  context0: 0xa0,
  context1: 0xa1,
  context3: 0xa3,
} as const

/** The element that starts at `start` and ends at or before `limit`; undefined if there is none. */
export function readElement(bytes: Buffer, start: number, limit: number): DerElement | undefined {
  const tag = bytes[start]
  const first = bytes[start + 1]
  if (tag === undefined || first === undefined || start + 2 > limit) return undefined
  if ((tag & 0x1f) === 0x1f) return undefined // multi-octet tags do not occur in a certificate's structure
  if (first < 0x80) return within(tag, start, start + 2, first, limit)
  const octets = first & 0x7f
  // 0x80 is BER's indefinite form; four octets already exceed any message this project accepts.
  if (octets === 0 || octets > 4 || start + 2 + octets > limit) return undefined
  const length = bytes.readUIntBE(start + 2, octets)
  const shortest = length >= 0x80 && bytes[start + 2] !== 0
  return shortest ? within(tag, start, start + 2 + octets, length, limit) : undefined
}

/** The only element of `bytes`, without anything after it. */
export function readWhole(bytes: Buffer): DerElement | undefined {
  const element = readElement(bytes, 0, bytes.length)
  return element?.end === bytes.length ? element : undefined
}

/**
 * The elements of a SEQUENCE that fills `bytes`; undefined for anything else, or if there
 * are more than `most`.
 */
export function readSequence(
  bytes: Buffer,
  most = bytes.length,
): readonly DerElement[] | undefined {
  const whole = readWhole(bytes)
  return whole?.tag === TAG.sequence ? readChildren(bytes, whole, most) : undefined
}

/** The octets of an element, including its header. */
export function octetsOf(bytes: Buffer, { start, end }: DerElement): Buffer {
  return bytes.subarray(start, end)
}

/** The content of an element. */
export function contentOf(bytes: Buffer, { contentStart, end }: DerElement): Buffer {
  return bytes.subarray(contentStart, end)
}

/**
 * An OBJECT IDENTIFIER in dotted form; undefined if X.690 §8.19 does not allow it. One that
 * is too long is returned as `0x...`, which equals no known identifier.
 */
export function readOid(bytes: Buffer, element: DerElement | undefined): string | undefined {
  if (element?.tag !== TAG.oid) return undefined
  const content = contentOf(bytes, element)
  if (content.length === 0 || ((content.at(-1) ?? 0) & 0x80) !== 0) return undefined
  if (content.length > MAX_OID) return `0x${content.toString('hex', 0, MAX_OID)}...`
  const arcs: number[] = []
  let arc = 0
  for (const octet of content) {
    if (arc === 0 && octet === 0x80) return undefined
    arc = arc * 0x80 + (octet & 0x7f)
    if (arc > Number.MAX_SAFE_INTEGER / 0x80) return `0x${content.toString('hex')}`
    if (octet >= 0x80) continue
    if (arcs.length === 0) {
      const top = Math.min(2, Math.floor(arc / 40))
      arcs.push(top, arc - top * 40)
    } else arcs.push(arc)
    arc = 0
  }
  return arcs.join('.')
}

/**
 * The elements directly inside `parent`; undefined unless they fill it exactly and are at
 * most `most`.
 */
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
 * Whether `bytes` are one element in DER, including everything nested in it. Whatever BER
 * allows in addition (indefinite and long lengths, constructed strings, trailing data) can
 * be read differently by two parsers. Types and values are not checked.
 */
export function isDer(bytes: Buffer): boolean {
  const whole = readWhole(bytes)
  return whole !== undefined && isDerBelow(bytes, whole, MAX_DEPTH)
}

function isDerBelow(bytes: Buffer, element: DerElement, depth: number): boolean {
  const isConstructed = (element.tag & 0x20) !== 0
  if (element.tag < 0x40) {
    // X.690 §10.2: of the universal types, strings included, only these two are constructed.
    const number = element.tag & 0x1f
    if (number === 0 || isConstructed !== (number === 0x10 || number === 0x11)) return false
  }
  if (!isConstructed) return true
  if (depth === 0) return false
  const children = readChildren(bytes, element, bytes.length)
  return children?.every((child) => isDerBelow(bytes, child, depth - 1)) ?? false
}

/** Octets of an object identifier; in certificates they have about ten. */
const MAX_OID = 32
/** Nesting depth; certificates have about ten. */
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
