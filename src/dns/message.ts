/**
 * Parses a DNS reply.
 *
 * frame.ts checks the bounds; dns-packet decodes, one record at a time, from a buffer
 * that ends where the record ends, and has to consume all of it. Records of other types
 * and classes are never decoded, so their contents cannot do harm or hide an answer
 * (RFC 4035 §4.9: RRSIG and NSEC are ignored).
 *
 * A malformed record of a type that matters makes the whole message malformed:
 * never "no records". Pure.
 */
import packet from 'dns-packet'
import type { ExtendedError } from '../extended-error.js'
import type { DnsRecord, Exchange, RecordType } from '../lookup.js'
import { nameFromWire } from '../name.js'
import type { DomainName } from '../name.js'
import { printable } from '../text.js'
import { readCharacterStrings } from '../character-strings.js'
import { readFrame, readName } from './frame.js'
import type { Frame, FrameRecord } from './frame.js'

export type ResourceRecord<T extends RecordType = RecordType> = {
  readonly owner: DomainName
  /** Seconds: 0 to 2^31-1. */
  readonly ttl: number
  readonly record: DnsRecord<T>
}

export type Soa = {
  /** Undefined: the root, or a name that cannot be held. */
  readonly owner: DomainName | undefined
  readonly isRoot: boolean
  /** Seconds that absence below the owner may be cached: 0 to 2^31-1. */
  readonly negativeTtl: number
}

/** Milliseconds since the epoch (RFC 4034 §3.1.5). */
export type SignatureTimes = { readonly from: number; readonly until: number }

export type Message = {
  readonly kind: 'message'
  readonly truncated: boolean
  readonly recursionAvailable: boolean
  readonly authenticData: boolean
  /** All twelve bits (RFC 6891 §6.1.3). */
  readonly rcode: number
  /** Of the answer section: the types of `RecordType`, class IN, owners that are `DomainName`s. */
  readonly answers: readonly ResourceRecord[]
  /** SOA records of the authority section, for negative answers (RFC 2308 §5). */
  readonly soas: readonly Soa[]
  /** The authority section has NS records (RFC 2308 §2.2). */
  readonly hasNs: boolean
  /**
   * Types of records in the answer and authority sections, whatever their owner and
   * class, and types that an RRSIG there covers: what is here is not absent.
   */
  readonly present: ReadonlySet<number>
  /** Of the first RRSIG over a SOA in the answer section. For people: it is not verified. */
  readonly soaSignature: SignatureTimes | undefined
  readonly extendedErrors: readonly ExtendedError[]
  /** Some extended error says that this is a stale answer (RFC 8914 §4.4, §4.20). */
  readonly isStale: boolean
}

/** Undefined for a malformed message. Never throws. */
export function parseMessage(bytes: Buffer): Message | undefined {
  const frame = readFrame(bytes)
  if (!frame?.question.isText) return undefined
  try {
    return fromFrame(bytes, frame)
  } catch {
    return undefined // dns-packet could not decode a record
  }
}

function fromFrame(bytes: Buffer, frame: Frame): Message | undefined {
  const answers: ResourceRecord[] = []
  const soas: Soa[] = []
  const present = new Set<number>()
  let hasNs = false
  let soaSignature: SignatureTimes | undefined
  let opt: FrameRecord | undefined
  for (const record of frame.records) {
    if (record.section === 'additional') {
      if (record.type !== TYPE_OPT) continue
      if (opt !== undefined) return undefined // RFC 6891 §6.1.1: more than one is an error
      opt = record
      continue
    }
    present.add(record.type === TYPE_RRSIG ? coveredType(bytes, record) : record.type)
    if (record.class !== CLASS_IN) continue
    if (record.section === 'authority') {
      hasNs ||= record.type === TYPE_NS
      if (record.type !== TYPE_SOA) continue
      const soa = readSoa(bytes, record)
      if (soa === undefined) return undefined
      soas.push(soa)
    } else if (record.type === TYPE_RRSIG) {
      soaSignature ??= readSoaSignature(bytes, record)
    } else if (ANSWER_TYPES.has(record.type)) {
      if (answers.length === MAX_ANSWERS) return undefined
      const data = decode(bytes, record)
      if (data === undefined) return undefined
      const owner = ownerOf(bytes, record)
      if (owner !== undefined) answers.push({ owner, ttl: saneTtl(record.ttl), record: data })
    }
  }
  const edns = opt ? readOpt(bytes, opt) : NO_EDNS
  if (edns === undefined) return undefined
  return {
    kind: 'message',
    truncated: frame.truncated,
    recursionAvailable: frame.recursionAvailable,
    authenticData: frame.authenticData,
    rcode: edns.extendedRcode * 16 + frame.rcode,
    answers,
    soas,
    hasNs,
    present,
    soaSignature,
    extendedErrors: edns.extendedErrors,
    isStale: edns.isStale,
  }
}

