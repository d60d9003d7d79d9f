/**
 * Parses a distinguished name.
 *
 * Name (RFC 5280 §4.1.2.4) in a form that can be compared: letter case, white space and
 * string types are removed (§7.1). Names that OpenSSL considers equal are equal here, so
 * names that differ here need not be compared by OpenSSL. Expects DER; takes linear time.
 * Pure; throws for anything that is not a Name.
 */
import { contentOf, octetsOf, readChildren, readOid, readSequence, TAG } from '../x509/der.js'
import type { DerElement } from '../x509/der.js'

/** Relative distinguished names from the root down. */
export type DirectoryName = readonly string[]

export type Named = {
  readonly rdns: DirectoryName
  readonly commonNames: readonly string[]
  readonly emailAddresses: readonly string[]
  /** For messages, before `printable`: only the beginning if it is long. */
  readonly text: string
}

/** @param bytes a Name in DER */
export function readDirectoryName(bytes: Buffer): Named {
  const rdns: string[] = []
  const commonNames: string[] = []
  const emailAddresses: string[] = []
  let text = ''
  for (const rdn of readSequence(bytes) ?? unreadable()) {
    const attributes = rdn.tag === TAG.set ? readChildren(bytes, rdn, bytes.length) : undefined
    const parts: string[] = []
    const shown: string[] = []
    for (const attribute of attributes ?? unreadable()) {
      const { type, value } = readAttribute(bytes, attribute)
      const decoded = decode(bytes, value)
      const id = SHORT.get(type) ?? type
      if (id === 'CN' && decoded !== undefined) commonNames.push(decoded)
      if (id === 'E') emailAddresses.push(decoded ?? contentOf(bytes, value).toString('latin1'))
      const comparable = decoded ?? octetsOf(bytes, value).toString('hex')
      parts.push(`${id}=${comparable.trim().replace(/\s+/g, ' ').toLowerCase()}`)
      if (text.length < MAX_TEXT) {
        shown.push(`${id}=${decoded ?? octetsOf(bytes, value).toString('hex', 0, MAX_TEXT)}`)
      }
    }
    rdns.push(parts.sort().join('+'))
    if (shown.length > 0) text += `${text === '' ? '' : ', '}${shown.join('+')}`
  }
  return { rdns, commonNames, emailAddresses, text }
}

function readAttribute(
  bytes: Buffer,
  attribute: DerElement,
): { readonly type: string; readonly value: DerElement } {
  const parts = attribute.tag === TAG.sequence ? readChildren(bytes, attribute, 2) : undefined
  const type = readOid(bytes, parts?.[0])
  const value = parts?.[1]
  return type === undefined || value === undefined ? unreadable() : { type, value }
}

/** Undefined for string types not used for host names or titles. */
function decode(bytes: Buffer, value: DerElement): string | undefined {
  const content = contentOf(bytes, value)
  switch (value.tag) {
    case 0x0c: // UTF8String
      return content.toString('utf8')
    case 0x13: // PrintableString
    case 0x14: // TeletexString, which OpenSSL reads as Latin-1
    case 0x16: // IA5String
    case 0x1a: // VisibleString
      return content.toString('latin1')
    case 0x1c: // UniversalString
      return wide(content, 4)
    case 0x1e: // BMPString
      return wide(content, 2)
    default:
      return undefined
  }
}

/** UTF-32 or UTF-16, big-endian. */
function wide(content: Buffer, octets: 2 | 4): string | undefined {
  if (content.length % octets !== 0) return undefined
  const points: string[] = []
  for (let at = 0; at < content.length; at += octets) {
    const point = content.readUIntBE(at, octets)
    points.push(point > 0x10ffff ? '\ufffd' : String.fromCodePoint(point))
  }
  return points.join('')
}

function unreadable(): never {
  throw new Error('malformed distinguished name')
}

/** RFC 4514 §3, and the email address of PKCS #9. */
const SHORT: ReadonlyMap<string, string> = new Map([
  ['2.5.4.3', 'CN'],
  ['2.5.4.6', 'C'],
  ['2.5.4.7', 'L'],
  ['2.5.4.8', 'ST'],
  ['2.5.4.10', 'O'],
  ['2.5.4.11', 'OU'],
  ['0.9.2342.19200300.100.1.25', 'DC'],
  ['1.2.840.113549.1.9.1', 'E'],
])

/** Enough for any message. */
const MAX_TEXT = 200
