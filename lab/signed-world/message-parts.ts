/**
 * A DNS message taken apart, to be changed and put together again.
 *
 * Names are written out in full: nothing points into anything else, so that any record can
 * be changed, moved or put into another message. OPT records are dropped.
 */
import { readFrame, readName } from '../../src/dns/frame.js'
import { TYPE_NUMBERS, uint16, uint32 } from './wire.js'

export type PartRecord = {
  readonly owner: Buffer
  readonly type: number
  readonly class: number
  readonly ttl: number
  readonly rdata: Buffer
}

export type Parts = {
  readonly flags: number
  /** Name, type and class. */
  readonly question: Buffer
  readonly answer: readonly PartRecord[]
  readonly authority: readonly PartRecord[]
}

/** Throws for a message that is not well formed: the laboratory's servers send none. */
export function takeApart(octets: Buffer): Parts {
  const frame = readFrame(octets)
  if (frame === undefined) throw new Error('a malformed reply')
  const { end } = nameAt(octets, frame.question.start)
  const records = (section: string): readonly PartRecord[] =>
    frame.records
      .filter((record) => record.section === section && record.type !== OPT)
      .map((record) => ({
        owner: nameAt(octets, record.start).name,
        type: record.type,
        class: record.class,
        ttl: record.ttl,
        rdata: rdataAt(octets, record.type, record.dataStart, record.end),
      }))
  return {
    flags: octets.readUInt16BE(2),
    question: octets.subarray(frame.question.start, end + 4),
    answer: records('answer'),
    authority: records('authority'),
  }
}

export function putTogether({ flags, question, answer, authority }: Parts): Buffer {
  const records = [...answer, ...authority].map(({ owner, type, class: of, ttl, rdata }) =>
    Buffer.concat([owner, uint16(type), uint16(of), uint32(ttl), uint16(rdata.length), rdata]),
  )
  const counts = [1, answer.length, authority.length, 0].map(uint16)
  return Buffer.concat([uint16(0), uint16(flags), ...counts, question, ...records])
}

function rdataAt(octets: Buffer, type: number, start: number, end: number): Buffer {
  const names = NAMES_AT.get(type)
  if (names === undefined) return Buffer.from(octets.subarray(start, end))
  const parts = [octets.subarray(start, start + names.offset)]
  let at = start + names.offset
  for (let left = names.count; left > 0; left--) {
    const name = nameAt(octets, at)
    parts.push(name.name)
    at = name.end
  }
  return Buffer.concat([...parts, octets.subarray(at, end)])
}

function nameAt(octets: Buffer, start: number): { name: Buffer; end: number } {
  const end = readName(octets, start)?.end
  if (end === undefined) throw new Error('a malformed name')
  const labels: Buffer[] = []
  for (let at = start; ;) {
    const length = octets[at] ?? 0
    if (length >= 0xc0) {
      at = octets.readUInt16BE(at) & 0x3fff
      continue
    }
    labels.push(octets.subarray(at, at + 1 + length))
    if (length === 0) return { name: Buffer.concat(labels), end }
    at += 1 + length
  }
}

const OPT = 41

/** Where RDATA has names: after how many octets, and how many of them. */
const NAMES_AT = new Map(
  (
    [
      ['NS', 0, 1],
      ['CNAME', 0, 1],
      ['DNAME', 0, 1],
      ['SOA', 0, 2],
      ['MX', 2, 1],
      ['NSEC', 0, 1],
      ['RRSIG', 18, 1],
    ] as const
  ).map(([type, offset, count]) => [TYPE_NUMBERS[type] ?? 0, { offset, count }]),
)
