/**
 * Zones that no signer makes, in memory: replies with valid signatures over whatever their
 * owner wants to say, and a root that delegates to them.
 */
import { createHash, generateKeyPairSync } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { putTogether } from './message-parts.js'
import type { PartRecord } from './message-parts.js'
import type { FetchOctets } from './ours.js'
import { signatureOver } from './signer.js'
import type { SignatureFields } from './signer.js'
import { dsText, keyTag, nameOctets, rdataOctets, typeNumber, uint16 } from './wire.js'

export type ForgedKey = { readonly dnskey: Buffer; readonly privateKey: KeyObject }

export type ForgedReply = {
  readonly rcode?: number
  readonly answer?: readonly PartRecord[]
  readonly authority?: readonly PartRecord[]
}

export type Forgery = {
  /** The RDATA of the DS record of the root, as text. */
  readonly anchorDs: string
  readonly root: ForgedZone
  readonly fetch: FetchOctets
  /** The questions asked so far. */
  readonly asked: () => number
  /** A signed zone, delegated from `parent` with a DS record and its DNSKEY set signed. */
  readonly zone: (origin: string, more?: readonly ForgedKey[]) => ForgedZone
  readonly reply: (name: string, type: string, reply: ForgedReply) => void
  /** The reply as it is sent, whatever it may be. */
  readonly octets: (name: string, type: string, octets: Buffer) => void
  /** Replies to what is not listed. */
  readonly otherwise: (answer: (name: string, type: number) => ForgedReply) => void
}

export type ForgedZone = {
  readonly origin: string
  readonly key: ForgedKey
  /** The records and one signature over them. */
  readonly signed: (
    owner: string,
    type: string,
    rdatas: readonly Buffer[],
    fields?: Partial<SignatureFields>,
  ) => readonly PartRecord[]
}

export function startForgery(): Forgery {
  const replies = new Map<string, Buffer>()
  let asked = 0
  let answer: (name: string, type: number) => ForgedReply = () => ({ rcode: 2 })
  const rootKey = forgeKey('P-256')
  const zones = new Map<string, ForgedZone>()

  const octets: Forgery['octets'] = (name, type, raw) => {
    replies.set(keyOf(nameOctets(name).toString('latin1'), typeNumber(type)), raw)
  }
  const reply: Forgery['reply'] = (name, type, content) =>
    octets(name, type, message(nameOctets(name), typeNumber(type), content))
  const zone: Forgery['zone'] = (origin, more = []) => {
    const key = origin === '' ? rootKey : forgeKey('P-256')
    const made: ForgedZone = {
      origin,
      key,
      signed: (owner, type, rdatas, fields) => signedSet(owner, type, rdatas, key, origin, fields),
    }
    const parent = origin === '' ? undefined : nearest(zones, origin)
    if (parent !== undefined) {
      const ds = rdataOctets('DS', dsText(origin, key.dnskey, 2))
      reply(origin, 'DS', { answer: parent.signed(origin, 'DS', [ds]) })
    }
    const dnskeys = [key, ...more].map(({ dnskey }) => dnskey)
    reply(origin, 'DNSKEY', { answer: made.signed(origin, 'DNSKEY', dnskeys) })
    zones.set(origin, made)
    return made
  }
  const root = zone('')
  return {
    root,
    anchorDs: dsText('', rootKey.dnskey, 2),
    asked: () => asked,
    zone,
    reply,
    octets,
    otherwise: (other) => {
      answer = other
    },
    fetch: ({ name, type }) => {
      asked += 1
      const known = replies.get(keyOf(name, type))
      const question = Buffer.from(name, 'latin1')
      const octets = known ?? message(question, type, answer(name, type))
      // As from a socket: in a turn of its own.
      return new Promise((resolve) => setImmediate(resolve, octets))
    },
  }
}

