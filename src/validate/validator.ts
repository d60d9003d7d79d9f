/**
 * Validates answers by DNSSEC, whatever the resolver is (RFC 4035 §5).
 *
 * Every answer is one of: secure, proven from a trust anchor down to its records; insecure,
 * proven by a zone above that does not sign for it; or a failure, bogus with the reason in
 * words, or undetermined with what could not be asked. Nothing is insecure because
 * something is missing. AD is not read.
 *
 * Zones that were established are kept, so that a lookup in a known zone costs its own
 * question. Since a zone may change its keys, a bogus result that rests on kept zones is
 * proven once more without them. Answers are not kept here, and failures nowhere.
 *
 * The only file of validate/ with effects, all passed in: questions, clock, turns.
 */
import { ofType } from '../lookup.js'
import type { Lookup, RecordType } from '../lookup.js'
import type { DomainName } from '../name.js'
import type { AskSigned } from '../signed-message.js'
import { parentOf, toWireName } from '../wire-name.js'
import type { WireName } from '../wire-name.js'
import type { ChainReport } from './chain-report.js'
import { inquire } from './inquiry.js'
import type { Inquiry, InquiryParts } from './inquiry.js'
import { provenUnder } from './proven-under.js'
import type { Rules } from './proven-under.js'
import { createQuestions } from './questions.js'
import { reportOf } from './report.js'
import type { Zone } from './scene.js'
import type { ZoneStore } from './zone-store.js'

export type ValidatorParts = Rules & {
  readonly ask: AskSigned
  /** Milliseconds since the epoch: the real clock, since signatures end by it. */
  readonly now: () => number
  /** Resolves after other events had their turn (setImmediate). */
  readonly yieldTurn: () => Promise<void>
  readonly zones: ZoneStore
  readonly observe?: (event: ValidatorEvent) => void
}

/** What a lookup has cost. */
export type ValidatorEvent = {
  readonly kind: 'validated'
  readonly name: DomainName
  readonly type: RecordType
  readonly questions: number
  readonly rounds: number
}

export type Validator = {
  /**
   * Network failures do not reject: they are a `Failed`.
   *
   * @param deadline milliseconds since the epoch
   */
  lookup<T extends RecordType>(name: DomainName, type: T, deadline: number): Promise<Lookup<T>>
  /** As `lookup`, proven from the trust anchors without what is kept, with a report of each link. */
  explain(name: DomainName, type: RecordType, deadline: number): Promise<ChainReport>
}

export function createValidator(parts: ValidatorParts): Validator {
  const { anchors, isSha1Allowed, now, yieldTurn, zones, observe } = parts
  const ask = createQuestions(parts.ask, now)
  const under = provenUnder(parts)
  const common = {
    ask,
    anchors,
    insecureZones: new Set(parts.insecureZones),
    policy: { sha1: isSha1Allowed },
    now,
    yieldTurn,
  }

  function kept(apex: WireName): Zone | undefined {
    const zone = zones.get(apex)
    if (zone?.under !== under || zone.expiresAt <= now()) return undefined
    const { keys, detail, expiresAt } = zone
    if (keys === undefined) return { kind: 'insecure', apex, detail, expiresAt }
    return { kind: 'secure', apex, keys: { zone: apex, keys }, expiresAt }
  }

  function keep(zone: Zone): void {
    const { apex, expiresAt } = zone
    if (expiresAt <= now() || expiresAt === Infinity) return
    const ends = Math.min(expiresAt, now() + MOST_KEPT)
    const isSecure = zone.kind === 'secure'
    const keys = isSecure ? zone.keys.keys : undefined
    zones.put({ apex, keys, detail: isSecure ? '' : zone.detail, expiresAt: ends, under })
  }

  async function prove(
    name: DomainName,
    type: RecordType,
    deadline: number,
    seen: InquiryParts['kept'],
  ): Promise<Inquiry> {
    const since = zones.generation()
    // What was asked before everything was forgotten may be what is to be forgotten.
    const keepNew = (zone: Zone): void => {
      if (zones.generation() === since) keep(zone)
    }
    const inquiry = await inquire({ ...common, kept: seen, keep: keepNew }, name, type, deadline)
    const { questions, rounds } = inquiry
    observe?.({ kind: 'validated', name, type, questions, rounds })
    return inquiry
  }

  return {
    async lookup(name, type, deadline) {
      await zones.load?.(upwards(toWireName(name)), under)
      const used = new Set<WireName>()
      const { lookup } = await prove(name, type, deadline, (apex) => {
        const zone = kept(apex)
        if (zone !== undefined) used.add(apex)
        return zone
      })
      const isBogus = lookup.kind === 'failed' && lookup.cause === 'bogus'
      if (!isBogus || used.size === 0) return ofType(lookup, type)
      // RFC 4035 §5.3.3: its keys may have changed.
      return ofType((await prove(name, type, deadline, () => undefined)).lookup, type)
    },
    async explain(name, type, deadline) {
      const inquiry = await prove(name, type, deadline, () => undefined)
      return reportOf(inquiry, anchors, name, type, now())
    },
  }
}

function upwards(name: WireName): readonly WireName[] {
  const names: WireName[] = []
  for (let at: WireName | undefined = name; at !== undefined; at = parentOf(at)) names.push(at)
  return names
}

/** Milliseconds: no zone is kept for longer than a day. */
const MOST_KEPT = 86_400_000
