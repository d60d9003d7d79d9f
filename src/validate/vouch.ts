/**
 * Is an RRset of a reply secure, insecure, or bogus?
 *
 * Secure: the zone that signed it is established by a chain of trust, and its keys verify
 * it; if it comes from a wildcard, the zone also denies that its name exists (RFC 4035
 * §5.3.4). Insecure: its name lies below a proven insecure delegation. Everything else is
 * bogus. An RRset without a signature is insecure only by the latter (RFC 4035 §5.2): that
 * a signature is missing proves nothing. Pure.
 */
import type { Failed, Security } from '../lookup.js'
import type { RRset, SignedReply } from '../signed-message.js'
import { isWithin, wireNameText } from '../wire-name.js'
import type { WireName } from '../wire-name.js'
import { zoneOf } from './chain.js'
import { proveExpansion } from './denial.js'
import { bogus, typeText } from './scene.js'
import type { Finding, Scene, Unfinished } from './scene.js'
import type { ZoneKeys } from './signature.js'

export type Vouched = {
  readonly kind: 'vouched'
  readonly security: Security
  /** Milliseconds since the epoch. */
  readonly expiresAt: number
}

export function vouchFor(scene: Scene, reply: SignedReply, rrset: RRset): Vouched | Unfinished {
  const what = `${typeText(rrset.type)} of ${wireNameText(rrset.owner)}`
  let detail: string | undefined
  for (const signer of signersOf([rrset], rrset.owner)) {
    const zone = zoneOf(scene, signer)
    if (zone.kind === 'insecure') return insecure(scene, reply, rrset, zone.detail)
    if (zone.kind !== 'secure') return zone
    if (zone.apex !== signer) {
      detail ??= `${what}: its signer ${wireNameText(signer)} is not a zone`
      continue
    }
    const result = vouchInZone(scene, reply, rrset, zone.keys)
    if (result.kind !== 'unverified') return result
    detail ??= `${what}: ${result.detail}`
  }
  return detail === undefined ? unsigned(scene, reply, rrset) : fail(scene, rrset, detail)
}

/** Zones named by RRSIGs that the name can lie in, the closest first. */
export function signersOf(rrsets: readonly RRset[], name: WireName): readonly WireName[] {
  const signers = new Set(
    rrsets.flatMap(({ signatures }) => signatures.map(({ signer }) => signer)),
  )
  return [...signers]
    .filter((signer) => isWithin(name, signer))
    .sort((a, b) => b.length - a.length)
    .slice(0, MOST_SIGNERS)
}

type Unverified = { readonly kind: 'unverified'; readonly detail: string }

function vouchInZone(
  scene: Scene,
  reply: SignedReply,
  rrset: RRset,
  keys: ZoneKeys,
): Vouched | Unverified | Unfinished {
  const verified = scene.work.verify(rrset, keys)
  switch (verified.kind) {
    case 'paused':
      return verified
    case 'exhausted':
      return fail(
        scene,
        rrset,
        `${typeText(rrset.type)} of ${wireNameText(rrset.owner)}: ${verified.detail}`,
      )
    case 'bogus':
      return { kind: 'unverified', detail: verified.detail }
    case 'verified':
  }
  const { expiresAt, closestEncloser } = verified
  if (closestEncloser === undefined) return secure(scene, rrset, expiresAt)
  const { owner } = rrset
  const proof = proveExpansion(reply.rrsets, keys, owner, closestEncloser, scene.work)
  switch (proof.kind) {
    case 'proven':
      return secure(scene, rrset, Math.min(expiresAt, proof.expiresAt))
    case 'insecure':
      return insecure(scene, reply, rrset, proof.detail)
    case 'paused':
      return proof
    case 'exhausted':
    case 'nothing': {
      const detail = `from a wildcard, without proof that ${wireNameText(owner)} does not exist`
      return { kind: 'unverified', detail: `${detail}: ${proof.detail}` }
    }
  }
}

/** RFC 4035 §5.2: only a proven insecure delegation excuses a missing signature. */
function unsigned(scene: Scene, reply: SignedReply, rrset: RRset): Vouched | Unfinished {
  const zone = zoneOf(scene, rrset.owner)
  if (zone.kind === 'insecure') return insecure(scene, reply, rrset, zone.detail)
  if (zone.kind !== 'secure') return zone
  const what = `${typeText(rrset.type)} of ${wireNameText(rrset.owner)}`
  return fail(
    scene,
    rrset,
    `${what} has no signature, but zone ${wireNameText(zone.apex)} is signed`,
  )
}

function secure(scene: Scene, rrset: RRset, expiresAt: number): Vouched {
  find(scene, { rrset, kind: 'secure', detail: '' })
  return { kind: 'vouched', security: 'secure', expiresAt }
}

function insecure(scene: Scene, reply: SignedReply, rrset: RRset, detail: string): Vouched {
  find(scene, { rrset, kind: 'insecure', detail })
  const expiresAt = reply.receivedAt + rrset.ttl * 1000
  return { kind: 'vouched', security: 'insecure', expiresAt }
}

function fail(scene: Scene, rrset: RRset, detail: string): Failed {
  find(scene, { rrset, kind: 'bogus', detail })
  return bogus(detail)
}

function find(scene: Scene, finding: Finding): void {
  scene.findings.set(finding.rrset, finding)
}

/** Zones tried for one RRset or denial; an honest one has one. */
const MOST_SIGNERS = 4
