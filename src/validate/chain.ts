/**
 * Which zone holds a name, and which keys sign it?
 *
 * Proven from a trust anchor down, label by label: at each name the zone above either has a
 * DS, and a zone begins whose keys it vouches for; or it denies one, and then the name is an
 * insecure delegation, or no zone begins there (RFC 4035 §5.2, RFC 6840 §4.4). A reply that
 * proves none of these is bogus. So a name is insecure only where a zone above says so with
 * its signature, or the operator does (RFC 7646).
 *
 * Pure: says which questions are open. What it finds is noted in `scene.links`.
 */
import { RR_TYPE } from '../signed-message.js'
import type { RRset, SignedReply } from '../signed-message.js'
import { isWithin, parentOf, wireNameText } from '../wire-name.js'
import type { WireName } from '../wire-name.js'
import { proveDenial, proveExpansion } from './denial.js'
import { bogus, failure, replyTo, setAt } from './scene.js'
import type { Link, Open, Scene, Unfinished, Zone } from './scene.js'
import { trustOf, unsupported, zoneOfKeys } from './zone.js'
import type { SecureZone, Trust } from './zone.js'
import type { Paused } from './work.js'

/** The deepest zone at or above the name. */
export function zoneOf(scene: Scene, name: WireName): Zone | Unfinished {
  const start = startFor(scene, name)
  if (start.kind !== 'secure') return start
  const path = namesBetween(name, start.apex)
  if (path.length > MOST_LABELS) {
    return bogus(`${wireNameText(name)} is more than ${MOST_LABELS} labels below its zone`)
  }
  let zone: SecureZone = start
  for (const at of path) {
    const result = scene.links.get(at)?.result ?? cutAt(scene, zone, at)
    if (result.kind === 'no-cut') {
      if (result.isEnd) return zone
      continue
    }
    if (result.kind !== 'secure') return result
    zone = result
  }
  return zone
}

/** The deepest zone at or above the name that is known already, or an anchor's. */
function startFor(scene: Scene, name: WireName): Zone | Unfinished {
  for (let at: WireName | undefined = name; at !== undefined; at = parentOf(at)) {
    if (scene.insecureZones.has(at)) {
      const detail = `${wireNameText(at)} is one of insecure_zones`
      return { kind: 'insecure', apex: at, detail, expiresAt: Infinity }
    }
    const result = scene.links.get(at)?.result ?? scene.kept(at)
    // What failed is reported where it lies on the way: a zone below may be an anchor's.
    if (result?.kind === 'secure' || result?.kind === 'insecure') return result
    const anchors = anchorsAt(scene, at)
    if (anchors.length > 0) return keysAt(scene, at, { kind: 'anchors', anchors }, undefined)
  }
  return failure('no-resolver', `no trust anchor at or above ${wireNameText(name)}`)
}

function anchorsAt({ anchors }: Scene, apex: WireName) {
  return anchors.filter(({ owner }) => owner === apex)
}

type Cut = Link['result'] | Open | Paused

/** Whether a zone begins at this name of `zone`, and which. */
function cutAt(scene: Scene, zone: SecureZone, at: WireName): Cut {
  const reply = replyTo(scene, { name: at, type: RR_TYPE.DS })
  if (reply.kind !== 'reply') return reply.kind === 'failed' ? note(scene, at, reply) : reply
  const ds = setAt(reply, at, RR_TYPE.DS)
  if (ds !== undefined) return delegationAt(scene, zone, ds)
  const alias = aliasAt(scene, zone, at, reply)
  if (alias !== undefined) return alias
  const proof = proveDenial(reply, zone.keys, at, RR_TYPE.DS, scene.work)
  switch (proof.kind) {
    case 'nxdomain':
      return note(scene, at, { kind: 'no-cut', isEnd: true })
    case 'nodata':
      // RFC 4035 §5.2: NS without SOA at the name is a delegation; DS is absent.
      if (proof.types?.has(RR_TYPE.NS) !== true) {
        return note(scene, at, { kind: 'no-cut', isEnd: false })
      }
      return insecureAt(scene, at, `${wireNameText(at)} has no DS`, proof.expiresAt)
    case 'insecure':
      return insecureAt(scene, at, proof.detail, proof.expiresAt)
    case 'nothing':
      return note(scene, at, bogus(`no proof that ${wireNameText(at)} has no DS: ${proof.detail}`))
    case 'exhausted':
      return note(scene, at, bogus(`DS of ${wireNameText(at)}: ${proof.detail}`))
    case 'paused':
      return proof
  }
}

