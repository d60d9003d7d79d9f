/**
 * Reads a DNS reply into RRsets with their signatures, as DNSSEC validation needs them.
 *
 * frame.ts checks the bounds. Records are cut out octet by octet: names are uncompressed,
 * and RDATA of the types that matter has to be well formed to its last octet, so that
 * nothing after this can read past an end (CVE-2026-56416). Sets are gathered from answer
 * and authority: recursors may send them in any order (RFC 2181 §5, RFC 4035 §2.2).
 *
 * A malformed record of such a type makes the whole reply malformed: never "no records".
 * So does a reply with more than `MOST_RECORDS` or `MOST_SIGNATURES`. Pure.
 */
import { RR_TYPE } from '../signed-message.js'
import type { RRset, Rrsig, SignedReply } from '../signed-message.js'
import { wireNameFromOctets } from '../wire-name.js'
import type { WireName } from '../wire-name.js'
import { readFrame, readName } from './frame.js'
import type { FrameRecord } from './frame.js'
import { CLASS_IN, NO_EDNS, readOpt, saneTtl, TYPE_OPT } from './message.js'
import type { Edns } from './message.js'

/**
 * Undefined for a malformed message. Never throws.
 *
 * @param receivedAt milliseconds since the epoch
 */
export function readSignedReply(bytes: Buffer, receivedAt: number): SignedReply | undefined {
  // Before any record is walked: 64 kB of them take 30 ms.
  if (recordCount(bytes) > MOST_RECORDS) return undefined
  const frame = readFrame(bytes)
  if (frame === undefined) return undefined
  const edns = ednsOf(bytes, frame.records)
  const rrsets = readSets(
    bytes,
    frame.records.filter((record) => record.section !== 'additional' && record.class === CLASS_IN),
  )
  if (edns === undefined || rrsets === undefined) return undefined
  return {
    kind: 'reply',
    rcode: edns.extendedRcode * 16 + frame.rcode,
    rrsets,
    extendedErrors: edns.extendedErrors,
    isStale: edns.isStale,
    receivedAt,
  }
}

/** By the header, which readFrame checks. */
function recordCount(bytes: Buffer): number {
  if (bytes.length < 12) return 0
  return bytes.readUInt16BE(6) + bytes.readUInt16BE(8) + bytes.readUInt16BE(10)
}

function ednsOf(bytes: Buffer, records: readonly FrameRecord[]): Edns | undefined {
  const [opt, ...others] = records.filter(
    ({ section, type }) => section === 'additional' && type === TYPE_OPT,
  )
  if (others.length > 0) return undefined // RFC 6891 §6.1.1: more than one is an error
  return opt === undefined ? NO_EDNS : readOpt(bytes, opt)
}

type Gathered = { owner: WireName; type: number; ttl: number; rdatas: Buffer[]; rrsigs: Rrsig[] }

function readSets(bytes: Buffer, records: readonly FrameRecord[]): RRset[] | undefined {
  const sets = new Map<string, Gathered>()
  const signatures: { readonly owner: WireName; readonly rrsig: Rrsig }[] = []
  const seen = new Set<string>()
  let total = 0
  /** RFC 2181 §5.2, RFC 4034 §6.3: repeated records count once. */
  const isRepeated = (owner: WireName, type: number, rdata: Buffer): boolean => {
    const before = seen.size
    seen.add(`${setId(owner, type)} ${rdata.toString('latin1')}`)
    return seen.size === before
  }
  for (const record of records) {
    if (record.type !== RR_TYPE.RRSIG && !SET_TYPES.has(record.type)) continue
    const owner = ownerOf(bytes, record)
    if (owner === undefined) return undefined
    if (record.type === RR_TYPE.RRSIG) {
      const rrsig = total < MOST_SIGNATURES ? readRrsig(bytes, record) : undefined
      if (rrsig === undefined) return undefined
      total++
      const rdata = bytes.subarray(record.dataStart, record.end)
      if (!isRepeated(owner, record.type, rdata)) signatures.push({ owner, rrsig })
      continue
    }
    const rdata = readRdata(bytes, record)
    if (rdata === undefined) return undefined
    const id = setId(owner, record.type)
    const ttl = saneTtl(record.ttl)
    const set = sets.get(id) ?? { owner, type: record.type, ttl, rdatas: [], rrsigs: [] }
    set.ttl = Math.min(set.ttl, ttl)
    if (!isRepeated(owner, record.type, rdata)) set.rdatas.push(rdata)
    sets.set(id, set)
  }
  // A signature over records that are not here says nothing about them.
  for (const { owner, rrsig } of signatures) {
    sets.get(setId(owner, rrsig.typeCovered))?.rrsigs.push(rrsig)
  }
  return [...sets.values()].map(({ rrsigs, ...set }) => ({ ...set, signatures: rrsigs }))
}

function setId(owner: WireName, type: number): string {
  return `${type} ${owner}`
}

