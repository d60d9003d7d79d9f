/**
 * Encodes queries and matches replies to them.
 *
 * `composeQuery` writes a question in wire format, `answersQuestion` distinguishes its
 * reply from other messages. Everything that a forger would have to guess is part of the
 * `Question`, which is passed in. Pure.
 */
import packet from 'dns-packet'
import type { RecordType } from '../lookup.js'
import type { DomainName } from '../name.js'
import type { WireName } from '../wire-name.js'
import { readHead } from './frame.js'
import { CLASS_IN, TYPE, TYPE_OPT } from './message.js'

export type Question = {
  /** 0 to 65535, unpredictable. */
  readonly id: number
  /** The name as sent, letters in any case; '.' for the root. A reply has to repeat it. */
  readonly spelling: string
  /** SOA only for probes, never for data. */
  readonly type: RecordType | 'SOA'
  /** CD: the resolver must not withhold bogus data. For diagnosis only (RFC 4035 §4.9.2). */
  readonly isUnchecked?: boolean
  /** Pad to a common length, so that the length of an encrypted query reveals nothing (RFC 8467 §4.1). */
  readonly isPadded?: boolean
}

/**
 * The name in random letter case, which a reply has to repeat in addition to id and
 * port (draft-vixie-dnsext-dns0x20).
 *
 * @param bits random octets, one bit for each character, at least 32 octets
 */
export function mixCase(name: DomainName, bits: Buffer): string {
  return Array.from(name, (character, index) =>
    ((bits[index >> 3] ?? 0) >> (index & 7)) & 1 ? character.toUpperCase() : character,
  ).join('')
}

/**
 * The query in wire format: recursion desired, DO set so that the reply reports validation
 * (RFC 6840 §5.8), AD clear so that a server that copies the query's bits does not set it
 * (RFC 4035 §4.6), CD clear so that bogus data is withheld (RFC 4035 §4.9.2), EDNS with
 * `UDP_PAYLOAD`.
 */
export function composeQuery(question: Question): Buffer {
  const plain = encode(question, [])
  if (question.isPadded !== true) return plain
  const most = Math.ceil((plain.length + OPTION_HEADER) / PADDED_TO) * PADDED_TO
  return encode(question, [{ code: OPTION_PADDING, length: most - plain.length - OPTION_HEADER }])
}

function encode(
  { id, spelling, type, isUnchecked = false }: Question,
  options: packet.PacketOpt[],
): Buffer {
  return packet.encode({
    type: 'query',
    id,
    flags: packet.RECURSION_DESIRED | (isUnchecked ? packet.CHECKING_DISABLED : 0),
    questions: [{ name: spelling, type, class: 'IN' }],
    additionals: [
      {
        type: 'OPT',
        name: '.',
        udpPayloadSize: UDP_PAYLOAD,
        extendedRcode: 0,
        ednsVersion: 0,
        flags: packet.DNSSEC_OK,
        flag_do: true,
        options,
      },
    ],
  })
}

/** Largest datagram accepted, in octets: below the usual path MTU, so nothing is fragmented. */
export const UDP_PAYLOAD = 1232
/** RFC 8467 §4.1: queries in blocks of 128 octets. */
const PADDED_TO = 128
/** RFC 7830. */
const OPTION_PADDING = 12
/** Code and length of an option (RFC 6891 §6.1.2). */
const OPTION_HEADER = 4

/** Whether the bytes are a reply to this question; the rest is not checked. */
export function answersQuestion(bytes: Buffer, { id, spelling, type }: Question): boolean {
  // The id first: on a shared socket each reply is compared with all waiting queries.
  if (bytes.length < 2 || bytes.readUInt16BE(0) !== id) return false
  const head = readHead(bytes)
  if (head === undefined || !head.isResponse || head.opcode !== 0) return false
  const { question } = head
  if (question.type !== QUESTION_TYPE[type] || question.class !== CLASS_IN) return false
  if (!question.isText) return false
  return packet.name.decode(bytes, question.start) === spelling
}

const QUESTION_TYPE = { ...TYPE, SOA: 6 } as const

/** A question for DNSSEC validation here: any name, any type. */
export type OctetQuestion = {
  /** 0 to 65535, unpredictable. */
  readonly id: number
  /** The name in wire format as sent, letters in any case. A reply has to repeat it. */
  readonly name: Buffer
  readonly type: number
  readonly isPadded: boolean
}

/** As `mixCase`, of a name in wire format: length octets are at most 63, so they are no letters. */
export function mixOctetCase(name: WireName, bits: Buffer): Buffer {
  const octets = Array.from(Buffer.from(name, 'latin1'), (octet, index) => {
    const isLower = octet >= 0x61 && octet <= 0x7a
    return isLower && ((bits[index >> 3] ?? 0) >> (index & 7)) & 1 ? octet - 0x20 : octet
  })
  return Buffer.from(octets)
}

/**
 * As `composeQuery`, with CD set: the resolver passes on what it would take for bogus, and
 * neither its clock nor its anchors decide (RFC 4035 §4.9.2, RFC 6840 §5.9).
 */
export function composeOctetQuery({ id, name, type, isPadded }: OctetQuestion): Buffer {
  const plain = HEADER_OCTETS + name.length + 4 + OPT_OCTETS
  const filled = Math.ceil((plain + OPTION_HEADER) / PADDED_TO) * PADDED_TO
  const query = Buffer.alloc(isPadded ? filled : plain)
  query.writeUInt16BE(id, 0)
  query.writeUInt16BE(packet.RECURSION_DESIRED | packet.CHECKING_DISABLED, 2)
  query.writeUInt16BE(1, 4) // questions
  query.writeUInt16BE(1, 10) // additional records
  let at = HEADER_OCTETS + name.copy(query, HEADER_OCTETS)
  at = query.writeUInt16BE(type, at)
  at = query.writeUInt16BE(CLASS_IN, at)
  // RFC 6891 §6.1.2: the root as owner, OPT, payload size, TTL with DO, length, options.
  at = query.writeUInt16BE(TYPE_OPT, at + 1)
  at = query.writeUInt16BE(UDP_PAYLOAD, at)
  at = query.writeUInt32BE(packet.DNSSEC_OK, at)
  at = query.writeUInt16BE(query.length - at - 2, at)
  if (isPadded) {
    at = query.writeUInt16BE(OPTION_PADDING, at)
    query.writeUInt16BE(query.length - at - 2, at)
  }
  return query
}

/** As `answersQuestion`; the name has to come back as it was sent, uncompressed. */
export function answersOctets(
  bytes: Buffer,
  { id, name, type }: Pick<OctetQuestion, 'id' | 'name' | 'type'>,
): boolean {
  if (bytes.length < 2 || bytes.readUInt16BE(0) !== id) return false
  const head = readHead(bytes)
  if (head === undefined || !head.isResponse || head.opcode !== 0) return false
  const { question } = head
  if (question.type !== type || question.class !== CLASS_IN) return false
  return bytes.subarray(question.start, question.start + name.length).equals(name)
}

const HEADER_OCTETS = 12
/** OPT without options. */
const OPT_OCTETS = 11
