/**
 * What does a reply say about a question?
 *
 * `readAnswer` turns a parsed reply into a `Lookup`, following aliases inside the
 * message (RFC 7672 §2.1.3), or reports that the alias chain continues outside it, and
 * at which name. A DNAME is followed by the CNAME derived from it (dname.ts). Only
 * records of the expected owner count.
 *
 * Promises: `absent` results from NOERROR or NXDOMAIN alone, never from a referral or
 * from a message that has records of the type elsewhere; any other RCODE is a failure
 * (RFC 7672 §2.1.1). The lowest TTL of the chain bounds the answer. Pure.
 */
import { MAX_ALIASES, MAX_RECORDS } from '../lookup.js'
import type { Absent, Failed, FailureCause, Found, RecordType, Security } from '../lookup.js'
import type { DomainName } from '../name.js'
import { failureByRcode, NOERROR, NXDOMAIN } from '../rcode.js'
import { deriveAlias } from './dname.js'
import type { Derived } from './dname.js'
import { TYPE } from './message.js'
import type { Message, ResourceRecord } from './message.js'

/** The chain of aliases ends outside this message: query for `canonicalName` (RFC 7672 §2.1.3). */
export type Incomplete = {
  readonly kind: 'incomplete'
  readonly canonicalName: DomainName
  readonly aliases: readonly DomainName[]
  readonly dname?: DomainName
  readonly security: Security
  readonly expiresAt: number
  readonly isStale?: true
}

/**
 * @param isTrusted whether AD may be believed from this resolver (RFC 4035 §4.9.3)
 * @param now milliseconds since the epoch, when the message arrived
 */
export function readAnswer<T extends RecordType>(
  message: Message,
  name: DomainName,
  type: T,
  isTrusted: boolean,
  now: number,
): Found<T> | Absent | Failed | Incomplete {
  const failed = failureByRcode(message)
  if (failed !== undefined) return failed

  const chain = followAliases(message.answers, name, type)
  if (chain.kind === 'broken') return failure(chain.cause, chain.detail, message)

  const { canonicalName, aliases } = chain
  const rrset = recordsAt(message, canonicalName).filter(isOf(type))
  if (rrset.length === 0) return absence(message, type, chain, isTrusted, now)
  if (message.rcode === NXDOMAIN) return failure('malformed', 'NXDOMAIN with records', message)
  if (rrset.length > MAX_RECORDS[type]) {
    return failure('malformed', `${rrset.length} records of type ${type}`, message)
  }
  return {
    kind: 'found',
    records: rrset.slice(0, ENOUGH).map(({ record }) => record),
    security: securityOf(message, isTrusted),
    canonicalName,
    aliases,
    ...dnameOf(chain),
    ...lifetime(message, now, [...chain.ttls, ...rrset.map(({ ttl }) => ttl)]),
  }
}

/** What a reply without such records proves. */
function absence(
  message: Message,
  type: RecordType,
  chain: Chain,
  isTrusted: boolean,
  now: number,
): Absent | Failed | Incomplete {
  const { canonicalName, aliases, ttls } = chain
  const dname = dnameOf(chain)
  const security = securityOf(message, isTrusted)
  // Records of the type elsewhere in the reply, or a signature over some, contradict absence.
  if (message.present.has(TYPE[type])) {
    return failure('malformed', `records of type ${type} in the wrong place`, message)
  }
  // RFC 2308 §3: the SOA of the zone that the name would be in. Another zone's proves nothing.
  const soa = message.soas.find(({ owner, isRoot }) => isRoot || isAtOrBelow(canonicalName, owner))
  if (message.rcode === NOERROR && soa === undefined) {
    if (aliases.length > 0) {
      const ends = lifetime(message, now, ttls)
      return { kind: 'incomplete', canonicalName, aliases, ...dname, security, ...ends }
    }
    // RFC 2308 §2.2: the server does not recurse, or answers for another zone.
    if (message.hasNs || message.soas.length > 0) {
      return failure('malformed', 'a referral instead of an answer', message)
    }
    // RFC 1035 §4.1.1: a server that does not recurse has not looked the name up.
    if (!message.recursionAvailable) {
      return failure('malformed', 'nothing from a server that does not recurse', message)
    }
  }
  if (message.rcode === NXDOMAIN && soa === undefined && message.soas.length > 0) {
    return failure('malformed', 'NXDOMAIN from another zone', message)
  }
  // RFC 2308 §5: without a SOA the lifetime of absence is unknown.
  const ends = lifetime(message, now, [...ttls, soa?.negativeTtl ?? 0])
  const reason = message.rcode === NXDOMAIN ? 'nxdomain' : 'nodata'
  return { kind: 'absent', reason, security, canonicalName, aliases, ...dname, ...ends }
}

function isOf<T extends RecordType>(type: T) {
  return (each: ResourceRecord): each is ResourceRecord<T> => each.record.type === type
}

/** RFC 4035 §3.2.3: AD covers every RRset of the answer, or is clear. */
function securityOf({ authenticData }: Message, isTrusted: boolean): Security {
  return isTrusted && authenticData ? 'secure' : 'insecure'
}

