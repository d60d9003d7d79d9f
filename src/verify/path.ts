/**
 * Is there a valid path from the leaf to a trust anchor that TLSA records designate?
 *
 * RFC 7672 §3.1.2, RFC 7671 §5.2, RFC 5280 §6.1. The presented certificates are a bag:
 * any order, duplicates and unrelated certificates are allowed. A certificate is accepted
 * as an issuer if OpenSSL finds that names and key identifiers match and its key verifies
 * the signature. Alternatives are tried until one is valid, within the limits of
 * budget.ts. Keys that are too weak or too slow are not used at all (strength.ts).
 *
 * Promises: a matching digest in the list alone proves nothing; the order of the list
 * does not affect the result, because candidates are tried in an order of their own; of
 * several failures the most specific is reported. Pure, given an instant, except for what
 * it takes from the allowance.
 */
import type { Certificate } from '../x509/certificate.js'
import type { DomainName } from '../name.js'
import { printable } from '../text.js'
import type { UsableTlsa } from '../tlsa.js'
import { CERTIFICATE_REASONS } from '../reason.js'
import type { CertificateReason } from '../reason.js'
import type { Authenticated, Refused } from '../verdict.js'
import { certificatesInDns, findAnchors } from './anchors.js'
import type { Anchors, KeyAnchor } from './anchors.js'
import { recordsText } from './match-tlsa.js'
import { BUDGET, BudgetExhausted, Meter, PRICE } from './budget.js'
import type { Allowance } from './budget.js'
import type { NameCounter } from './constraints.js'
import { matchHost } from './host-match.js'
import { describeCertificate } from './parsed-certificate.js'
import type { CertificateReading, ParsedCertificate } from './parsed-certificate.js'
import { MeteredMemo } from './metered-memo.js'
import { keyStrength } from './strength.js'
import type { KeyStrength } from './strength.js'
import { checkPath, shownNames } from './path-checks.js'
import type { LeafNames } from './path-checks.js'

/**
 * @param records the usable DANE-TA(2) records
 * @param instant milliseconds since the epoch
 * @param allowance limits the cost
 */
export function findPath(
  leaf: Certificate,
  others: readonly Certificate[],
  records: readonly UsableTlsa[],
  referenceNames: readonly DomainName[],
  instant: number,
  allowance: Allowance,
): Authenticated | Refused {
  const pool = toPool(leaf, [...others, ...certificatesInDns(records)])
  if (pool.length > BUDGET.certificates) {
    return refused('budget-exhausted', records, `${pool.length} candidate certificates`)
  }
  const meter = new Meter(allowance)
  try {
    for (const { der } of [leaf, ...pool]) meter.spend(PRICE.digest(der.length))
    const search = new Search(pool, records, instant, meter)
    return search.from(leaf, referenceNames)
  } catch (error) {
    if (error instanceof BudgetExhausted) {
      return refused('budget-exhausted', records, `more than ${error.message}`)
    }
    throw error
  }
}

/** One search for a path: the cost so far and the results. */
class Search {
  /** The most specific failure so far. Its text is composed only if it is reported. */
  private worst: { readonly reason: CertificateReason; readonly tell: () => Refused } | undefined
  private readonly pool: readonly Certificate[]
  private readonly records: readonly UsableTlsa[]
  private readonly anchors: Anchors
  private keys: readonly (KeyAnchor & Omit<KeyStrength, 'weakness'>)[] = []
  private names: LeafNames = { wanted: [], borne: [], shown: '' }
  private readonly instant: number
  private readonly meter: Meter
  private readonly counter: NameCounter
  private readonly memo: MeteredMemo

  constructor(
    pool: readonly Certificate[],
    records: readonly UsableTlsa[],
    instant: number,
    meter: Meter,
  ) {
    this.pool = pool
    this.records = records
    this.anchors = findAnchors(records, pool)
    this.instant = instant
    this.meter = meter
    this.memo = new MeteredMemo(meter)
    this.counter = {
      looked: (names) => {
        meter.spend(PRICE.name * names)
      },
      compared: (size) => {
        meter.count('comparisons')
        meter.spend(PRICE.name * (1 + size))
      },
    }
  }

  from(leaf: Certificate, referenceNames: readonly DomainName[]): Authenticated | Refused {
    const { weakness } = this.memo.keyStrength(leaf)
    if (weakness !== undefined) {
      const text = `${describeCertificate(leaf)}: ${weakness}`
      return refused('untrusted-path', this.records, text)
    }
    const reading = this.memo.parsed(leaf)
    if (reading.kind === 'unreadable') return refused('untrusted-path', this.records, reading.why)
    const start = reading.certificate
    this.meter.spend(PRICE.hostName(leaf.der.length) * (referenceNames.length + 1))
    this.names = {
      wanted: referenceNames,
      borne: matchHost(start.x509, referenceNames),
      shown: shownNames(start),
    }
    this.note('certificate-mismatch', () => `no path from ${start.subjectText}`)
    this.keys = this.acceptedKeys()
    return this.extend([start]) ?? this.reported()
  }

  private reported(): Refused {
    if (this.worst === undefined) throw new Error('a search without a result')
    return this.worst.tell()
  }