/** RFC 4034 §3.1.1: the first two octets; an RRSIG without them covers nothing. */
function coveredType(bytes: Buffer, { dataStart, end }: FrameRecord): number {
  return end - dataStart >= 2 ? bytes.readUInt16BE(dataStart) : TYPE_RRSIG
}

/** RFC 4034 §3.1: expiration and inception follow eight octets after the type covered; seconds, until 2106. */
function readSoaSignature(bytes: Buffer, record: FrameRecord): SignatureTimes | undefined {
  const { dataStart, end } = record
  if (end - dataStart < 18 || coveredType(bytes, record) !== TYPE_SOA) return undefined
  return {
    from: bytes.readUInt32BE(dataStart + 12) * 1000,
    until: bytes.readUInt32BE(dataStart + 8) * 1000,
  }
}

/** RDATA of the types that matter, checked to the last octet; undefined if malformed. */
function decode(bytes: Buffer, frame: FrameRecord): DnsRecord | undefined {
  const { dataStart, end } = frame
  const length = end - dataStart
  switch (frame.type) {
    case TYPE.A:
    case TYPE.AAAA: {
      if (length !== (frame.type === TYPE.A ? 4 : 16)) return undefined
      const rr = decodeWhole(bytes, frame)
      if (rr?.type === 'A') return { type: 'A', address: rr.data }
      return rr?.type === 'AAAA' ? { type: 'AAAA', address: rr.data } : undefined
    }
    case TYPE.MX: {
      const name = length > 2 ? readName(bytes, dataStart + 2, end) : undefined
      if (name?.end !== end) return undefined
      const rr = decodeWhole(bytes, frame)
      if (rr?.type !== 'MX') return undefined
      const { preference = 0, exchange } = rr.data
      return { type: 'MX', preference, exchange: toExchange(exchange, name.isText) }
    }
    case TYPE.CNAME: {
      const name = readName(bytes, dataStart, end)
      if (name?.end !== end || !name.isText) return undefined
      const rr = decodeWhole(bytes, frame)
      const target = rr?.type === 'CNAME' ? nameFromWire(rr.data) : undefined
      return target && { type: 'CNAME', target }
    }
    case TYPE.DNAME: {
      const name = readName(bytes, dataStart, end)
      if (name?.end !== end || !name.isText) return undefined
      const rr = decodeWhole(bytes, frame)
      if (rr?.type !== 'DNAME') return undefined
      const target = rr.data === '.' ? rr.data : nameFromWire(rr.data)
      return target && { type: 'DNAME', target }
    }
    case TYPE.TLSA:
      // As published, even if too short: that makes the record unusable, not the message.
      return { type: 'TLSA', rdata: Buffer.from(bytes.subarray(dataStart, end)) }
    case TYPE.TXT:
      return { type: 'TXT', text: readCharacterStrings(bytes.subarray(dataStart, end)) }
    default:
      throw new Error(`no decoder for record type ${frame.type}`)
  }
}

