/**
 * Records and names out of RDATA, as lookups return them.
 *
 * The RDATA comes from a reply that was read whole: well formed to its last octet, names
 * uncompressed. Undefined for a target that cannot be held as a `DomainName`, as in
 * dns/message.ts: such a record makes the answer malformed, never absent. Pure.
 */
import packet from 'dns-packet'
import { readCharacterStrings } from '../character-strings.js'
import type { DnsRecord, RecordType } from '../lookup.js'
import { nameFromWire } from '../name.js'
import type { DomainName } from '../name.js'
import { RR_TYPE } from '../signed-message.js'
import { wireNameFromOctets, wireNameText } from '../wire-name.js'
import type { WireName } from '../wire-name.js'

export function readRecord(type: RecordType, rdata: Buffer): DnsRecord | undefined {
  switch (type) {
    case 'A':
    case 'AAAA':
      return readAddress(type, rdata)
    case 'MX': {
      const name = wireNameFromOctets(rdata.subarray(2))
      if (name === undefined) return undefined
      const preference = rdata.readUInt16BE(0)
      const exchange = textName(name)
      if (exchange === '.') return { type, preference, exchange: { kind: 'root' } }
      if (exchange === undefined) return { type, preference, exchange: { kind: 'unusable' } }
      return { type, preference, exchange: { kind: 'host', name: exchange } }
    }
    case 'CNAME': {
      const target = targetOf(rdata)
      return target === undefined || target === '.' ? undefined : { type, target }
    }
    case 'DNAME': {
      const target = targetOf(rdata)
      return target && { type, target }
    }
    case 'TLSA':
      return { type, rdata }
    case 'TXT':
      return { type, text: readCharacterStrings(rdata) }
  }
}

/** The name as text; '.' is the root. Undefined if some label cannot be written plainly. */
export function textName(name: WireName): DomainName | '.' | undefined {
  const text = wireNameText(name)
  return text === '.' ? text : text.includes('\\') ? undefined : nameFromWire(text)
}

function targetOf(rdata: Buffer): DomainName | '.' | undefined {
  const name = wireNameFromOctets(rdata)
  return name && textName(name)
}

/** By the decoder of dns/message.ts, so that an address has the same text. */
function readAddress(type: 'A' | 'AAAA', rdata: Buffer): DnsRecord | undefined {
  const record = Buffer.alloc(11 + rdata.length)
  record.writeUInt16BE(RR_TYPE[type], 1)
  record.writeUInt16BE(CLASS_IN, 3)
  record.writeUInt16BE(rdata.length, 9)
  rdata.copy(record, 11)
  const decoded = packet.answer.decode(record, 0)
  if (decoded.type === 'A') return { type: 'A', address: decoded.data }
  return decoded.type === 'AAAA' ? { type: 'AAAA', address: decoded.data } : undefined
}

const CLASS_IN = 1