  /** Refused keys are not used at all: no signature is verified with them. */
  private acceptedKeys(): Search['keys'] {
    return this.anchors.keys.flatMap(({ record, spki }) => {
      this.meter.spend(PRICE.digest(spki.length))
      const { weakness, cost, reading } = keyStrength(spki)
      if (weakness === undefined) return [{ record, spki, cost, reading }]
      this.note('untrusted-path', () => `the key of the trust anchor: ${weakness}`, [record])
      return []
    })
  }

  /** A valid path that begins with these certificates, each signed by the next. */
  private extend(
    certificates: readonly [ParsedCertificate, ...ParsedCertificate[]],
  ): Authenticated | undefined {
    const top = certificates[certificates.length - 1] ?? certificates[0]
    for (const { record, spki, cost, reading } of this.keys) {
      const key = this.memo.key(spki, reading)
      if (key === undefined) continue
      if (!this.memo.isSigned(top, key, cost, 'keySignatures')) continue
      const verdict = this.judge(certificates, undefined, record)
      if (verdict) return verdict
    }
    if (certificates.length > BUDGET.depth) return undefined
    this.meter.spend(PRICE.candidate * this.pool.length)
    for (const candidate of this.pool) {
      if (!this.isNamedBy(top, candidate)) continue
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

  /**
   * The candidate, parsed, if it issued the certificate. The cheapest checks come first; a
   * weak key is not even decoded, since that alone may take long.
   */
  private issuerOf(top: ParsedCertificate, candidate: Certificate): ParsedCertificate | undefined {
    const isNamed = candidate.subject.equals(top.issuer)
    const { weakness, cost } = this.memo.keyStrength(candidate)
    if (weakness !== undefined) {
      this.note('untrusted-path', () => `${describeCertificate(candidate)}: ${weakness}`)
      return undefined
    }
    const x509 = this.memo.opened(candidate)
    this.meter.spend(PRICE.pair(top.der.length))
    // RFC 5280 §7.1 and §4.2.1.1: names compare case-insensitively, key identifiers if present.
    if (x509 === undefined || !top.x509.checkIssued(x509)) {
      const { memo } = this
      if (isNamed) this.note('untrusted-path', () => misfit(top, memo.parsedForText(candidate)))
      return undefined
    }
    if (!this.memo.isSigned(top, x509.publicKey, cost, 'signatures')) return undefined
    const reading = this.memo.parsed(candidate)
    if (reading.kind === 'read') return reading.certificate
    this.note('untrusted-path', () => reading.why)
    return undefined
  }

  /** Whether OpenSSL might match the candidate's name with the issuer's (RFC 5280 §7.1). */
  private isNamedBy(top: ParsedCertificate, candidate: Certificate): boolean {
    if (candidate.subject.equals(top.issuer)) return true
    const wanted = this.memo.names(top).issuer
    return wanted !== undefined && wanted === this.memo.names(candidate).subject
  }

  private judge(
    certificates: readonly [ParsedCertificate, ...ParsedCertificate[]],
    anchor: ParsedCertificate | undefined,
    record: UsableTlsa,
  ): Authenticated | undefined {
    this.meter.count('paths')
    this.meter.spend(PRICE.path)
    const judged = checkPath({ certificates, anchor }, this.names, this.instant, this.counter)
    if (judged.kind === 'valid') {
      return { kind: 'authenticated', record, depth: certificates.length, name: judged.name }
    }
    this.note(judged.reason, () => judged.detail, [record])
    return undefined
  }

  /** @param records those whose anchor the path leads to, or could have led to */
  private note(reason: CertificateReason, text: () => string, records = this.records): void {
    if (
      this.worst &&
      CERTIFICATE_REASONS.indexOf(this.worst.reason) > CERTIFICATE_REASONS.indexOf(reason)
    )
      return
    this.worst = { reason, tell: () => refused(reason, records, text()) }
  }
}

/** The bag in an order that depends only on its contents, without duplicates and the leaf. */
function toPool(leaf: Certificate, certificates: readonly Certificate[]): readonly Certificate[] {
  const unique = new Map(
    certificates.map((certificate) => [certificate.der.toString('latin1'), certificate]),
  )
  unique.delete(leaf.der.toString('latin1'))
  return [...unique.values()].sort((a, b) => Buffer.compare(a.der, b.der))
}

/** Why a certificate with the issuer's name is not the issuer. */
function misfit({ subjectText }: ParsedCertificate, issuer: CertificateReading): string {
  if (issuer.kind === 'unreadable') return issuer.why
  const { mayCertify, subjectText: issuerText } = issuer.certificate
  return mayCertify === false
    ? `${issuerText} may not sign certificates`
    : `${issuerText} has the name of the issuer of ${subjectText}, but its key or key identifier does not match`
}

/** The records come first, since the text from the certificate may be long. */
function refused(reason: CertificateReason, records: readonly UsableTlsa[], text: string): Refused {
  return {
    kind: 'refused',
    reason,
    detail: printable(`trust anchor ${recordsText(records)}: ${text}`, 400),
  }
}