/** The zone above, the root if there is no other. */
function nearest(zones: ReadonlyMap<string, ForgedZone>, origin: string): ForgedZone | undefined {
  const labels = origin.split('.')
  for (let from = 1; from < labels.length; from++) {
    const zone = zones.get(labels.slice(from).join('.'))
    if (zone !== undefined) return zone
  }
  return zones.get('')
}

export function signedSet(
  owner: string,
  type: string,
  rdatas: readonly Buffer[],
  key: ForgedKey,
  signer: string,
  fields: Partial<SignatureFields> = {},
): readonly PartRecord[] {
  const now = Math.floor(Date.now() / 1000)
  const times = { inception: now - 86_400, expiration: now + 86_400, originalTtl: 300 }
  const rrsig = signatureOver(owner, type, rdatas, key, { signer, ...times, ...fields })
  return [...rdatas.map((rdata) => record(owner, type, rdata)), record(owner, 'RRSIG', rrsig)]
}

export function record(owner: string, type: string, rdata: Buffer): PartRecord {
  return { owner: nameOctets(owner), type: typeNumber(type), class: 1, ttl: 300, rdata }
}

/**
 * A zone key. With `tag`, the reserved flags are chosen so that it has this key tag
 * (CVE-2023-50387).
 */
export function forgeKey(curve: 'P-256' | 'P-384', tag?: number): ForgedKey {
  for (;;) {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: curve })
    const { x = '', y = '' } = publicKey.export({ format: 'jwk' })
    const point = [x, y].map((half) => Buffer.from(half, 'base64url'))
    const dnskey = Buffer.concat([
      uint16(0x101),
      Buffer.from([3, curve === 'P-256' ? 13 : 14]),
      ...point,
    ])
    if (tag === undefined) return { dnskey, privateKey }
    // The tag is a sum of which the flags are a part, folded once (RFC 4034 Appendix B).
    dnskey.writeUInt16BE(0)
    const missing = (tag - keyTag(dnskey)) & 0xffff
    for (const flags of [missing, missing - 1, missing + 1]) {
      if ((flags & 0x180) !== 0x100 || flags < 0 || flags > 0xffff) continue
      dnskey.writeUInt16BE(flags)
      if (keyTag(dnskey) === tag) return { dnskey, privateKey }
    }
  }
}

export function nsec3Hash(name: string, iterations: number, salt: Buffer): Buffer {
  let hash = createHash('sha1').update(nameOctets(name)).update(salt).digest()
  for (let left = iterations; left > 0; left--) {
    hash = createHash('sha1').update(hash).update(salt).digest()
  }
  return hash
}

/** RFC 4648 §7, lower case, for the 20 octets of SHA-1. */
export function base32Hex(octets: Buffer): string {
  const bits = Array.from(octets, (octet) => octet.toString(2).padStart(8, '0')).join('')
  return Array.from(bits.matchAll(/.{5}/g), ([five]) => Number.parseInt(five, 2).toString(32)).join(
    '',
  )
}

/** One bit map window for types below 256 (RFC 4034 §4.1.2). */
export function bitmap(types: readonly string[]): Buffer {
  const bits = Buffer.alloc(32)
  for (const type of types) {
    const number = typeNumber(type)
    bits[number >> 3] = (bits[number >> 3] ?? 0) | (0x80 >> (number & 7))
  }
  const length = bits.findLastIndex((octet) => octet !== 0) + 1
  return Buffer.concat([Buffer.from([0, length]), bits.subarray(0, length)])
}

export function nsec(next: string, types: readonly string[]): Buffer {
  return Buffer.concat([nameOctets(next), bitmap(types)])
}

function message(
  name: Buffer,
  type: number,
  { rcode = 0, answer = [], authority = [] }: ForgedReply,
): Buffer {
  const question = Buffer.concat([name, uint16(type), uint16(1)])
  return putTogether({ flags: 0x8180 | rcode, question, answer, authority })
}

function keyOf(name: string, type: number): string {
  return `${type} ${name}`
}
