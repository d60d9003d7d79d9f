/**
 * Parses the extensions of a certificate.
 *
 * The list (RFC 5280 §4.2), and the values of those that path validation uses: basic
 * constraints, key usage, extended key usage. Takes linear time. Pure; throws for values
 * that RFC 5280 does not allow.
 */
import { contentOf, readChildren, readOid, readSequence, readWhole, TAG } from '../x509/der.js'
import type { DerElement } from '../x509/der.js'

export type Extension = {
  /** Object identifier. */
  readonly type: string
  readonly critical: boolean
  readonly value: Buffer
}

/** @param bytes the content of field [3]; undefined if there is none */
export function readExtensions(bytes: Buffer | undefined): readonly Extension[] {
  if (bytes === undefined) return []
  return (readSequence(bytes) ?? unreadable('extensions')).map((element) => {
    const parts = element.tag === TAG.sequence ? readChildren(bytes, element, 3) : undefined
    const [id, second, third] = parts ?? []
    const type = readOid(bytes, id)
    const value = third ?? second
    if (type === undefined || value?.tag !== TAG.octetString) return unreadable('extension')
    const critical = third === undefined ? false : readBoolean(bytes, second)
    return { type, critical, value: contentOf(bytes, value) }
  })
}

export type BasicConstraints = {
  readonly ca: boolean
  readonly pathLength: number | undefined
}

/** RFC 5280 §4.2.1.9. */
export function readBasicConstraints(value: Buffer): BasicConstraints {
  const [...parts] = readSequence(value, 2) ?? unreadable('basic constraints')
  const ca = parts[0]?.tag === TAG.boolean && readBoolean(value, parts.shift())
  const length = parts.shift()
  if (parts.length > 0) unreadable('basic constraints')
  return { ca, pathLength: length && readPathLength(value, length) }
}

function readPathLength(bytes: Buffer, element: DerElement): number {
  const content = contentOf(bytes, element)
  const isNegative = ((content[0] ?? 0xff) & 0x80) !== 0
  if (element.tag !== TAG.integer || isNegative) unreadable('path length')
  // Longer than any path, so in effect unlimited.
  return content.length > 6 ? Number.MAX_SAFE_INTEGER : content.readUIntBE(0, content.length)
}

/** RFC 5280 §4.2.1.3: a bit set, digitalSignature the lowest bit. */
export function readKeyUsage(value: Buffer): number {
  const whole = readWhole(value)
  const [idle = 8, ...octets] =
    whole?.tag === TAG.bitString ? value.subarray(whole.contentStart) : []
  if (idle > 7 || octets.length === 0 || octets.length > 2) unreadable('key usage')
  const last = octets.length - 1
  let usages = 0
  for (const [index, octet] of octets.entries()) {
    for (let bit = 0; bit < 8; bit++) {
      const isIdle = index === last && bit >= 8 - idle
      if (!isIdle && (octet & (0x80 >> bit)) !== 0) usages |= 1 << (index * 8 + bit)
    }
  }
  return usages
}

/** RFC 5280 §4.2.1.3, as returned by `readKeyUsage`. */
export const USAGE_BIT = {
  digitalSignature: 1,
  keyEncipherment: 1 << 2,
  keyAgreement: 1 << 4,
  keyCertSign: 1 << 5,
} as const

/** RFC 5280 §4.2.1.12: object identifiers. */
export function readExtendedKeyUsage(value: Buffer): readonly string[] {
  return (readSequence(value) ?? unreadable('extended key usage')).map(
    (purpose) => readOid(value, purpose) ?? unreadable('extended key usage'),
  )
}

/** Any nonzero octet is true, as BER allows and OpenSSL accepts. */
function readBoolean(bytes: Buffer, element: DerElement | undefined): boolean {
  const content = element && contentOf(bytes, element)
  if (element?.tag !== TAG.boolean || content?.length !== 1) return unreadable('boolean')
  return content[0] !== 0
}

function unreadable(what: string): never {
  throw new Error(`malformed ${what}`)
}
