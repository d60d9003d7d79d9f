/**
 * One lookup: asks what the pure functions still need, until they have a result.
 *
 * Questions go out side by side, those for which a reply gives the reason as soon as it
 * arrives (ahead.ts). When verifying has taken a slice of time, other events of the process
 * come first. Ends at the deadline of the lookup at the latest, if the resolver keeps to it.
 */
import type { Failed, Lookup, RecordType } from '../lookup.js'
import type { DomainName } from '../name.js'
import type { SignedQuestion, SignedReply } from '../signed-message.js'
import { toWireName } from '../wire-name.js'
import { askedWith, following } from './ahead.js'
import { answerOf } from './answer.js'
import { BUDGET, Budget } from './budget.js'
import { questionKey } from './questions.js'
import type { Questions } from './questions.js'
import { bogus } from './scene.js'
import type { Link, Scene, Zone } from './scene.js'
import type { WireName } from '../wire-name.js'
import { createWork } from './work.js'

export type InquiryParts = Pick<Scene, 'policy' | 'anchors' | 'insecureZones'> & {
  readonly ask: Questions
  /** Milliseconds since the epoch. */
  readonly now: () => number
  readonly yieldTurn: () => Promise<void>
  readonly kept: (apex: WireName) => Zone | undefined
  /** Called for each zone once, as soon as it is established. */
  readonly keep: (zone: Zone) => void
}

/** What a lookup came to, and on what. */
export type Inquiry = {
  readonly lookup: Lookup
  readonly scene: Scene
  readonly questions: number
  /** The longest chain of questions each of which had to wait for a reply to another. */
  readonly rounds: number
}

/** @param deadline milliseconds since the epoch */
export async function inquire(
  parts: InquiryParts,
  name: DomainName,
  type: RecordType,
  deadline: number,
): Promise<Inquiry> {
  const { policy, anchors, insecureZones, now, kept, yieldTurn } = parts
  const budget = new Budget()
  const replies = new Map<string, SignedReply | Failed>()
  const pending = new Map<string, Promise<void>>()
  const scene: Scene = {
    work: createWork(now(), budget, policy),
    policy,
    anchors,
    insecureZones,
    reply: (question) => replies.get(questionKey(question)),
    kept,
    links: new Map<WireName, Link>(),
    findings: new Map(),
  }
  let questions = 0
  let rounds = 0
  /** The round of the latest reply. */
  let heard = 0

  /** False if the budget does not allow it. */
  function send(question: SignedQuestion, round: number): boolean {
    const key = questionKey(question)
    if (replies.has(key) || pending.has(key)) return true
    if (!budget.take('questions')) return false
    questions++
    rounds = Math.max(rounds, round)
    pending.set(key, receive(question, key, round))
    return true
  }

  async function receive(question: SignedQuestion, key: string, round: number): Promise<void> {
    const reply = await parts.ask(question, deadline)
    pending.delete(key)
    replies.set(key, reply)
    heard = Math.max(heard, round)
    if (reply.kind === 'reply') sendAhead(following(scene, question, reply), round + 1)
  }

  function sendAhead(ahead: readonly SignedQuestion[], round: number): void {
    for (const question of ahead) if (questions < MOST_AHEAD) send(question, round)
  }

  function keepZones(known: number): void {
    for (const { result } of [...scene.links.values()].slice(known)) {
      if (result.kind === 'secure' || result.kind === 'insecure') parts.keep(result)
    }
  }

  for (let isFirst = true; ; isFirst = false) {
    const known = scene.links.size
    const result = answerOf(scene, name, type)
    keepZones(known)
    if (result.kind === 'paused') {
      budget.startSlice()
      await yieldTurn()
      continue
    }
    if (result.kind !== 'open') return { lookup: result, scene, questions, rounds }
    if (!send(result.question, heard + 1)) {
      return { lookup: bogus(budget.exhausted ?? ''), scene, questions, rounds }
    }
    if (isFirst) sendAhead(askedWith(scene, toWireName(name), type), 1)
    await pending.get(questionKey(result.question))
    budget.startSlice()
  }
}

/** Questions after which none is asked ahead, so that those that are needed have room. */
const MOST_AHEAD = BUDGET.questions / 2
