/**
 * Is there a valid path from the leaf to a trust anchor that TLSA records name?
 *
 * RFC 7672 §3.1.2, RFC 7671 §5.2, RFC 5280 §6.1. The presented certificates are a
 * bag: any order, duplicates and noise allowed. An issuer is taken for one when its
 * subject is the issuer's name octet by octet and its key verifies the signature;
 * the anchor is a certificate above the leaf that a record matches, or one that DNS
 * itself holds (2 0 0), or a bare key in DNS (2 1 0). Alternatives are tried until
 * one holds, within `BUDGET`.
 *
 * Promises: a digest that merely occurs in the list proves nothing; the order of
 * the list changes nothing, because candidates are tried in an order of their own;
 * of several failures the most specific is told. Pure: given an instant.
 */
import { createPublicKey } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { parseCertificate } from '../certificate.js'
import type { Certificate } from '../certificate.js'
import type { DomainName } from '../name.js'
import { MATCHING_TYPE, SELECTOR } from '../tlsa.js'
import type { UsableTlsa } from '../tlsa.js'
import { REFUSALS } from '../verdict.js'
import type { Authenticated, Refused } from '../verdict.js'
import { matchesAssociation } from './association.js'
import { matchName } from './names.js'
import { readProfile } from './profile.js'
import type { Profile } from './profile.js'
import { pathComplaint } from './validity.js'
import type { Path } from './validity.js'

/** What hostile chains may cost (RFC 5280 sets no limit; webpki and OpenSSL have their own). */
export const BUDGET = {
  /** Certificates in the list; Let's Encrypt sends three. */
  certificates: 128,
  /** Certificates in one path above the leaf; the deepest public hierarchies have three. */
  depth: 16,
  /** Signatures verified; each takes up to two milliseconds with the largest keys. */
  signatures: 160,
  /** Paths judged. */
  paths: 64,
} as const

/**
 * @param records the usable DANE-TA(2) records
 * @param instant milliseconds since the epoch
 */
export function findPath(
  leaf: Certificate,
  others: readonly Certificate[],
  records: readonly UsableTlsa[],
  referenceNames: readonly DomainName[],
  instant: number,
): Authenticated | Refused {
  if (others.length > BUDGET.certificates) {
    return refused('budget-exhausted', `${others.length} certificates in the list`)
  }
  const start = readProfile(leaf)
  if (typeof start === 'string') return refused('untrusted-path', start)

  const pool = toPool(leaf, [...others, ...certificatesInDns(records)])
  const keys = keysInDns(records)
  const profiles = new Map<Certificate, Profile | string>()
  const left: Record<'signatures' | 'paths', number> = { ...BUDGET }
  let worst = refused('certificate-mismatch', mismatch(start, records))

  const extend = (path: Path): Authenticated | undefined => {
    const top = path[path.length - 1] ?? path[0]
    // RFC 7671 §5.2.3: a bare key in DNS that signed the topmost certificate.
    for (const { record, key } of keys) {
      if (!spend(left, 'signatures')) return undefined
      if (!isSignedBy(top, key)) continue
      const verdict = judge(path, record, path.length)
      if (verdict) return verdict
    }
    if (path.length > BUDGET.depth) return undefined
    for (const candidate of pool) {
      if (
        !candidate.subject.equals(top.issuer) ||
        path.some(({ der }) => der.equals(candidate.der))
      )
        continue
      const issuer = profileOf(candidate)
      if (typeof issuer === 'string') {
        note(refused('untrusted-path', issuer))
        continue
      }
      if (!spend(left, 'signatures')) return undefined
      if (!isSignedBy(top, issuer.x509.publicKey)) continue
      const longer: Path = [...path, issuer]
      const record = records.find((association) => matchesAssociation(association, issuer))
      const verdict = (record && judge(longer, record, path.length)) ?? extend(longer)
      if (verdict) return verdict
    }
    return undefined
  }

  const judge = (path: Path, record: UsableTlsa, depth: number): Authenticated | undefined => {
    if (!spend(left, 'paths')) return undefined
    const complaint = pathComplaint(path, referenceNames, instant)
    if (complaint) {
      note(complaint)
      return undefined
    }
    const name = matchName(path[0].x509, referenceNames)
    return { kind: 'authenticated', record, depth, name }
  }

  const profileOf = (certificate: Certificate): Profile | string => {
    const known = profiles.get(certificate) ?? readProfile(certificate)
    profiles.set(certificate, known)
    return known
  }

  const note = (refusal: Refused): void => {
    if (specificity(refusal) > specificity(worst)) worst = refusal
  }

  const found = extend([start])
  if (found) return found
  const isExhausted = left.signatures < 0 || left.paths < 0
  return isExhausted ? refused('budget-exhausted', 'too many candidate paths') : worst
}

/** The bag in an order that depends on nothing but its content, each once, without the leaf. */
function toPool(leaf: Certificate, certificates: readonly Certificate[]): readonly Certificate[] {
  const unique = new Map(
    certificates.map((certificate) => [certificate.der.toString('latin1'), certificate]),
  )
  unique.delete(leaf.der.toString('latin1'))
  return [...unique.values()].sort((a, b) => Buffer.compare(a.der, b.der))
}

/** RFC 7671 §5.2.2: a 2 0 0 record brings its certificate along. */
function certificatesInDns(records: readonly UsableTlsa[]): readonly Certificate[] {
  return full(records, SELECTOR.cert).flatMap(({ data }) => parseCertificate(data) ?? [])
}

/** RFC 7671 §5.2.3: a 2 1 0 record brings its key along. */
function keysInDns(
  records: readonly UsableTlsa[],
): readonly { readonly record: UsableTlsa; readonly key: KeyObject }[] {
  return full(records, SELECTOR.spki).map((record) => ({
    record,
    key: createPublicKey({ key: record.data, format: 'der', type: 'spki' }),
  }))
}

function full(records: readonly UsableTlsa[], selector: number): readonly UsableTlsa[] {
  return records.filter(
    (record) => record.matchingType === MATCHING_TYPE.full && record.selector === selector,
  )
}

function isSignedBy(certificate: Profile, key: KeyObject): boolean {
  try {
    return certificate.x509.verify(key)
  } catch {
    return false // a key of another kind than the signature
  }
}

function mismatch(leaf: Profile, records: readonly UsableTlsa[]): string {
  return `no path from ${leaf.subjectText} to any of ${records.length} trust anchors`
}

function spend<K extends string>(budget: Record<K, number>, what: K): boolean {
  budget[what] -= 1
  return budget[what] >= 0
}

function specificity({ reason }: Refused): number {
  return REFUSALS.indexOf(reason)
}

function refused(reason: Refused['reason'], detail: string): Refused {
  return { kind: 'refused', reason, detail }
}
