/**
 * What does a message say about a question?
 *
 * `readAnswer` turns a parsed reply into a `Lookup`, following aliases inside the
 * message (RFC 7672 §2.1.3), or says that the message ends in the middle of an
 * alias chain and where to ask on. Only records of the expected owner count.
 *
 * Promises: `absent` comes from NOERROR or NXDOMAIN alone, never from a referral or
 * from a message that holds the type after all; any other RCODE is a failure (RFC 7672 §2.1.1). The lowest TTL on
 * the way bounds the answer. Pure.
 */
import { MAX_ALIASES, MAX_RECORDS } from '../lookup.js'
import type { Absent, Failed, FailureCause, Found, RecordType, Security } from '../lookup.js'
import type { DomainName } from '../name.js'
import { TYPE } from './message.js'
import type { Message, ResourceRecord } from './message.js'

/** The chain of aliases ends outside this message: ask for `canonicalName` (RFC 7672 §2.1.3). */
export type Incomplete = {
  readonly kind: 'incomplete'
  readonly canonicalName: DomainName
  readonly aliases: readonly DomainName[]
  readonly security: Security
  readonly expiresAt: number
}

/**
 * @param isTrusted whether AD may be believed on the way this message came (RFC 4035 §4.9.3)
 * @param now milliseconds since the epoch, when the message arrived
 */
export function readAnswer(
  message: Message,
  name: DomainName,
  type: RecordType,
  isTrusted: boolean,
  now: number,
): Found | Absent | Failed | Incomplete {
  if (message.rcode !== NOERROR && message.rcode !== NXDOMAIN) return failedBy(message)

  const chain = followAliases(message.answers, name, type)
  if (typeof chain === 'string') return failure(chain, `aliases of ${name}`, message)

  const { canonicalName, aliases } = chain
  const rrset = message.answers.filter(
    ({ owner, record }) => owner === canonicalName && record.type === type,
  )
  // RFC 4035 §3.2.3: AD covers every RRset of the answer, or is clear.
  const security: Security = isTrusted && message.authenticData ? 'secure' : 'insecure'
  const ttls = [...chain.ttls, ...rrset.map(({ ttl }) => ttl)]

  if (rrset.length > 0) {
    if (message.rcode === NXDOMAIN) return failure('malformed', 'NXDOMAIN with records', message)
    if (rrset.length > MAX_RECORDS[type]) {
      return failure('malformed', `${rrset.length} records of type ${type}`, message)
    }
    const expiresAt = expiry(now, ttls)
    const records = rrset.slice(0, ENOUGH).map(({ record }) => record)
    return { kind: 'found', records, security, canonicalName, aliases, expiresAt }
  }
  // A reply that holds the type somewhere else, or a signature over it, does not say that it is absent.
  if (message.present.has(TYPE[type])) {
    return failure('malformed', `records of type ${type} in the wrong place`, message)
  }
  // RFC 2308 §3: the SOA of the zone that the name would be in. Another zone's says nothing.
  const soa = message.soas.find(({ owner, isRoot }) => isRoot || isAtOrBelow(canonicalName, owner))
  if (message.rcode === NOERROR && soa === undefined) {
    if (aliases.length > 0) {
      return { kind: 'incomplete', canonicalName, aliases, security, expiresAt: expiry(now, ttls) }
    }
    // RFC 2308 §2.2: the server does not recurse, or answers for another zone.
    if (message.hasNs || message.soas.length > 0) {
      return failure('malformed', 'a referral instead of an answer', message)
    }
    // RFC 1035 §4.1.1: whoever does not recurse has not looked.
    if (!message.recursionAvailable) {
      return failure('malformed', 'nothing from a server that does not recurse', message)
    }
  }
  if (message.rcode === NXDOMAIN && soa === undefined && message.soas.length > 0) {
    return failure('malformed', 'NXDOMAIN from another zone', message)
  }
  // RFC 2308 §5: without a SOA there is no telling how long absence lasts.
  const expiresAt = expiry(now, [...ttls, soa?.negativeTtl ?? 0])
  const reason = message.rcode === NXDOMAIN ? 'nxdomain' : 'nodata'
  return { kind: 'absent', reason, security, canonicalName, aliases, expiresAt }
}

/** Records kept of one answer; addresses beyond these would never be tried. */
const ENOUGH = 256

/** RFC 2181 §8 allows 68 years; no fact about mail routing is worth keeping longer than a day unasked. */
const MAX_TTL = 86_400

type Chain = {
  readonly canonicalName: DomainName
  readonly aliases: readonly DomainName[]
  readonly ttls: readonly number[]
}

/** RFC 1034 §3.6.2; a DNAME needs nothing more, its CNAME is in the message (RFC 6672 §3.1). */
function followAliases(
  answers: readonly ResourceRecord[],
  name: DomainName,
  type: RecordType,
): Chain | 'alias-loop' | 'malformed' {
  const aliases: DomainName[] = []
  const ttls: number[] = []
  let canonicalName = name
  if (type === 'CNAME') return { canonicalName, aliases, ttls }
  for (;;) {
    const here = answers.filter(({ owner }) => owner === canonicalName)
    const targets = here.flatMap(({ record }) => (record.type === 'CNAME' ? [record.target] : []))
    const [target] = targets
    if (target === undefined) return { canonicalName, aliases, ttls }
    // RFC 2181 §10.1: one alias a name, and nothing of the type beside it.
    if (targets.some((other) => other !== target)) return 'malformed'
    if (here.some(({ record }) => record.type === type)) return 'malformed'
    aliases.push(canonicalName)
    if (aliases.includes(target) || aliases.length > MAX_ALIASES) return 'alias-loop'
    ttls.push(...here.map(({ ttl }) => ttl))
    canonicalName = target
  }
}

function isAtOrBelow(name: DomainName, zone: DomainName | undefined): boolean {
  return zone !== undefined && (name === zone || name.endsWith(`.${zone}`))
}

function failedBy(message: Message): Failed {
  switch (message.rcode) {
    case SERVFAIL: {
      const isBogus = message.extendedErrors.some(({ code }) => BOGUS.has(code))
      return failure(isBogus ? 'bogus' : 'servfail', 'SERVFAIL', message)
    }
    case REFUSED:
      return failure('refused', 'REFUSED', message)
    default:
      return failure('rcode', `RCODE ${message.rcode}`, message)
  }
}

function failure(cause: FailureCause, detail: string, { extendedErrors }: Message): Failed {
  return { kind: 'failed', cause, detail, extendedErrors }
}

function expiry(now: number, ttls: readonly number[]): number {
  return now + Math.min(MAX_TTL, ...ttls) * 1000
}

/** RFC 1035 §4.1.1. */
export const NOERROR = 0
export const SERVFAIL = 2
export const NXDOMAIN = 3
const REFUSED = 5

/**
 * RFC 8914 §4.7 to §4.13: bogus, signature expired, not yet valid, DNSKEY missing,
 * RRSIGs missing, no zone key bit, NSEC missing. They name the failure; they never
 * make one (§6), since all of this is SERVFAIL already.
 */
const BOGUS: ReadonlySet<number> = new Set([6, 7, 8, 9, 10, 11, 12])
