/**
 * What do we ask, and is this a reply to it?
 *
 * `composeQuery` writes a question in wire format, `answersQuestion` tells its reply
 * from whatever else arrives. Everything that a forger would have to guess is in the
 * `Question`; it is given, not made here. Pure.
 */
import packet from 'dns-packet'
import type { RecordType } from '../lookup.js'
import type { DomainName } from '../name.js'
import { readHead } from './frame.js'
import { CLASS_IN, TYPE } from './message.js'

export type Question = {
  /** 0 to 65535, unpredictable. */
  readonly id: number
  /** The name as it goes out, letters in any case; '.' for the root. A reply has to repeat it. */
  readonly spelling: string
  /** SOA is for probes, never for data. */
  readonly type: RecordType | 'SOA'
  /** CD: the resolver is to withhold nothing. For diagnosis alone (RFC 4035 §4.9.2). */
  readonly isUnchecked?: boolean
  /** Fill up to a common length, so that an encrypted query does not tell by its length (RFC 8467 §4.1). */
  readonly isPadded?: boolean
}

/**
 * The name with each letter in a case of its own: what a reply has to repeat is more
 * than an id and a port (draft-vixie-dnsext-dns0x20).
 *
 * @param bits random octets, one bit for each character, at least 32 octets
 */
export function spell(name: DomainName, bits: Buffer): string {
  return Array.from(name, (character, index) =>
    ((bits[index >> 3] ?? 0) >> (index & 7)) & 1 ? character.toUpperCase() : character,
  ).join('')
}

/**
 * The query in wire format: recursion desired, DO set so that the resolver says what it
 * validated (RFC 6840 §5.8), AD clear so that none can say so by copying the query's
 * bits (RFC 4035 §4.6), CD clear so that it withholds what is bogus (RFC 4035 §4.9.2),
 * EDNS with `UDP_PAYLOAD`.
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

/** Octets of a datagram we ask for: below the usual path MTU, so nothing is fragmented. */
export const UDP_PAYLOAD = 1232
/** RFC 8467 §4.1: queries in blocks of 128 octets. */
const PADDED_TO = 128
/** RFC 7830. */
const OPTION_PADDING = 12
/** Code and length of an option (RFC 6891 §6.1.2). */
const OPTION_HEADER = 4

/** Whether the bytes are a reply to this very question; says nothing of the rest. */
export function answersQuestion(bytes: Buffer, { id, spelling, type }: Question): boolean {
  // The id first: on a shared socket each reply is held against all who wait.
  if (bytes.length < 2 || bytes.readUInt16BE(0) !== id) return false
  const head = readHead(bytes)
  if (head === undefined || !head.isResponse || head.opcode !== 0) return false
  const { question } = head
  if (question.type !== QUESTION_TYPE[type] || question.class !== CLASS_IN) return false
  return packet.name.decode(bytes, question.start) === spelling
}

const QUESTION_TYPE = { ...TYPE, SOA: 6 } as const
