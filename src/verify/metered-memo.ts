/**
 * Parses certificates, names and signatures for one path search, and charges each once.
 *
 * Results remembered by certificate-memo.ts cost the attempt nothing, but count against
 * the verdict as if they were computed now: the result must not depend on what was
 * verified before.
 *
 * Throws `BudgetExhausted` before work that would exceed the budget. Pure, except for the
 * memo and the meter.
 */
import type { KeyObject, X509Certificate } from 'node:crypto'
import type { Certificate } from '../x509/certificate.js'
import { PRICE } from './budget.js'
import type { Meter } from './budget.js'
import { isKeyKnown, isSignatureKnown, isSignedBy, keyIn, memoOf } from './certificate-memo.js'
import type { CertificateMemo } from './certificate-memo.js'
import type { CertificateReading, ParsedCertificate } from './parsed-certificate.js'
import type { KeyStrength } from './strength.js'

export class MeteredMemo {
  private readonly meter: Meter
  private readonly memos = new Map<Certificate, CertificateMemo>()
  private readonly paid = new Set<unknown>()

  constructor(meter: Meter) {
    this.meter = meter
  }

  /** Free of charge: it is read from the bytes of the key, and so are all the prices. */
  keyStrength(certificate: Certificate): KeyStrength {
    return this.memo(certificate).key()
  }

  parsed(certificate: Certificate): CertificateReading {
    this.opened(certificate)
    const { parsed } = this.memo(certificate)
    this.pay(parsed, PRICE.parse(certificate.der.length), parsed.isDone())
    return parsed()
  }

  /** As `parsed`, but free of charge: for the text of a refusal. */
  parsedForText(certificate: Certificate): CertificateReading {
    return this.memo(certificate).parsed()
  }

  /** OpenSSL's view. */
  opened(certificate: Certificate): X509Certificate | undefined {
    const { x509, key } = this.memo(certificate)
    this.pay(x509, PRICE.open(certificate.der.length) + key().reading, x509.isDone())
    return x509()
  }

  names(certificate: Certificate): ReturnType<CertificateMemo['names']> {
    const { names } = this.memo(certificate)
    const octets = certificate.subject.length + certificate.issuer.length
    this.pay(names, PRICE.names(octets), names.isDone())
    return names()
  }

  /** @param reading the cost above that of an ordinary key */
  key(spki: Buffer, reading: number): KeyObject | undefined {
    this.pay(spki, PRICE.key + reading, isKeyKnown(spki))
    return keyIn(spki)
  }

  isSigned(
    { x509, der }: ParsedCertificate,
    key: KeyObject,
    cost: number,
    budget: 'signatures' | 'keySignatures',
  ): boolean {
    this.meter.count(budget)
    this.meter.spend(cost + PRICE.signed(der.length), isSignatureKnown(x509, key))
    return isSignedBy(x509, key)
  }

  private memo(certificate: Certificate): CertificateMemo {
    const known = this.memos.get(certificate) ?? memoOf(certificate)
    this.memos.set(certificate, known)
    return known
  }

  private pay(thing: unknown, cost: number, isDone: boolean): void {
    if (this.paid.has(thing)) return
    this.paid.add(thing)
    this.meter.spend(cost, isDone)
  }
}
