/** What this project's validator says about a question, in the words of the references. */
import { readSignedReply } from '../../src/dns/signed-reply.js'
import type { DnsRecord, Failed, Lookup } from '../../src/lookup.js'
import { nameFromWire } from '../../src/name.js'
import type { AskSigned } from '../../src/signed-message.js'
import { parseTrustAnchors } from '../../src/trust-anchor.js'
import type { TrustAnchor } from '../../src/trust-anchor.js'
import { createValidator } from '../../src/validate/validator.js'
import type { Validator } from '../../src/validate/validator.js'
import { createMemoryZones } from '../../src/validate/zone-store.js'
import type { ZoneStore } from '../../src/validate/zone-store.js'
import type { Question } from './questions.js'
import { contentOf } from './references.js'
import type { Answer, Status } from './references.js'
import { rdataOctets } from './wire.js'

/** Gives the octets of the reply to a question; `name` in wire format, latin1. */
export type FetchOctets = (asked: {
  readonly name: string
  readonly type: number
}) => Promise<Buffer | undefined>

export function anchorsOf(anchorDs: string): readonly TrustAnchor[] {
  const read = parseTrustAnchors(`. IN DS ${anchorDs}\n`, () => true)
  if (read.kind === 'unreadable') throw new Error(read.detail)
  return read.anchors
}

export function validatorOn(
  fetch: FetchOctets,
  anchors: readonly TrustAnchor[],
  zones: ZoneStore = createMemoryZones(),
): Validator {
  const ask: AskSigned = async ({ name, type }) => {
    const octets = await fetch({ name, type })
    if (octets === undefined) return failed('timeout')
    return readSignedReply(octets, Date.now()) ?? failed('malformed')
  }
  return createValidator({
    ask,
    anchors,
    insecureZones: [],
    isSha1Allowed: false,
    now: Date.now,
    yieldTurn: () => new Promise((resolve) => setImmediate(resolve)),
    zones,
  })
}

function failed(cause: 'timeout' | 'malformed'): Failed {
  return { kind: 'failed', cause, detail: 'no usable reply', extendedErrors: [] }
}

export function lookupAt(
  validator: Validator,
  { name, type }: Question,
  milliseconds = 20_000,
): Promise<Lookup> {
  const parsed = nameFromWire(name)
  if (parsed === undefined) throw new Error(`no name: ${name}`)
  return validator.lookup(parsed, type, Date.now() + milliseconds)
}

export function answerOf(lookup: Lookup): Answer {
  const records = lookup.kind === 'found' ? lookup.records : []
  return { status: statusOf(lookup), content: contentOf(records.map(rdataOf)) }
}

function rdataOf(record: DnsRecord): Buffer {
  switch (record.type) {
    case 'MX': {
      const { preference, exchange } = record
      const name = exchange.kind === 'host' ? exchange.name : '.'
      return rdataOctets('MX', `${preference} ${name}`)
    }
    case 'A':
    case 'AAAA':
      return rdataOctets(record.type, record.address)
    case 'CNAME':
    case 'DNAME':
      return rdataOctets(record.type, record.target)
    case 'TLSA':
      return record.rdata
    case 'TXT':
      return Buffer.from(record.text, 'latin1')
  }
}

export function statusOf(lookup: Lookup): Status {
  switch (lookup.kind) {
    case 'found':
      return `${lookup.security} found`
    case 'absent':
      return `${lookup.security} ${lookup.reason}`
    case 'failed':
      return lookup.cause === 'bogus' ? 'bogus' : 'failed'
  }
}