/** Records kept from one answer; addresses beyond these are never tried. */
const ENOUGH = 256

/** RFC 2181 §8 allows 68 years; no fact about mail routing is kept for longer than a day. */
const MAX_TTL = 86_400

/** RFC 8767 §4: the TTL of a stale answer, whatever the resolver says. */
const STALE_TTL = 30

type Chain = {
  readonly kind: 'chain'
  readonly canonicalName: DomainName
  readonly aliases: readonly DomainName[]
  /** Of the first alias; undefined if that is a CNAME of its own. */
  readonly dname: DomainName | undefined
  readonly ttls: readonly number[]
}

type BrokenChain = {
  readonly kind: 'broken'
  readonly cause: 'alias-loop' | 'malformed' | 'rcode'
  readonly detail: string
}

/** RFC 1034 §3.6.2 for a CNAME, RFC 6672 §3.2 for a DNAME, whose CNAME need not be there. */
function followAliases(
  answers: readonly ResourceRecord[],
  name: DomainName,
  type: RecordType,
): Chain | BrokenChain {
  const aliases: DomainName[] = []
  const ttls: number[] = []
  let canonicalName = name
  let dname: DomainName | undefined
  // The alias itself is what was asked for.
  if (type === 'CNAME' || type === 'DNAME') {
    const derived = deriveAlias(answers, name)
    if (derived && derived.kind !== 'alias') return brokenBy(derived, name)
    return { kind: 'chain', canonicalName, aliases, dname, ttls }
  }
  for (;;) {
    const step = aliasOf(answers, canonicalName, type)
    if (step === undefined) return { kind: 'chain', canonicalName, aliases, dname, ttls }
    if (step.kind === 'broken') return step
    if (aliases.length === 0) dname = step.dname
    aliases.push(canonicalName)
    if (aliases.includes(step.target) || aliases.length > MAX_ALIASES) {
      return { kind: 'broken', cause: 'alias-loop', detail: `aliases of ${name}` }
    }
    ttls.push(...step.ttls)
    canonicalName = step.target
  }
}

type Step = {
  readonly kind: 'step'
  readonly target: DomainName
  readonly dname: DomainName | undefined
  readonly ttls: readonly number[]
}

/** Where this name leads; undefined if it is no alias. */
function aliasOf(
  answers: readonly ResourceRecord[],
  name: DomainName,
  type: RecordType,
): Step | BrokenChain | undefined {
  const here = answers.filter(({ owner }) => owner === name)
  const isOfType = here.some(({ record }) => record.type === type)
  const derived = deriveAlias(answers, name)
  if (derived) {
    if (derived.kind !== 'alias') return brokenBy(derived, name)
    // RFC 6672 §2.4: nothing else exists below a DNAME.
    if (isOfType) return malformed(name)
    // A CNAME in the reply is not signed: it bounds the lifetime, and nothing more.
    const ttls = [derived.ttl, ...here.map(({ ttl }) => ttl)]
    return { kind: 'step', target: derived.target, dname: derived.owner, ttls }
  }
  const targets = here.flatMap(({ record }) => (record.type === 'CNAME' ? [record.target] : []))
  const [target] = targets
  if (target === undefined) return undefined
  // RFC 2181 §10.1: one alias per name, and no records of the type next to it.
  if (targets.some((other) => other !== target) || isOfType) return malformed(name)
  return { kind: 'step', target, dname: undefined, ttls: here.map(({ ttl }) => ttl) }
}

function brokenBy(derived: Exclude<Derived, { kind: 'alias' }>, name: DomainName): BrokenChain {
  if (derived.kind === 'contradiction') return malformed(name)
  const detail = `YXDOMAIN, the DNAME of ${derived.owner} makes no name of ${name}`
  return { kind: 'broken', cause: 'rcode', detail }
}

function malformed(name: DomainName): BrokenChain {
  return { kind: 'broken', cause: 'malformed', detail: `aliases of ${name}` }
}

/** Records of the name; below a DNAME its only record is the CNAME derived from it. */
function recordsAt({ answers }: Message, name: DomainName): readonly ResourceRecord[] {
  const derived = deriveAlias(answers, name)
  if (derived?.kind !== 'alias') return answers.filter(({ owner }) => owner === name)
  const { target, ttl } = derived
  return [{ owner: name, ttl, record: { type: 'CNAME', target } }]
}

function dnameOf({ dname }: Pick<Chain, 'dname'>): { readonly dname?: DomainName } {
  return dname === undefined ? {} : { dname }
}

function isAtOrBelow(name: DomainName, zone: DomainName | undefined): boolean {
  return zone !== undefined && (name === zone || name.endsWith(`.${zone}`))
}

function failure(cause: FailureCause, detail: string, { extendedErrors }: Message): Failed {
  return { kind: 'failed', cause, detail, extendedErrors }
}

function lifetime(
  { isStale }: Message,
  now: number,
  ttls: readonly number[],
): { readonly expiresAt: number; readonly isStale?: true } {
  const seconds = Math.min(isStale ? STALE_TTL : MAX_TTL, ...ttls)
  return { expiresAt: now + seconds * 1000, ...(isStale && { isStale }) }
}
