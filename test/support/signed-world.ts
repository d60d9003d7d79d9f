/**
 * Signed zones in memory, and a resolver that answers from them without validating.
 *
 * Each reply holds every NSEC or NSEC3 of the zones it comes from where a denial is due, so
 * zones have to be small. What a resolver may do wrong is done to its replies by the tests.
 */
import { createHash } from 'node:crypto'
import type { Failed } from '../../src/lookup.js'
import { RR_TYPE } from '../../src/signed-message.js'
import type { RRset, SignedQuestion, SignedReply } from '../../src/signed-message.js'
import type { TrustAnchor } from '../../src/trust-anchor.js'
import { isWithin, parentOf, wildcardOf } from '../../src/wire-name.js'
import type { WireName } from '../../src/wire-name.js'
import { u16, u32, wireName } from './dns-message.js'
import { dsOf, newSigner, signatureOf, wire } from './signed-records.js'
import type { Signer, Signing } from './signed-records.js'

/** 2026-11-20, in the middle of all signatures. */
export const NOW = Date.UTC(2026, 10, 20)
const SECONDS = NOW / 1000
export const TIMES = { inception: SECONDS - 864_000, expiration: SECONDS + 864_000 } as const

export type ZoneSpec = {
  /** Lines of `name TYPE data`; names relative to the apex, `@` for it; targets absolute. */
  readonly records?: readonly string[]
  readonly denial?: 'nsec' | 'nsec3' | 'opt-out' | 'unsigned'
  readonly iterations?: number
  readonly algorithm?: number
  /** The parent has no DS. */
  readonly isIsland?: boolean
  readonly signer?: Signer
  /** Instead of the DS of its signer. */
  readonly ds?: readonly Buffer[]
  /** Keys in addition to the signer's. */
  readonly moreKeys?: readonly Buffer[]
}

export type Zone = ZoneSpec & {
  readonly apex: WireName
  readonly signer: Signer
  readonly isSigned: boolean
  readonly sets: Map<string, RRset>
  readonly denials: RRset[]
}

export type World = {
  readonly zones: ReadonlyMap<string, Zone>
  readonly anchors: readonly TrustAnchor[]
  answer(question: SignedQuestion): SignedReply
  /** The zone of that name; throws if there is none. */
  zone(apex: string): Zone
}

const signers = new Map<string, Signer>()

/** Key pairs are slow to make, so zones of the same name share one. */
function signerOf(apex: string, algorithm: number): Signer {
  const id = `${apex} ${algorithm}`
  const signer = signers.get(id) ?? newSigner(algorithm)
  signers.set(id, signer)
  return signer
}

export function createWorld(specs: Readonly<Record<string, ZoneSpec>>): World {
  const zones = new Map<string, Zone>()
  for (const [apex, spec] of Object.entries(specs)) {
    const denial = spec.denial ?? 'nsec'
    zones.set(apex, {
      ...spec,
      denial,
      apex: wire(apex),
      signer: spec.signer ?? signerOf(apex, spec.algorithm ?? 13),
      isSigned: denial !== 'unsigned',
      sets: new Map(),
      denials: [],
    })
  }
  for (const zone of zones.values()) fill(zone, zones)
  const root = zones.get('.')
  if (root === undefined) throw new Error('a world needs a root')
  return {
    zones,
    anchors: [anchorOf(root)],
    answer: (question) => answer([...zones.values()], question),
    zone: (apex) => {
      const zone = zones.get(apex)
      if (zone === undefined) throw new Error(`no zone ${apex}`)
      return zone
    },
  }
}

export function anchorOf({ apex, signer }: Pick<Zone, 'apex' | 'signer'>): TrustAnchor {
  const rdata = dsOf(apex, signer)
  return {
    kind: 'ds',
    owner: apex,
    keyTag: rdata.readUInt16BE(0),
    algorithm: signer.algorithm,
    digestType: 2,
    digest: rdata.subarray(4),
  }
}

/** Signs a set as the zone would. */
export function signAs(
  zone: Pick<Zone, 'apex' | 'signer'>,
  rrset: Pick<RRset, 'owner' | 'type' | 'rdatas'> & { readonly ttl?: number },
  more: Partial<Signing> = {},
): RRset {
  const { owner, type, ttl = 3600 } = rrset
  const rdatas = [...rrset.rdatas].sort((a, b) => a.compare(b))
  const signing = { ...TIMES, signer: zone.signer, zone: zone.apex, owner, type, rdatas, ...more }
  return { owner, type, ttl, rdatas, signatures: [signatureOf(signing)] }
}