/** A DS RRset: it counts only with the signature of the zone above (RFC 4035 §2.4, §5.2). */
function delegationAt(scene: Scene, zone: SecureZone, ds: RRset): Cut {
  const verified = scene.work.verify(ds, zone.keys)
  if (verified.kind === 'paused') return verified
  if (verified.kind !== 'verified') {
    return note(scene, ds.owner, bogus(`DS of ${wireNameText(ds.owner)}: ${verified.detail}`))
  }
  // RFC 4592 §4: not from a wildcard.
  if (verified.wildcard !== undefined) {
    return note(scene, ds.owner, bogus(`DS of ${wireNameText(ds.owner)} is from a wildcard`))
  }
  const trust = trustOf(ds, verified.expiresAt)
  if (trust.kind === 'bogus') return note(scene, ds.owner, bogus(trust.detail))
  return keysAt(scene, ds.owner, trust, verified.expiresAt)
}

/** The zone that begins here with these DS records or anchors. */
function keysAt(
  scene: Scene,
  apex: WireName,
  trust: Trust,
  dsExpiresAt: number | undefined,
): Zone | Unfinished {
  const ds = trust.kind === 'ds' ? trust.ds : undefined
  const why = unsupported(trust, scene.policy)
  if (why !== undefined) return insecureAt(scene, apex, why, dsExpiresAt ?? 0, ds)
  if (zonesIn(scene) >= MOST_ZONES) return bogus(`more than ${MOST_ZONES} zones in one lookup`)
  const reply = replyTo(scene, { name: apex, type: RR_TYPE.DNSKEY })
  if (reply.kind === 'open') return reply
  if (reply.kind === 'failed') return note(scene, apex, reply, ds)
  // RFC 6840 §4.3: an alias is no answer to this question.
  const dnskeys = setAt(reply, apex, RR_TYPE.DNSKEY)
  if (dnskeys === undefined) {
    return note(scene, apex, bogus(`${wireNameText(apex)} has a DS, but no DNSKEY`), ds)
  }
  const result = zoneOfKeys(apex, trust, dnskeys, scene.policy, scene.work)
  if (result.kind === 'paused') return result
  if (result.kind === 'bogus') return note(scene, apex, bogus(result.detail), ds, dnskeys)
  return note(scene, apex, result, ds, dnskeys)
}

/**
 * An alias in reply to the question for a DS is no answer to it. But one that the zone has
 * signed shows that no zone begins here: nothing else may be at a CNAME (RFC 1034
 * §3.6.2), nothing below a DNAME (RFC 6672 §2.4).
 */
function aliasAt(
  scene: Scene,
  zone: SecureZone,
  at: WireName,
  reply: SignedReply,
): Cut | undefined {
  const dname = reply.rrsets.find(
    ({ owner, type }) =>
      type === RR_TYPE.DNAME && owner !== at && isWithin(at, owner) && isWithin(owner, zone.apex),
  )
  for (const rrset of [dname, setAt(reply, at, RR_TYPE.CNAME)]) {
    if (rrset === undefined) continue
    const verified = scene.work.verify(rrset, zone.keys)
    if (verified.kind === 'paused') return verified
    if (verified.kind !== 'verified') continue
    const { closestEncloser } = verified
    if (closestEncloser === undefined) {
      return note(scene, at, { kind: 'no-cut', isEnd: rrset === dname })
    }
    const proof = proveExpansion(reply.rrsets, zone.keys, at, closestEncloser, scene.work)
    if (proof.kind === 'paused') return proof
    if (rrset !== dname && proof.kind === 'proven') {
      return note(scene, at, { kind: 'no-cut', isEnd: false })
    }
    if (rrset !== dname && proof.kind === 'insecure') {
      return insecureAt(scene, at, proof.detail, proof.expiresAt)
    }
  }
  return undefined
}

function insecureAt(
  scene: Scene,
  apex: WireName,
  detail: string,
  expiresAt: number,
  ds?: Link['ds'],
): Zone {
  return note(scene, apex, { kind: 'insecure', apex, detail, expiresAt }, ds)
}

function note<R extends Link['result']>(
  scene: Scene,
  name: WireName,
  result: R,
  ds?: Link['ds'],
  dnskeys?: RRset,
): R {
  scene.links.set(name, { name, result, ds, dnskeys })
  return result
}

function zonesIn({ links }: Scene): number {
  return [...links.values()].filter(({ result }) => result.kind === 'secure').length
}

/** From the label below the apex down to the name. */
function namesBetween(name: WireName, apex: WireName): readonly WireName[] {
  const names: WireName[] = []
  for (let at: WireName | undefined = name; at !== undefined && at !== apex; at = parentOf(at)) {
    names.unshift(at)
  }
  return names
}

/** Labels walked below a known zone, and zones in one lookup: more than any honest name has. */
const MOST_LABELS = 20
const MOST_ZONES = 16
