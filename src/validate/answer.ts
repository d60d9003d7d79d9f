/**
 * What do the replies say about a question, once validated?
 *
 * Follows aliases through the replies, each link in its own zone, to a `Lookup` of the same
 * shape as dns/answer.ts gives. It is as weak as its weakest part: bogus anywhere is a
 * failure, else insecure anywhere is insecure (RFC 4035 §3.2.3, RFC 7672 §2.1.3). Where a
 * reply ends before the chain of aliases does, or says nothing that can be proven about a
 * target, the target is asked for. Pure: says which questions are open.
 */
import { MAX_ALIASES } from '../lookup.js'
import type { DnsRecord, Lookup, RecordType, Security } from '../lookup.js'
import type { DomainName } from '../name.js'
import { RR_TYPE } from '../signed-message.js'
import { toWireName } from '../wire-name.js'
import { failure, open } from './scene.js'
import type { Open, Scene } from './scene.js'
import { failureByRcode } from '../rcode.js'
import { stepAt } from './step.js'
import type { Paused } from './work.js'

/** What has been followed so far. */
type Trail = {
  readonly aliases: DomainName[]
  dname: DomainName | undefined
  security: Security
  /** Milliseconds since the epoch. */
  expiresAt: number
  isStale: boolean
}

export function answerOf(scene: Scene, name: DomainName, type: RecordType): Lookup | Open | Paused {
  const trail: Trail = {
    aliases: [],
    dname: undefined,
    security: 'secure',
    expiresAt: scene.work.now + MAX_TTL * 1000,
    isStale: false,
  }
  let at = name
  let asked = name
  for (;;) {
    const question = { name: toWireName(asked), type: RR_TYPE[type] }
    const reply = scene.reply(question)
    if (reply === undefined) return open(question)
    if (reply.kind === 'failed') return reply
    const failed = failureByRcode(reply)
    if (failed !== undefined) return failed
    note(trail, reply.isStale, scene.work.now)

    const step = stepAt(scene, reply, at, type, at !== asked)
    switch (step.kind) {
      case 'alias':
        weaken(trail, step)
        if (trail.aliases.length === 0) trail.dname = step.dname
        trail.aliases.push(at)
        if (trail.aliases.includes(step.target) || trail.aliases.length > MAX_ALIASES) {
          return failure('alias-loop', `aliases of ${name}`)
        }
        at = step.target
        break
      case 'records':
        weaken(trail, step)
        return found(trail, at, step.records)
      case 'absent':
        weaken(trail, step)
        return { kind: 'absent', reason: step.reason, ...endOf(trail, at) }
      case 'elsewhere':
        asked = at
        break
      case 'failed':
        // What a reply adds about a target may be all there is to it, or not.
        if (at === asked) return step
        asked = at
        break
      case 'open':
      case 'paused':
        return step
    }
  }
}

function weaken(
  trail: Trail,
  part: { readonly security: Security; readonly expiresAt: number },
): void {
  if (part.security === 'insecure') trail.security = 'insecure'
  trail.expiresAt = Math.min(trail.expiresAt, part.expiresAt)
}

/** RFC 8767 §4: the TTL of a stale answer, whatever the resolver says. */
function note(trail: Trail, isStale: boolean, now: number): void {
  if (!isStale) return
  trail.isStale = true
  trail.expiresAt = Math.min(trail.expiresAt, now + STALE_TTL * 1000)
}

function found(trail: Trail, at: DomainName, records: readonly DnsRecord[]): Lookup {
  return { kind: 'found', records: records.slice(0, ENOUGH), ...endOf(trail, at) }
}

function endOf({ aliases, dname, security, expiresAt, isStale }: Trail, at: DomainName) {
  return {
    security,
    canonicalName: at,
    aliases,
    ...(dname !== undefined && { dname }),
    expiresAt,
    ...(isStale && { isStale }),
  } as const
}

/** As in dns/answer.ts: records kept from one answer, and the longest time they are kept. */
const ENOUGH = 256
const MAX_TTL = 86_400
const STALE_TTL = 30