export function setKey(owner: WireName, type: number): string {
  return `${type} ${owner}`
}

function fill(zone: Zone, zones: ReadonlyMap<string, Zone>): void {
  const unsigned = new Map<string, { owner: WireName; type: number; rdatas: Buffer[] }>()
  const add = (owner: WireName, type: number, rdata: Buffer) => {
    const set = unsigned.get(setKey(owner, type)) ?? { owner, type, rdatas: [] }
    set.rdatas.push(rdata)
    unsigned.set(setKey(owner, type), set)
  }
  const { apex, signer, isSigned } = zone
  add(apex, RR_TYPE.SOA, soa(apex))
  add(apex, RR_TYPE.NS, wireName('ns.invalid'))
  if (isSigned) {
    for (const key of [signer.rdata, ...(zone.moreKeys ?? [])]) add(apex, RR_TYPE.DNSKEY, key)
  }
  for (const line of zone.records ?? []) {
    const [name = '', type = '', ...data] = line.split(/\s+/)
    add(ownerIn(apex, name), typeNumber(type), rdataOf(type, data))
  }
  for (const child of zones.values()) {
    if (parentZone([...zones.values()], child.apex) !== zone) continue
    add(child.apex, RR_TYPE.NS, wireName('ns.invalid'))
    const ds = child.isSigned && !child.isIsland ? [dsOf(child.apex, child.signer)] : []
    for (const rdata of child.ds ?? ds) add(child.apex, RR_TYPE.DS, rdata)
  }
  for (const set of unsigned.values()) {
    const isCut = set.type === RR_TYPE.NS && set.owner !== apex
    zone.sets.set(
      setKey(set.owner, set.type),
      isSigned && !isCut ? signAs(zone, set) : { ...set, ttl: 3600, signatures: [] },
    )
  }
  if (isSigned) zone.denials.push(...denialsOf(zone))
}

/** The sets of a zone that deny, signed. */
function denialsOf(zone: Zone): RRset[] {
  const types = new Map<WireName, Set<number>>()
  for (const { owner, type } of zone.sets.values()) {
    const at = types.get(owner) ?? new Set<number>()
    types.set(owner, at.add(type))
  }
  for (const [owner, at] of types) {
    if (at.size > 1 || !at.has(RR_TYPE.NS) || owner === zone.apex) at.add(RR_TYPE.RRSIG)
  }
  if (zone.denial === 'nsec') {
    const owners = [...types.keys()].sort((a, b) => sortKey(a).compare(sortKey(b)))
    return owners.map((owner, index) => {
      const next = owners[(index + 1) % owners.length] ?? owner
      const at = new Set(types.get(owner)).add(RR_TYPE.NSEC).add(RR_TYPE.RRSIG)
      return signAs(zone, { owner, type: RR_TYPE.NSEC, rdatas: [nsecRdata(next, at)] })
    })
  }
  const hashed = new Map<string, Set<number>>()
  for (const [owner, at] of types) {
    const isUnsignedCut = at.has(RR_TYPE.NS) && !at.has(RR_TYPE.DS) && owner !== zone.apex
    if (zone.denial === 'opt-out' && isUnsignedCut) continue
    hashed.set(nsec3Hash(owner, zone.iterations), at)
    // Empty non-terminals have a record of their own.
    for (
      let up = parentOf(owner);
      up && up !== zone.apex && isWithin(up, zone.apex);
      up = parentOf(up)
    ) {
      if (!types.has(up)) hashed.set(nsec3Hash(up, zone.iterations), new Set())
    }
  }
  const hashes = [...hashed.keys()].sort()
  return hashes.map((hash, index) =>
    signAs(zone, {
      owner: wire(`${base32hex(hash)}.${textOf(zone.apex)}`.replace(/\.\.$/, '')),
      type: RR_TYPE.NSEC3,
      rdatas: [
        nsec3Rdata(hashes[(index + 1) % hashes.length] ?? hash, hashed.get(hash) ?? new Set(), {
          isOptOut: zone.denial === 'opt-out',
          iterations: zone.iterations ?? 0,
        }),
      ],
    }),
  )
}

