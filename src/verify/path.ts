/**
 * Is there a valid path from the leaf to a trust anchor that TLSA records name?
 *
 * RFC 7672 §3.1.2, RFC 7671 §5.2, RFC 5280 §6.1. The presented certificates are a
 * bag: any order, duplicates and noise allowed. An issuer is taken for one when
 * OpenSSL finds that names and key identifiers fit and its key verifies the
 * signature. Alternatives are tried until one holds, within `BUDGET`.
 *
 * Promises: a digest that merely occurs in the list proves nothing; the order of
 * the list changes nothing, because candidates are tried in an order of their own;
 * of several failures the most specific is told. Pure: given an instant.
 */
import type { KeyObject, X509Certificate } from 'node:crypto'
import type { Certificate } from '../certificate.js'
import type { DomainName } from '../name.js'
import { printable } from '../text.js'
import type { UsableTlsa } from '../tlsa.js'
import { REFUSALS } from '../verdict.js'
import type { Authenticated, RefusalReason, Refused } from '../verdict.js'
import { certificatesInDns, findAnchors } from './anchors.js'
import type { Anchors } from './anchors.js'
import { recordsText } from './association.js'
import { matchNames } from './names.js'
import type { Profile } from './profile.js'
import { isSignedBy, readingOf } from './readings.js'
import type { Reading } from './readings.js'
import { keyWeakness } from './strength.js'
import { judgePath } from './validity.js'
import type { LeafNames } from './validity.js'

/** What hostile chains may cost (RFC 5280 sets no limit; webpki and OpenSSL have their own). */
export const BUDGET = {
  /** Certificates in the list; the usual CAs send two or three. */
  certificates: 128,
  /** Certificates in one path above the leaf; the deepest public hierarchies have three. */
  depth: 16,
  /** Signatures verified with keys of certificates; each takes up to two milliseconds. */
  signatures: 160,
  /** Signatures verified with bare keys. */
  keySignatures: 64,
  /** Paths judged. */
  paths: 64,
  /** Names held against constraints; OpenSSL gives up at 2^20. */
  comparisons: 100_000,
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
  const start = readingOf(leaf).profile()
  if (typeof start === 'string') return refused('untrusted-path', records, start)
  const pool = toPool(leaf, [...others, ...certificatesInDns(records)])
  if (pool.length > BUDGET.certificates) {
    return refused('budget-exhausted', records, `${pool.length} certificates to choose from`)
  }
  const names = { wanted: referenceNames, borne: matchNames(start.x509, referenceNames) }
  const search = new Search(pool, records, names, instant)
  const worst = refused('certificate-mismatch', records, `no path from ${start.subjectText}`)
  try {
    return search.extend([start]) ?? moreSpecific(worst, search.worst)
  } catch (error) {
    if (error instanceof BudgetExhausted) {
      return refused('budget-exhausted', records, `more than ${error.message}`)
    }
    throw error
  }
}

/** One search for a path, with what it has spent and learned. */
class Search {
  /** The most specific failure so far. */
  worst: Refused | undefined
  private readonly pool: readonly Certificate[]
  private readonly records: readonly UsableTlsa[]
  private readonly anchors: Anchors
  private readonly names: LeafNames
  private readonly instant: number
  private readonly left: Record<keyof typeof BUDGET, number> = { ...BUDGET }
  private readonly readings = new Map<Certificate, Reading>()

  constructor(
    pool: readonly Certificate[],
    records: readonly UsableTlsa[],
    names: LeafNames,
    instant: number,
  ) {
    this.pool = pool
    this.records = records
    this.anchors = findAnchors(records, pool)
    this.names = names
    this.instant = instant
  }

  /** A good path that begins with these certificates, each signed by the next. */
  extend(certificates: readonly [Profile, ...Profile[]]): Authenticated | undefined {
    const top = certificates[certificates.length - 1] ?? certificates[0]
    for (const { record, key } of this.anchors.keys) {
      if (!this.isSigned(top, key, 'keySignatures')) continue
      const verdict = this.judge(certificates, undefined, record, keyWeakness(key))
      if (verdict) return verdict
    }
    if (certificates.length > BUDGET.depth) return undefined
    for (const candidate of this.pool) {
      if (certificates.some(({ der }) => der.equals(candidate.der))) continue
      const issuer = this.issuerOf(top, candidate)
      if (issuer === undefined) continue
      const record = this.anchors.recordFor(candidate)
      const verdict =
        (record && this.judge(certificates, issuer, record)) ??
        this.extend([...certificates, issuer])
      if (verdict) return verdict
    }
    return undefined
  }

