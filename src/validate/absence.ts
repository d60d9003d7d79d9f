/**
 * Is the type absent at the name, and who says so?
 *
 * In a signed zone absence follows from its NSEC or NSEC3 records alone: whether the name
 * exists is what they prove, whatever the RCODE (RFC 4035 §5.4). Below a proven insecure
 * delegation the reply is read as by a stub that does not validate (dns/answer.ts):
 * NOERROR or NXDOMAIN, and never from a referral (RFC 2308 §2.2). Opt-out allows for such
 * a delegation at any name, but a reply that a signed zone gives itself, by SOA and
 * denials, has to prove what it says (RFC 5155 §8.4). Pure.
 */
import type { Failed, Security } from '../lookup.js'
import { NXDOMAIN } from '../rcode.js'
import { RR_TYPE } from '../signed-message.js'
import type { SignedReply } from '../signed-message.js'
import { isWithin, wireNameText } from '../wire-name.js'
import type { WireName } from '../wire-name.js'
import { zoneOf } from './chain.js'
import { proveDenial } from './denial.js'
import { bogus, failure, typeText } from './scene.js'
import type { Scene, Unfinished } from './scene.js'
import { signersOf } from './vouch.js'

export type Absence =
  | {
      readonly kind: 'absent'
      readonly reason: 'nodata' | 'nxdomain'
      readonly security: Security
      /** Milliseconds since the epoch. */
      readonly expiresAt: number
    }
  /** The reply says nothing about this name: ask for it. */
  | { readonly kind: 'elsewhere' }

/** @param isTarget the name is the target of an alias in this reply */
export function absenceOf(
  scene: Scene,
  reply: SignedReply,
  name: WireName,
  type: number,
  isTarget: boolean,
): Absence | Unfinished {
  // Records of the type at another name contradict absence.
  if (reply.rrsets.some((rrset) => rrset.type === type)) {
    return failure('malformed', `records of type ${typeText(type)} in the wrong place`)
  }
  const proven = provenAbsence(scene, reply, name, type)
  if (proven.kind !== 'unproven') return proven
  if (isTarget && soaAbove(reply, name) === undefined) return { kind: 'elsewhere' }

  const zone = zoneOf(scene, name)
  // RFC 5155 §8.4: opt-out does not complete what a signed zone itself says of a name in it.
  const isExcused =
    zone.kind === 'insecure' && (!proven.isClaimed || scene.insecureZones.has(zone.apex))
  if (isExcused) return insecureAbsence(reply, name)
  if (zone.kind !== 'secure' && zone.kind !== 'insecure') return zone
  if (isTarget) return { kind: 'elsewhere' }
  const what = `no proof that ${wireNameText(name)} has no ${typeText(type)}`
  return bogus(
    `${what}: ${proven.detail ?? `zone ${wireNameText(zone.apex)} is signed, but no NSEC or NSEC3 is in the reply`}`,
  )
}

type Unproven = {
  readonly kind: 'unproven'
  readonly detail: string | undefined
  /** By its SOA and its denials the reply is that of a signed zone at or above the name. */
  readonly isClaimed: boolean
}

function provenAbsence(
  scene: Scene,
  reply: SignedReply,
  name: WireName,
  type: number,
): Absence | Unproven | Unfinished {
  const denials = reply.rrsets.filter(
    (rrset) => rrset.type === RR_TYPE.NSEC || rrset.type === RR_TYPE.NSEC3,
  )
  const said = soaAbove(reply, name)?.owner
  let detail: string | undefined
  let isClaimed = false
  for (const signer of signersOf(denials, name)) {
    const zone = zoneOf(scene, signer)
    if (zone.kind === 'insecure') return insecureAbsence(reply, name)
    if (zone.kind !== 'secure') return zone
    if (zone.apex !== signer) continue
    const proof = proveDenial(reply, zone.keys, name, type, scene.work)
    switch (proof.kind) {
      case 'nxdomain':
      case 'nodata':
        return secureAbsence(reply, name, proof)
      case 'insecure':
        return insecureAbsence(reply, name)
      case 'paused':
        return proof
      case 'exhausted':
        return bogus(
          `no proof that ${wireNameText(name)} has no ${typeText(type)}: ${proof.detail}`,
        )
      case 'nothing':
        detail ??= proof.detail
        isClaimed ||= signer === said
    }
  }
  return { kind: 'unproven', detail, isClaimed }
}

function secureAbsence(
  reply: SignedReply,
  name: WireName,
  proof: { readonly kind: 'nodata' | 'nxdomain'; readonly expiresAt: number },
): Absence {
  // RFC 9077 §3. The SOA is not validated: it can only shorten the time.
  const soa = soaAbove(reply, name)
  const expiresAt = Math.min(proof.expiresAt, soa === undefined ? Infinity : expiryBy(reply, soa))
  return { kind: 'absent', reason: proof.kind, security: 'secure', expiresAt }
}

/** As dns/answer.ts reads a reply, except that RA is not known here. */
function insecureAbsence(reply: SignedReply, name: WireName): Absence | Failed {
  const soa = soaAbove(reply, name)
  const isElsewhere = reply.rrsets.some(({ type }) => type === RR_TYPE.SOA)
  if (soa === undefined && reply.rcode === NXDOMAIN && isElsewhere) {
    return failure('malformed', 'NXDOMAIN from another zone')
  }
  const isReferral = isElsewhere || reply.rrsets.some(({ type }) => type === RR_TYPE.NS)
  if (soa === undefined && reply.rcode !== NXDOMAIN && isReferral) {
    return failure('malformed', 'a referral instead of an answer')
  }
  // RFC 2308 §5: without a SOA the lifetime of absence is unknown.
  const expiresAt = soa === undefined ? reply.receivedAt : expiryBy(reply, soa)
  const reason = reply.rcode === NXDOMAIN ? 'nxdomain' : 'nodata'
  return { kind: 'absent', reason, security: 'insecure', expiresAt }
}

type Soa = { readonly owner: WireName; readonly negativeTtl: number }

/** RFC 2308 §3: the SOA of the zone that the name would be in. */
function soaAbove(reply: SignedReply, name: WireName): Soa | undefined {
  for (const { type, owner, rdatas, ttl } of reply.rrsets) {
    const [rdata] = rdatas
    if (type !== RR_TYPE.SOA || !isWithin(name, owner) || rdata === undefined) continue
    // RFC 2308 §5: MINIMUM, its last number, and the TTL of the SOA itself.
    return { owner, negativeTtl: Math.min(ttl, rdata.readUInt32BE(rdata.length - 4)) }
  }
  return undefined
}

function expiryBy({ receivedAt }: SignedReply, { negativeTtl }: Soa): number {
  return receivedAt + negativeTtl * 1000
}
