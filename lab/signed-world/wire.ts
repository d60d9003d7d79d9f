/**
 * Names, RDATA and DNSKEY records in wire format, for signing in the laboratory.
 *
 * Written apart from src/validate, so that a mistake there is not repeated here. Knows
 * only the types that the laboratory signs by itself.
 */
import { createHash } from 'node:crypto'
import { isIPv4 } from 'node:net'

export const TYPE_NUMBERS: Readonly<Record<string, number>> = {
  A: 1,
  NS: 2,
  CNAME: 5,
  SOA: 6,
  MX: 15,
  AAAA: 28,
  DNAME: 39,
  DS: 43,
  RRSIG: 46,
  NSEC: 47,
  DNSKEY: 48,
  NSEC3: 50,
  NSEC3PARAM: 51,
  TLSA: 52,
}

export function typeNumber(type: string): number {
  const number = TYPE_NUMBERS[type]
  if (number === undefined) throw new Error(`no number for ${type}`)
  return number
}

/** A name in lower case; a final dot is optional. Labels are as typed, without escapes. */
export function nameOctets(name: string): Buffer {
  const labels = name.toLowerCase().split('.').filter(Boolean)
  const parts = labels.map((label) =>
    Buffer.concat([Buffer.from([label.length]), Buffer.from(label, 'latin1')]),
  )
  return Buffer.concat([...parts, Buffer.from([0])])
}

export function rdataOctets(type: string, text: string): Buffer {
  const words = text.split(/\s+/)
  const [first = '', second = '', third = '', ...rest] = words
  switch (type) {
    case 'A':
      return Buffer.from(first.split('.').map(Number))
    case 'AAAA':
      return addressOctets(first)
    case 'CNAME':
    case 'NS':
    case 'DNAME':
      return nameOctets(first)
    case 'MX':
      return Buffer.concat([uint16(Number(first)), nameOctets(second)])
    case 'TLSA':
      return Buffer.concat([
        Buffer.from([Number(first), Number(second), Number(third)]),
        Buffer.from(rest.join(''), 'hex'),
      ])
    case 'DS':
      return Buffer.concat([
        uint16(Number(first)),
        Buffer.from([Number(second), Number(third)]),
        Buffer.from(rest.join(''), 'hex'),
      ])
    case 'DNSKEY':
      return Buffer.concat([
        uint16(Number(first)),
        Buffer.from([Number(second), Number(third)]),
        Buffer.from(rest.join(''), 'base64'),
      ])
    default:
      throw new Error(`no RDATA of ${type}`)
  }
}

function addressOctets(text: string): Buffer {
  if (isIPv4(text)) throw new Error(`no IPv6 address: ${text}`)
  const [head = '', tail] = text.split('::')
  const groups = (part: string): number[] =>
    part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16))
  const before = groups(head)
  const after = tail === undefined ? [] : groups(tail)
  const zeros = Array.from({ length: 8 - before.length - after.length }, () => 0)
  return Buffer.concat([...before, ...zeros, ...after].map(uint16))
}

export function uint16(value: number): Buffer {
  const octets = Buffer.alloc(2)
  octets.writeUInt16BE(value)
  return octets
}

export function uint32(value: number): Buffer {
  const octets = Buffer.alloc(4)
  octets.writeUInt32BE(value >>> 0)
  return octets
}

/** RFC 4034 Appendix B. */
export function keyTag(dnskey: Buffer): number {
  let sum = 0
  for (const [index, octet] of dnskey.entries()) sum += index % 2 === 0 ? octet << 8 : octet
  return (sum + (sum >>> 16)) & 0xffff
}

/** The RDATA of a DS record as text. RFC 4034 §5.1.4. */
export function dsText(owner: string, dnskey: Buffer, digestType: 1 | 2 | 4): string {
  const hash = ({ 1: 'sha1', 2: 'sha256', 4: 'sha384' } as const)[digestType]
  const digest = createHash(hash)
    .update(Buffer.concat([nameOctets(owner), dnskey]))
    .digest('hex')
  return `${keyTag(dnskey)} ${dnskey[3] ?? 0} ${digestType} ${digest}`
}