  /** The candidate's profile if it issued the certificate. The cheapest question first. */
  private issuerOf(top: Profile, candidate: Certificate): Profile | undefined {
    const isNamed = candidate.subject.equals(top.issuer)
    const x509 = this.opened(candidate)
    // RFC 5280 §7.1 and §4.2.1.1: names without regard to case, key identifiers where there are any.
    if (x509 === undefined || !top.x509.checkIssued(x509)) {
      if (isNamed) this.note('untrusted-path', misfit(top, this.profileOf(candidate)))
      return undefined
    }
    if (!this.isSigned(top, x509.publicKey, 'signatures')) return undefined
    const profile = this.profileOf(candidate)
    if (typeof profile !== 'string') return profile
    this.note('untrusted-path', profile)
    return undefined
  }

  private judge(
    certificates: readonly [Profile, ...Profile[]],
    anchor: Profile | undefined,
    record: UsableTlsa,
    weakness?: string,
  ): Authenticated | undefined {
    this.spend('paths')
    const judged =
      weakness === undefined
        ? judgePath({ certificates, anchor }, this.names, this.instant, () => {
            this.spend('comparisons')
          })
        : { reason: 'untrusted-path' as const, text: `the key of the trust anchor: ${weakness}` }
    if (typeof judged === 'string') {
      return { kind: 'authenticated', record, depth: certificates.length, name: judged }
    }
    this.note(judged.reason, judged.text, [record])
    return undefined
  }

  private profileOf(certificate: Certificate): Profile | string {
    return this.reading(certificate).profile()
  }

  private opened(certificate: Certificate): X509Certificate | undefined {
    return this.reading(certificate).x509()
  }

  private reading(certificate: Certificate): Reading {
    const known = this.readings.get(certificate) ?? readingOf(certificate)
    this.readings.set(certificate, known)
    return known
  }

  private isSigned(
    certificate: Profile,
    key: KeyObject,
    budget: 'signatures' | 'keySignatures',
  ): boolean {
    this.spend(budget)
    return isSignedBy(certificate.x509, key)
  }

  /** @param records those whose anchor the path leads to, or might have led to */
  private note(reason: RefusalReason, text: string, records = this.records): void {
    this.worst = moreSpecific(refused(reason, records, text), this.worst)
  }

  private spend(what: keyof typeof BUDGET): void {
    this.left[what] -= 1
    if (this.left[what] < 0) throw new BudgetExhausted(`${BUDGET[what]} ${what}`)
  }
}

/** Work that no honest chain asks for. */
class BudgetExhausted extends Error {}

/** The bag in an order that depends on nothing but its content, each once, without the leaf. */
function toPool(leaf: Certificate, certificates: readonly Certificate[]): readonly Certificate[] {
  const unique = new Map(
    certificates.map((certificate) => [certificate.der.toString('latin1'), certificate]),
  )
  unique.delete(leaf.der.toString('latin1'))
  return [...unique.values()].sort((a, b) => Buffer.compare(a.der, b.der))
}

/** Why a certificate that bears the issuer's name is not the issuer. */
function misfit({ subjectText }: Profile, issuer: Profile | string): string {
  if (typeof issuer === 'string') return issuer
  return issuer.mayCertify === false
    ? `${issuer.subjectText} may not sign certificates`
    : `${issuer.subjectText} has the name of the issuer of ${subjectText}, but its key or key identifier does not fit`
}

function moreSpecific(a: Refused, b: Refused | undefined): Refused {
  return b !== undefined && REFUSALS.indexOf(b.reason) > REFUSALS.indexOf(a.reason) ? b : a
}

/** The records come first, since what a certificate says of itself may be long. */
function refused(reason: RefusalReason, records: readonly UsableTlsa[], text: string): Refused {
  return {
    kind: 'refused',
    reason,
    detail: printable(`trust anchor ${recordsText(records)}: ${text}`, 400),
  }
}
