/**
 * What is known while a lookup is validated: replies, zones, policy. And how the functions
 * of validate/ say what they still need.
 *
 * The functions are pure: they are called again whenever more is known, and never wait.
 */
import type { Failed, FailureCause } from '../lookup.js'
import { failureByRcode } from '../rcode.js'
import { RR_TYPE } from '../signed-message.js'
import type { RRset, SignedQuestion, SignedReply } from '../signed-message.js'
import { printable } from '../text.js'
import type { TrustAnchor } from '../trust-anchor.js'
import { wireNameText } from '../wire-name.js'
import type { WireName } from '../wire-name.js'
import type { AlgorithmPolicy, Ds } from './key.js'
import type { InsecureZone, SecureZone } from './zone.js'
import type { Paused, Work } from './work.js'

export type Zone = SecureZone | InsecureZone

/** What was found at a name on the way down. */
export type Link = {
  readonly name: WireName
  readonly result:
    | Zone
    /** No zone begins here; `isEnd`: nothing below exists either (RFC 8020). */
    | { readonly kind: 'no-cut'; readonly isEnd: boolean }
    | Failed
  /** What the parent publishes; undefined: it denies a DS, or the keys are an anchor's. */
  readonly ds: readonly Ds[] | undefined
  readonly dnskeys: RRset | undefined
}

/** How an RRset of the answer fared. */
export type Finding = {
  readonly rrset: RRset
  readonly kind: 'secure' | 'insecure' | 'bogus'
  readonly detail: string
}

export type Scene = {
  readonly work: Work
  readonly policy: AlgorithmPolicy
  readonly anchors: readonly TrustAnchor[]
  /** RFC 7646. */
  readonly insecureZones: ReadonlySet<WireName>
  /** Undefined: not asked, or no reply yet. */
  reply(question: SignedQuestion): SignedReply | Failed | undefined
  /** A zone that an earlier lookup has established, not expired. */
  kept(apex: WireName): Zone | undefined
  /** What this lookup has established, by name, in the order of events. */
  readonly links: Map<WireName, Link>
  readonly findings: Map<RRset, Finding>
}

/** This question has to be answered first. */
export type Open = { readonly kind: 'open'; readonly question: SignedQuestion }

/** No result: not yet, or not at all. */
export type Unfinished = Open | Paused | Failed

export function open(question: SignedQuestion): Open {
  return { kind: 'open', question }
}

export function bogus(detail: string): Failed {
  return failure('bogus', detail)
}

export function failure(cause: FailureCause, detail: string): Failed {
  return { kind: 'failed', cause, detail: printable(detail, MOST_DETAIL), extendedErrors: [] }
}

/** The reply to a question of the chain; a failure says which question it was. */
export function replyTo(scene: Scene, question: SignedQuestion): SignedReply | Open | Failed {
  const reply = scene.reply(question)
  if (reply === undefined) return open(question)
  const failed = reply.kind === 'failed' ? reply : failureByRcode(reply)
  if (failed === undefined) return reply
  return { ...failed, detail: printable(`${questionText(question)}: ${failed.detail}`) }
}

/** `DS of example.org`. */
export function questionText({ name, type }: SignedQuestion): string {
  return `${typeText(type)} of ${wireNameText(name)}`
}

export function typeText(type: number): string {
  return TYPE_NAMES.get(type) ?? `type ${type}`
}

export function setAt({ rrsets }: SignedReply, owner: WireName, type: number): RRset | undefined {
  return rrsets.find((rrset) => rrset.type === type && rrset.owner === owner)
}

const TYPE_NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(RR_TYPE).map(([name, type]) => [type, name]),
)

export const MOST_DETAIL = 300