function ownerOf(bytes: Buffer, { start }: FrameRecord): WireName | undefined {
  const name = copyName(bytes, start, bytes.length)
  return name && wireNameFromOctets(name.octets)
}

/** RFC 4034 §3.1: 18 octets, the signer's name, the signature. */
function readRrsig(bytes: Buffer, { dataStart, end }: FrameRecord): Rrsig | undefined {
  const name = copyName(bytes, dataStart + RRSIG_FIXED, end)
  const signer = name && wireNameFromOctets(name.octets)
  if (name === undefined || signer === undefined) return undefined
  return {
    typeCovered: bytes.readUInt16BE(dataStart),
    algorithm: bytes.readUInt8(dataStart + 2),
    labels: bytes.readUInt8(dataStart + 3),
    originalTtl: bytes.readUInt32BE(dataStart + 4),
    expiration: bytes.readUInt32BE(dataStart + 8),
    inception: bytes.readUInt32BE(dataStart + 12),
    keyTag: bytes.readUInt16BE(dataStart + 16),
    signer,
    signature: Buffer.from(bytes.subarray(name.end, end)),
  }
}

/** RDATA with names uncompressed; undefined if it is malformed. */
function readRdata(bytes: Buffer, { type, dataStart, end }: FrameRecord): Buffer | undefined {
  const length = end - dataStart
  const asSent = () => Buffer.from(bytes.subarray(dataStart, end))
  switch (type) {
    case RR_TYPE.A:
      return length === 4 ? asSent() : undefined
    case RR_TYPE.AAAA:
      return length === 16 ? asSent() : undefined
    case RR_TYPE.NS:
    case RR_TYPE.CNAME:
    case RR_TYPE.DNAME:
      return withNames(bytes, { dataStart, end, before: 0, names: 1, after: 0 })
    case RR_TYPE.MX:
      return withNames(bytes, { dataStart, end, before: 2, names: 1, after: 0 })
    case RR_TYPE.SOA:
      return withNames(bytes, { dataStart, end, before: 0, names: 2, after: 20 })
    case RR_TYPE.NSEC:
      // RFC 4034 §4.1.2: the type bit maps follow; who uses them reads them strictly.
      return withNames(bytes, { dataStart, end, before: 0, names: 1, after: undefined })
    case RR_TYPE.NSEC3:
      return isNsec3(bytes.subarray(dataStart, end)) ? asSent() : undefined
    case RR_TYPE.DS:
    case RR_TYPE.DNSKEY:
      return length >= 4 ? asSent() : undefined
    case RR_TYPE.TLSA:
    case RR_TYPE.TXT:
      // Even if malformed: that makes the record unusable, not the reply.
      return asSent()
    default:
      throw new Error(`no reader for record type ${type}`)
  }
}

type Layout = {
  readonly dataStart: number
  readonly end: number
  /** Octets before the names. */
  readonly before: number
  readonly names: number
  /** Octets after them; undefined: any number. */
  readonly after: number | undefined
}

function withNames(bytes: Buffer, layout: Layout): Buffer | undefined {
  const { dataStart, end, before, after } = layout
  let at = dataStart + before
  if (at > end) return undefined
  const parts: Buffer[] = [bytes.subarray(dataStart, at)]
  for (let left = layout.names; left > 0; left--) {
    const name = copyName(bytes, at, end)
    if (name === undefined) return undefined
    parts.push(name.octets)
    at = name.end
  }
  if (after !== undefined && end - at !== after) return undefined
  parts.push(bytes.subarray(at, end))
  return Buffer.concat(parts)
}

/** The name without pointers, in the letter case as sent, and where it ends. */
function copyName(
  bytes: Buffer,
  start: number,
  limit: number,
): { readonly octets: Buffer; readonly end: number } | undefined {
  const name = start < limit ? readName(bytes, start, limit) : undefined
  if (name === undefined) return undefined
  const labels: Buffer[] = []
  // readName has checked every step of this walk.
  for (let at = start; ;) {
    const length = bytes.readUInt8(at)
    if (length >= POINTER) {
      at = bytes.readUInt16BE(at) & 0x3fff
      continue
    }
    labels.push(bytes.subarray(at, at + 1 + length))
    if (length === 0) return { octets: Buffer.concat(labels), end: name.end }
    at += 1 + length
  }
}

/** RFC 5155 §3.2: salt and hash are inside the RDATA, and the hash is not empty. */
function isNsec3(rdata: Buffer): boolean {
  const salt = rdata[4]
  const hash = salt === undefined ? undefined : rdata[5 + salt]
  return salt !== undefined && hash !== undefined && hash > 0 && 6 + salt + hash <= rdata.length
}

/** More records or signatures than any honest reply has (CVE-2023-50387, CVE-2024-8508). */
export const MOST_RECORDS = 512
export const MOST_SIGNATURES = 64

const SET_TYPES: ReadonlySet<number> = new Set(
  Object.values(RR_TYPE).filter((type) => type !== RR_TYPE.RRSIG),
)
const RRSIG_FIXED = 18
const POINTER = 0xc0