/** RFC 4034 §6.1: the labels from the right, each followed by an octet below all others. */
function sortKey(name: WireName): Buffer {
  const labels: Buffer[] = []
  for (let at = 0; name.charCodeAt(at) !== 0; at += 1 + name.charCodeAt(at)) {
    const label = name.slice(at + 1, at + 1 + name.charCodeAt(at))
    labels.unshift(Buffer.from(label, 'latin1'), Buffer.from([0]))
  }
  return Buffer.concat(labels)
}

export function nsecRdata(next: WireName, types: Iterable<number>): Buffer {
  return Buffer.concat([Buffer.from(next, 'latin1'), bitmap(types)])
}

export type Nsec3Parameters = {
  readonly isOptOut?: boolean
  readonly iterations?: number
  readonly salt?: Buffer
  readonly flags?: number
  readonly hash?: number
}

export function nsec3Rdata(
  next: string,
  types: Iterable<number>,
  parameters: Nsec3Parameters = {},
): Buffer {
  const { isOptOut = false, iterations = 0, salt = Buffer.alloc(0), hash = 1 } = parameters
  return Buffer.concat([
    Buffer.from([hash, parameters.flags ?? (isOptOut ? 1 : 0)]),
    u16(iterations),
    Buffer.from([salt.length]),
    salt,
    Buffer.from([next.length]),
    Buffer.from(next, 'latin1'),
    bitmap(types),
  ])
}

/** RFC 4034 §4.1.2. */
export function bitmap(types: Iterable<number>): Buffer {
  const windows = new Map<number, Buffer>()
  for (const type of [...types].sort((a, b) => a - b)) {
    const octets = windows.get(type >> 8) ?? Buffer.alloc(32)
    octets[(type & 0xff) >> 3] = (octets[(type & 0xff) >> 3] ?? 0) | (0x80 >> (type & 7))
    windows.set(type >> 8, octets)
  }
  return Buffer.concat(
    [...windows].flatMap(([window, octets]) => {
      const length = octets.findLastIndex((octet) => octet !== 0) + 1
      return [Buffer.from([window, length]), octets.subarray(0, length)]
    }),
  )
}

/** RFC 5155 §5, the octets as latin1. */
export function nsec3Hash(name: WireName, iterations = 0, salt?: Buffer): string {
  const sha1 = (data: Buffer) =>
    createHash('sha1')
      .update(Buffer.concat([data, salt ?? Buffer.alloc(0)]))
      .digest()
  let digest = sha1(Buffer.from(name, 'latin1'))
  for (let i = 0; i < iterations; i++) digest = sha1(digest)
  return digest.toString('latin1')
}

export function base32hex(octets: string): string {
  const bits = [...Buffer.from(octets, 'latin1')]
    .map((o) => o.toString(2).padStart(8, '0'))
    .join('')
  return (bits.match(/.{5}/g) ?? []).map((five) => Number.parseInt(five, 2).toString(32)).join('')
}

export type Tamper = (
  question: SignedQuestion,
  reply: SignedReply,
) => SignedReply | Failed | Promise<SignedReply | Failed>

function answer(zones: readonly Zone[], question: SignedQuestion): SignedReply {
  const rrsets: RRset[] = []
  let { name } = question
  let rcode = 0
  for (let hops = 0; hops < 20; hops++) {
    const zone = question.type === RR_TYPE.DS ? parentZone(zones, name) : zoneAt(zones, name)
    if (zone === undefined) throw new Error('no zone')
    const step = answerIn(zone, name, question.type)
    for (const set of step.rrsets) if (!rrsets.includes(set)) rrsets.push(set)
    ;({ rcode } = step)
    if (step.target === undefined) break
    name = step.target
  }
  return { kind: 'reply', rcode, rrsets, extendedErrors: [], isStale: false, receivedAt: NOW }
}

type Answered = {
  readonly rrsets: readonly RRset[]
  readonly rcode: number
  readonly target?: WireName
}

