/**
 * What does a validated reply say at one name: an alias, records, or absence?
 *
 * A CNAME or DNAME counts once it is vouched for, like any RRset. The CNAME that a server
 * derives from a DNAME is not signed and not believed: the alias is derived here from the
 * DNAME (RFC 6672 §5.3.1), or is none. Contradictions are malformed, as in dns/answer.ts:
 * two aliases at a name, records of the type next to one, NXDOMAIN with records. Pure.
 */
import { MAX_RECORDS } from '../lookup.js'
import type { DnsRecord, Failed, RecordType, Security } from '../lookup.js'
import { nameFromWire } from '../name.js'
import type { DomainName } from '../name.js'
import { NXDOMAIN } from '../rcode.js'
import { RR_TYPE } from '../signed-message.js'
import type { RRset, SignedReply } from '../signed-message.js'
import { isWithin, toWireName } from '../wire-name.js'
import { absenceOf } from './absence.js'
import type { Absence } from './absence.js'
import { readRecord, textName } from './record.js'
import { failure, setAt } from './scene.js'
import type { Scene, Unfinished } from './scene.js'
import { vouchFor } from './vouch.js'

export type Step =
  | {
      readonly kind: 'alias'
      readonly target: DomainName
      /** The owner of the DNAME it is derived from. */
      readonly dname: DomainName | undefined
      readonly security: Security
      readonly expiresAt: number
    }
  | {
      readonly kind: 'records'
      readonly records: readonly DnsRecord[]
      readonly security: Security
      readonly expiresAt: number
    }
  | Absence
  | Unfinished

/** @param isTarget the name is the target of an alias in this reply, not the one asked for */
export function stepAt(
  scene: Scene,
  reply: SignedReply,
  name: DomainName,
  type: RecordType,
  isTarget: boolean,
): Step {
  const owner = toWireName(name)
  const rrset = setAt(reply, owner, RR_TYPE[type])
  const dnames = reply.rrsets.filter(
    (each) => each.type === RR_TYPE.DNAME && each.owner !== owner && isWithin(owner, each.owner),
  )
  const [dname, second] = dnames
  if (dname !== undefined) {
    // RFC 6672 §2.4: one DNAME above a name, and nothing else below it.
    const isContradiction = second !== undefined || (type !== 'CNAME' && rrset !== undefined)
    return isContradiction ? malformed(name) : derived(scene, reply, dname, name, type)
  }
  const cname = setAt(reply, owner, RR_TYPE.CNAME)
  if (cname !== undefined && type !== 'CNAME') {
    // RFC 2181 §10.1: no records of the type next to an alias.
    if (rrset !== undefined || type === 'DNAME') return malformed(name)
    return aliasBy(scene, reply, cname, name)
  }
  if (rrset === undefined) return absenceOf(scene, reply, owner, RR_TYPE[type], isTarget)
  return recordsOf(scene, reply, rrset, type)
}

function aliasBy(scene: Scene, reply: SignedReply, cname: RRset, name: DomainName): Step {
  const alias = onlyRecord('CNAME', cname)
  if (alias?.type !== 'CNAME') return malformed(name)
  const vouched = vouchFor(scene, reply, cname)
  if (vouched.kind !== 'vouched') return vouched
  const { security, expiresAt } = vouched
  return { kind: 'alias', target: alias.target, dname: undefined, security, expiresAt }
}

/** RFC 6672 §2.2: the labels below the DNAME, in front of its target. */
function derived(
  scene: Scene,
  reply: SignedReply,
  rrset: RRset,
  name: DomainName,
  type: RecordType,
): Step {
  const dname = onlyRecord('DNAME', rrset)
  const owner = textName(rrset.owner)
  if (dname?.type !== 'DNAME' || owner === undefined) return malformed(name)
  const vouched = vouchFor(scene, reply, rrset)
  if (vouched.kind !== 'vouched') return vouched
  const labels = owner === '.' ? name : name.slice(0, -owner.length - 1)
  const target = nameFromWire(dname.target === '.' ? labels : `${labels}.${dname.target}`)
  if (target === undefined || owner === '.') {
    return failure('rcode', `YXDOMAIN, the DNAME of ${owner} makes no name of ${name}`)
  }
  const { security, expiresAt } = vouched
  if (type === 'CNAME') {
    return { kind: 'records', records: [{ type, target }], security, expiresAt }
  }
  return { kind: 'alias', target, dname: owner, security, expiresAt }
}

function recordsOf(scene: Scene, reply: SignedReply, rrset: RRset, type: RecordType): Step {
  if (reply.rcode === NXDOMAIN) return failure('malformed', 'NXDOMAIN with records')
  if (rrset.rdatas.length > MAX_RECORDS[type]) {
    return failure('malformed', `${rrset.rdatas.length} records of type ${type}`)
  }
  const records: DnsRecord[] = []
  for (const rdata of rrset.rdatas) {
    const record = readRecord(type, rdata)
    if (record === undefined) return failure('malformed', `a record of type ${type}`)
    records.push(record)
  }
  const vouched = vouchFor(scene, reply, rrset)
  if (vouched.kind !== 'vouched') return vouched
  const { security, expiresAt } = vouched
  return { kind: 'records', records, security, expiresAt }
}

/** RFC 2181 §10.1: an alias has one target. */
function onlyRecord(type: 'CNAME' | 'DNAME', { rdatas }: RRset): DnsRecord | undefined {
  const [rdata, ...others] = rdatas
  if (rdata === undefined || others.some((other) => !other.equals(rdata))) return undefined
  return readRecord(type, rdata)
}

function malformed(name: DomainName): Failed {
  return failure('malformed', `aliases of ${name}`)
}
