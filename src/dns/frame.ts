/**
 * Finds the boundaries of names and records in an untrusted DNS message.
 *
 * Promises about a `Frame`: every name, record and RDATA is inside the message, names
 * have at most 255 octets and their pointers lead strictly backwards, the counts of the
 * header are right and nothing follows the last record. Any other message is undefined.
 *
 * Only then is it decoded by dns-packet (message.ts), which clamps lengths silently,
 * trusts counts and reads RDATA past its end. RFC 1035 §4. Pure; linear in the
 * length of the message, since a name takes at most 128 steps and a record 11 octets.
 */

export type Section = 'answer' | 'authority' | 'additional'

export type FrameRecord = {
  readonly section: Section
  /** Offset of the owner name. */
  readonly start: number
  readonly type: number
  readonly class: number
  /** Seconds, as sent: 0 to 2^32-1. */
  readonly ttl: number
  /** RDATA is bytes[dataStart, end). */
  readonly dataStart: number
  readonly end: number
}

export type Frame = {
  readonly id: number
  readonly isResponse: boolean
  readonly opcode: number
  readonly truncated: boolean
  readonly recursionAvailable: boolean
  readonly authenticData: boolean
  /** The lower four bits; OPT has the rest (RFC 6891 §6.1.3). */
  readonly rcode: number
  readonly question: {
    readonly start: number
    /** Whether the name can be written as text; see `FrameName`. */
    readonly isText: boolean
    readonly type: number
    readonly class: number
  }
  readonly records: readonly FrameRecord[]
}

/** A name inside a message: where it ends, and whether it can be written as text (see name.ts). */
export type FrameName = { readonly end: number; readonly isText: boolean }

/**
 * The header and question alone, to recognize a reply; undefined unless there is exactly
 * one question.
 */
export type FrameHead = Omit<Frame, 'records'> & { readonly end: number }

export function readHead(bytes: Buffer): FrameHead | undefined {
  if (bytes.length < HEADER || bytes.readUInt16BE(4) !== 1) return undefined
  const name = readName(bytes, HEADER)
  if (name === undefined || name.end + 4 > bytes.length) return undefined
  const flags = bytes.readUInt16BE(2)
  return {
    id: bytes.readUInt16BE(0),
    isResponse: (flags & 0x8000) !== 0,
    opcode: (flags >> 11) & 0xf,
    truncated: (flags & 0x0200) !== 0,
    recursionAvailable: (flags & 0x0080) !== 0,
    authenticData: (flags & 0x0020) !== 0,
    rcode: flags & 0xf,
    question: {
      start: HEADER,
      isText: name.isText,
      type: bytes.readUInt16BE(name.end),
      class: bytes.readUInt16BE(name.end + 2),
    },
    end: name.end + 4,
  }
}

export function readFrame(bytes: Buffer): Frame | undefined {
  const head = readHead(bytes)
  if (head === undefined) return undefined
  const records: FrameRecord[] = []
  let at = head.end
  for (const [index, section] of SECTIONS.entries()) {
    for (let left = bytes.readUInt16BE(6 + 2 * index); left > 0; left--) {
      const record = readRecord(bytes, at, section)
      if (record === undefined) return undefined
      records.push(record)
      at = record.end
    }
  }
  return at === bytes.length ? { records, ...head } : undefined
}

/**
 * The name at `start`, which may continue elsewhere by pointers; its first part must end
 * before `limit`.
 */
export function readName(
  bytes: Buffer,
  start: number,
  limit = bytes.length,
): FrameName | undefined {
  let at = start
  let segment = start // pointers lead to before their own segment, so they cannot loop
  let end: number | undefined
  let octets = 0
  let isText = true
  for (;;) {
    const length = at < (end === undefined ? limit : bytes.length) ? bytes[at] : undefined
    if (length === undefined) return undefined
    if (length >= POINTER) {
      const low = at + 1 < (end === undefined ? limit : bytes.length) ? bytes[at + 1] : undefined
      if (low === undefined) return undefined
      const target = (length - POINTER) * 256 + low
      if (target >= segment || target < HEADER) return undefined
      end ??= at + 2
      segment = target
      at = target
      continue
    }
    octets += length + 1
    // RFC 1035 §2.3.4: 63 octets a label, 255 a name with its root.
    if (length > 63 || octets > 255) return undefined
    if (length === 0) return { end: end ?? at + 1, isText }
    const next = at + 1 + length
    if (next > (end === undefined ? limit : bytes.length)) return undefined
    isText &&= isTextLabel(bytes, at + 1, next)
    at = next
  }
}

function readRecord(bytes: Buffer, start: number, section: Section): FrameRecord | undefined {
  const name = readName(bytes, start)
  if (name === undefined || name.end + 10 > bytes.length) return undefined
  const dataStart = name.end + 10
  const end = dataStart + bytes.readUInt16BE(name.end + 8)
  if (end > bytes.length) return undefined
  return {
    section,
    start,
    type: bytes.readUInt16BE(name.end),
    class: bytes.readUInt16BE(name.end + 2),
    ttl: bytes.readUInt32BE(name.end + 4),
    dataStart,
    end,
  }
}

/** Printable ASCII without dot and backslash, so that the joined text has one reading. */
function isTextLabel(bytes: Buffer, start: number, end: number): boolean {
  for (let i = start; i < end; i++) {
    const octet = bytes[i] ?? 0
    if (octet < 0x21 || octet > 0x7e || octet === 0x2e || octet === 0x5c) return false
  }
  return true
}

const SECTIONS = ['answer', 'authority', 'additional'] as const
const HEADER = 12
const POINTER = 0xc0