function toExchange(text: string, isText: boolean): Exchange {
  if (text === '.') return { kind: 'root' }
  const name = isText ? nameFromWire(text) : undefined
  return name ? { kind: 'host', name } : { kind: 'unusable' }
}

/** Decodes one record with dns-packet, which has to consume exactly its octets. */
function decodeWhole(bytes: Buffer, { start, end }: FrameRecord): packet.Answer | undefined {
  const rr = packet.answer.decode(bytes.subarray(0, end), start)
  return packet.answer.decode.bytes === end - start ? rr : undefined
}

function ownerOf(bytes: Buffer, { start }: FrameRecord): DomainName | undefined {
  return readName(bytes, start)?.isText ? nameFromWire(packet.name.decode(bytes, start)) : undefined
}

function readSoa(bytes: Buffer, record: FrameRecord): Soa | undefined {
  const { start, dataStart, end, ttl } = record
  const mname = readName(bytes, dataStart, end)
  const rname = mname && readName(bytes, mname.end, end)
  // RFC 1035 §3.3.13: five 32-bit numbers after the two names, MINIMUM the last.
  if (rname?.end !== end - 20) return undefined
  // RFC 2308 §5: the SOA's own TTL bounds its MINIMUM.
  const negativeTtl = Math.min(saneTtl(bytes.readUInt32BE(end - 4)), saneTtl(ttl))
  return { owner: ownerOf(bytes, record), isRoot: bytes[start] === 0, negativeTtl }
}

export type Edns = Pick<Message, 'extendedErrors' | 'isStale'> & { readonly extendedRcode: number }

export const NO_EDNS: Edns = { extendedRcode: 0, extendedErrors: [], isStale: false }

/** RFC 6891 §6.1.2, §6.1.3, and the extended errors among the options (RFC 8914 §2). */
export function readOpt(bytes: Buffer, { dataStart, end }: FrameRecord): Edns | undefined {
  const extendedErrors: ExtendedError[] = []
  let isStale = false
  // The TTL field of OPT is six octets before its RDATA; its first octet is the upper RCODE.
  const extendedRcode = bytes[dataStart - 6] ?? 0
  let at = dataStart
  while (at < end) {
    if (at + 4 > end) return undefined
    const code = bytes.readUInt16BE(at)
    const length = bytes.readUInt16BE(at + 2)
    const data = bytes.subarray(at + 4, at + 4 + length)
    if (at + 4 + length > end) return undefined
    if (code === OPTION_EDE && length >= 2) isStale ||= STALE.has(data.readUInt16BE(0))
    if (code === OPTION_EDE && length >= 2 && extendedErrors.length < MAX_EXTENDED_ERRORS) {
      const text = data.toString('utf8', 2).replace(/\0+$/, '')
      extendedErrors.push({ code: data.readUInt16BE(0), text: printable(text) })
    }
    at += 4 + length
  }
  return { extendedRcode, extendedErrors, isStale }
}

/** RFC 2181 §8: a TTL with the top bit set counts as zero. */
export function saneTtl(ttl: number): number {
  return ttl < 0x80000000 ? ttl : 0
}

/** Records parsed of one answer section: more than mail ever needs, few enough to be cheap. */
const MAX_ANSWERS = 512

/** IANA DNS parameters. */
export const TYPE = {
  A: 1,
  CNAME: 5,
  MX: 15,
  TXT: 16,
  AAAA: 28,
  DNAME: 39,
  TLSA: 52,
} as const satisfies Record<RecordType, number>
const ANSWER_TYPES: ReadonlySet<number> = new Set(Object.values(TYPE))
const TYPE_NS = 2
const TYPE_SOA = 6
export const TYPE_OPT = 41
const TYPE_RRSIG = 46
export const CLASS_IN = 1
const OPTION_EDE = 15
/** Stale Answer, and Stale NXDOMAIN Answer. */
const STALE: ReadonlySet<number> = new Set([3, 19])
/** More than any resolver sends; further ones are ignored. */
const MAX_EXTENDED_ERRORS = 4
