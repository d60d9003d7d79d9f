/**
 * Which questions are worth asking before they are needed?
 *
 * The chain is proven from the top down, but nothing forces the questions into that order.
 * The DS of the names above is asked for together with the question itself; as soon as an
 * RRSIG names its zone, so are that zone's DNSKEY and DS. A cold domain takes two or
 * three rounds instead of seven. Nothing is believed because of this: a wrong guess costs
 * a question. Pure.
 */
import type { RecordType } from '../lookup.js'
import { RR_TYPE } from '../signed-message.js'
import type { SignedQuestion, SignedReply } from '../signed-message.js'
import { isWithin, parentOf } from '../wire-name.js'
import type { WireName } from '../wire-name.js'
import type { Scene } from './scene.js'

/** What to ask together with the question. */
export function askedWith(
  scene: Scene,
  name: WireName,
  type: RecordType,
): readonly SignedQuestion[] {
  const known = knownAbove(scene, name)
  if (known.isInsecure) return []
  const names = namesDown(likelyZone(name, type), known.apex).slice(-MOST_AHEAD)
  const root = known.apex === undefined || known.isKept ? undefined : known.apex
  return [
    ...(root === undefined ? [] : [{ name: root, type: RR_TYPE.DNSKEY }]),
    ...names.map((each) => ({ name: each, type: RR_TYPE.DS })),
  ]
}

/** What a reply shows to be needed: the zones that its RRSIGs name. */
export function following(
  scene: Scene,
  question: SignedQuestion,
  reply: SignedReply,
): readonly SignedQuestion[] {
  const signers = new Set(
    reply.rrsets.flatMap(({ signatures }) => signatures.map(({ signer }) => signer)),
  )
  const questions: SignedQuestion[] = []
  for (const signer of [...signers].slice(0, MOST_SIGNERS)) {
    if (!reply.rrsets.some(({ owner }) => isWithin(owner, signer))) continue
    const known = knownAbove(scene, signer)
    if (known.isInsecure || (known.isKept && known.apex === signer)) continue
    questions.push({ name: signer, type: RR_TYPE.DNSKEY })
    for (const each of namesDown(signer, known.apex).slice(-MOST_AHEAD)) {
      questions.push({ name: each, type: RR_TYPE.DS })
    }
  }
  return questions.filter(({ name, type }) => name !== question.name || type !== question.type)
}

type Known = {
  /** Undefined: no anchor above. */
  readonly apex: WireName | undefined
  readonly isKept: boolean
  readonly isInsecure: boolean
}

/** The deepest zone at or above the name that is established, or an anchor's. */
function knownAbove(scene: Scene, name: WireName): Known {
  for (let at: WireName | undefined = name; at !== undefined; at = parentOf(at)) {
    const apex = at
    if (scene.insecureZones.has(apex)) return { apex, isKept: true, isInsecure: true }
    const zone = scene.links.get(apex)?.result ?? scene.kept(apex)
    if (zone?.kind === 'insecure') return { apex, isKept: true, isInsecure: true }
    if (zone?.kind === 'secure') return { apex, isKept: true, isInsecure: false }
    if (scene.anchors.some(({ owner }) => owner === apex)) {
      return { apex, isKept: false, isInsecure: false }
    }
  }
  return { apex: undefined, isKept: false, isInsecure: false }
}

/** The deepest name that is likely to be a zone: a mail domain is, a host in one is not. */
function likelyZone(name: WireName, type: RecordType): WireName | undefined {
  let host: WireName | undefined = name
  while (host?.charAt(1) === '_') host = parentOf(host)
  return type === 'MX' && host === name ? name : host && parentOf(host)
}

/** From `deepest` up to below `apex`. */
function namesDown(deepest: WireName | undefined, apex: WireName | undefined): WireName[] {
  const names: WireName[] = []
  if (apex === undefined) return names
  let at = deepest
  while (at !== undefined && at !== apex && isWithin(at, apex)) {
    names.unshift(at)
    at = parentOf(at)
  }
  return names
}

/** Names asked about at once, and zones followed from one reply. */
const MOST_AHEAD = 6
const MOST_SIGNERS = 4