function answerIn(zone: Zone, name: WireName, type: number): Answered {
  const { sets, apex, denials } = zone
  for (let up = parentOf(name); up && isWithin(up, apex); up = parentOf(up)) {
    const dname = sets.get(setKey(up, RR_TYPE.DNAME))
    if (dname === undefined) continue
    const prefix = name.slice(0, name.length - up.length)
    const target = wireFrom(prefix + (dname.rdatas[0]?.toString('latin1') ?? ''))
    const cname = Buffer.from(target, 'latin1')
    const made = { owner: name, type: RR_TYPE.CNAME, ttl: 3600, rdatas: [cname], signatures: [] }
    return { rrsets: [dname, made], rcode: 0, target }
  }
  const direct = sets.get(setKey(name, type))
  if (direct !== undefined) return { rrsets: [direct], rcode: 0 }
  const cname = sets.get(setKey(name, RR_TYPE.CNAME))
  if (cname !== undefined) return { rrsets: [cname], rcode: 0, target: targetOf(cname) }
  const soaSet = sets.get(setKey(apex, RR_TYPE.SOA))
  const absence = [...(soaSet ? [soaSet] : []), ...denials]
  if ([...sets.values()].some(({ owner }) => isWithin(owner, name))) {
    return { rrsets: absence, rcode: 0 }
  }
  let encloser = parentOf(name)
  while (encloser && ![...sets.values()].some(({ owner }) => isWithin(owner, encloser ?? name))) {
    encloser = parentOf(encloser)
  }
  const wildcard = encloser && wildcardOf(encloser)
  if (wildcard && [...sets.values()].some(({ owner }) => owner === wildcard)) {
    const expanded = [type, RR_TYPE.CNAME].flatMap((each) => {
      const set = sets.get(setKey(wildcard, each))
      return set ? [{ ...set, owner: name }] : []
    })[0]
    if (expanded === undefined) return { rrsets: absence, rcode: 0 }
    const isAlias = expanded.type === RR_TYPE.CNAME && type !== RR_TYPE.CNAME
    const rrsets = [expanded, ...denials]
    return { rrsets, rcode: 0, ...(isAlias && { target: targetOf(expanded) }) }
  }
  return { rrsets: absence, rcode: 3 }
}

function targetOf({ rdatas }: RRset): WireName {
  return wireFrom(rdatas[0]?.toString('latin1') ?? '')
}

function wireFrom(text: string): WireName {
  return wire(textOf(text))
}

/** Of a name without dots and escapes in its labels. */
function textOf(name: string): string {
  const labels: string[] = []
  for (let at = 0; name.charCodeAt(at) !== 0; at += 1 + name.charCodeAt(at)) {
    labels.push(name.slice(at + 1, at + 1 + name.charCodeAt(at)))
  }
  return labels.length === 0 ? '.' : labels.join('.')
}

function zoneAt(zones: readonly Zone[], name: WireName): Zone | undefined {
  return zones
    .filter(({ apex }) => isWithin(name, apex))
    .sort((a, b) => b.apex.length - a.apex.length)[0]
}

function parentZone(zones: readonly Zone[], name: WireName): Zone | undefined {
  const parent = parentOf(name)
  return parent && zoneAt(zones, parent)
}

function ownerIn(apex: WireName, name: string): WireName {
  return name === '@' ? apex : wireFrom(wireName(name).toString('latin1').slice(0, -1) + apex)
}

function typeNumber(type: string): number {
  const entry = Object.entries(RR_TYPE).find(([name]) => name === type)
  if (entry === undefined) throw new Error(`no type ${type}`)
  return entry[1]
}

function rdataOf(type: string, data: readonly string[]): Buffer {
  const [first = '', second = ''] = data
  switch (type) {
    case 'A':
      return Buffer.from(first.split('.').map(Number))
    case 'AAAA':
      return Buffer.from(first.padEnd(32, '0'), 'hex')
    case 'MX':
      return Buffer.concat([u16(Number(first)), wireName(second)])
    case 'CNAME':
    case 'DNAME':
    case 'NS':
      return wireName(first)
    default:
      return Buffer.from(first, 'hex')
  }
}

function soa(apex: WireName): Buffer {
  const names = Buffer.concat([wireName('ns.invalid'), wireName('hostmaster.invalid')])
  return Buffer.concat([names, ...[apex.length, 3600, 600, 86400, 300].map(u32)])
}
