/**
 * Does this resolver pass on what validation needs?
 *
 * Asks for the root's SOA and DNSKEY and for the DS of a name that does not exist, which
 * need a signature, the keys and a denial, and validates them from the trust anchors. A
 * resolver that drops one of them is not used, by name: it must not be taken for one whose
 * answers are insecure (RFC 4035 §4.3, §5.2; CVE-2023-7008). The result is a value; all
 * effects are passed in.
 */
import { failureText } from '../lookup.js'
import type { ProbeResult } from '../lookup.js'
import { failureByRcode } from '../rcode.js'
import type { ResolverProblem } from '../resolver-problem.js'
import { RR_TYPE } from '../signed-message.js'
import type {
  AskSigned,
  RRset,
  SignedQuestion,
  SignedReply,
  Unanswered,
} from '../signed-message.js'
import { printable } from '../text.js'
import type { TrustAnchor } from '../trust-anchor.js'
import { ROOT, toWireName } from '../wire-name.js'
import { nameFromWire } from '../name.js'
import { Budget } from './budget.js'
import { proveDenial } from './denial.js'
import { questionText, setAt } from './scene.js'
import { createWork } from './work.js'
import { zoneOfKeys } from './zone.js'

export type ProbeParts = {
  readonly ask: AskSigned
  readonly anchors: readonly TrustAnchor[]
  readonly isSha1Allowed: boolean
  /** Milliseconds since the epoch: the real clock. */
  readonly now: () => number
}

type Result = Extract<ProbeResult, { kind: 'passing' | 'unusable' | 'failing' }>

/** @param deadline milliseconds since the epoch */
export function createValidationProbe(parts: ProbeParts): (deadline: number) => Promise<Result> {
  const { ask, anchors, isSha1Allowed, now } = parts
  return async (deadline) => {
    const [soa, keys, denial] = await Promise.all(
      [SOA, DNSKEY, DENIAL].map((question) => ask(question, deadline)),
    )
    if (soa === undefined || keys === undefined || denial === undefined) throw new Error('no reply')
    const shown = dropped(soa, keys, denial)
    if (shown.kind !== 'whole') return shown
    const policy = { sha1: isSha1Allowed }
    const work = createWork(now(), new Budget(), policy)
    // Some ten verifications at most: it is the root. So nothing is paused for long.
    const root = zoneOfKeys(ROOT, { kind: 'anchors', anchors }, shown.dnskeys, policy, work)
    if (root.kind !== 'secure') {
      const detail = root.kind === 'paused' ? 'too much work' : root.detail
      return unusable(detail.startsWith('clock: ') ? 'clock' : 'anchors', detail)
    }
    work.budget.startSlice()
    const signed = work.verify(shown.soa, root.keys)
    if (signed.kind !== 'verified') {
      return unusable('drops-signatures', `SOA of .: ${'detail' in signed ? signed.detail : ''}`)
    }
    work.budget.startSlice()
    const proof = proveDenial(shown.denial, root.keys, DENIAL.name, RR_TYPE.DS, work)
    if (proof.kind === 'nothing' || proof.kind === 'exhausted' || proof.kind === 'paused') {
      const why = proof.kind === 'paused' ? 'too much work' : proof.detail
      return unusable('drops-denial', `${questionText(DENIAL)}: ${why}`)
    }
    return { kind: 'passing' }
  }
}

type Whole = {
  readonly kind: 'whole'
  readonly soa: RRset
  readonly dnskeys: RRset
  readonly denial: SignedReply
}

/** What is missing, whatever it says. */
function dropped(
  soa: SignedReply | Unanswered,
  keys: SignedReply | Unanswered,
  denial: SignedReply | Unanswered,
): Whole | Result {
  for (const [question, reply] of [
    [SOA, soa],
    [DNSKEY, keys],
    [DENIAL, denial],
  ] as const) {
    if (reply.kind === 'reply') continue
    const detail = `${questionText(question)}: ${failureText(reply)}`
    return reply.isTruncated === true ? unusable('no-tcp', detail) : failing(detail)
  }
  if (soa.kind !== 'reply' || keys.kind !== 'reply' || denial.kind !== 'reply') return failing('')
  const refused = failureByRcode(soa)
  if (refused) return failing(`${questionText(SOA)}: ${failureText(refused)}`)
  const soaSet = setAt(soa, ROOT, RR_TYPE.SOA)
  if (soaSet === undefined) return failing('no SOA of . in its reply')
  if (soaSet.signatures.length === 0) return unusable('drops-signatures', 'no RRSIG with SOA of .')
  const dnskeys = setAt(keys, ROOT, RR_TYPE.DNSKEY)
  if (dnskeys === undefined) {
    const why = failureByRcode(keys)
    return unusable('no-dnskey', why ? failureText(why) : 'no DNSKEY of . in its reply')
  }
  if (dnskeys.signatures.length === 0) {
    return unusable('drops-signatures', 'no RRSIG with DNSKEY of .')
  }
  const isDenied = denial.rrsets.some(
    ({ type, signatures }) =>
      (type === RR_TYPE.NSEC || type === RR_TYPE.NSEC3) && signatures.length > 0,
  )
  if (!isDenied) {
    const why = failureByRcode(denial)
    const detail = why ? failureText(why) : 'no signed NSEC or NSEC3'
    return unusable('drops-denial', `${questionText(DENIAL)}: ${detail}`)
  }
  return { kind: 'whole', soa: soaSet, dnskeys, denial }
}

function unusable(problem: ResolverProblem, detail: string): Result {
  return { kind: 'unusable', problem, detail: printable(detail.replace(/^clock: /, '')) }
}

function failing(detail: string): Result {
  return { kind: 'failing', detail: printable(detail) }
}

const SOA: SignedQuestion = { name: ROOT, type: RR_TYPE.SOA }
const DNSKEY: SignedQuestion = { name: ROOT, type: RR_TYPE.DNSKEY }
/**
 * The root will never delegate a name with an underscore. Names that are reserved, such as
 * `invalid`, would be answered by resolvers themselves (RFC 6761 §6.4).
 */
const DENIAL: SignedQuestion = {
  name: toWireName(nameFromWire('_dane-probe') ?? '.'),
  type: RR_TYPE.DS,
}
