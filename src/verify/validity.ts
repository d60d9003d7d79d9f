/**
 * Is a path good, whose names and signatures link leaf and anchor?
 *
 * `pathComplaint` judges what RFC 5280 §6.1 asks of the certificates in a path
 * besides signatures, and the leaf's names by RFC 7672 §3.2. The anchor, if it is a
 * certificate, is held to the same as any issuer, its validity included: RFC 5280
 * would not ask it, OpenSSL does, and RFC 7672 §3.1.2 wants its constraints applied.
 *
 * The first complaint is about the authorities, the last about dates and names, so
 * that the answer names what an operator can mend. Pure: given an instant.
 */
import type { DomainName } from '../name.js'
import { printable } from '../text.js'
import type { Refused } from '../verdict.js'
import { violation } from './constraints.js'
import { matchName } from './names.js'
import type { Profile } from './profile.js'

/** Leaf first, each signed by the next. */
export type Path = readonly [Profile, ...Profile[]]

/** @param instant milliseconds since the epoch */
export function pathComplaint(
  path: Path,
  referenceNames: readonly DomainName[],
  instant: number,
): Refused | undefined {
  return firstComplaint(path, instant) ?? nameComplaint(path[0], referenceNames)
}

function firstComplaint(path: Path, instant: number): Refused | undefined {
  const [leaf, ...issuers] = path
  return (
    issuers
      .map((issuer, index) => issuerComplaint(issuer, path.slice(1, index + 1)))
      .find(Boolean) ??
    usageComplaint(leaf) ??
    path.map(purposeComplaint).find(Boolean) ??
    constraintComplaint(path) ??
    path.map((certificate) => validityComplaint(certificate, instant)).find(Boolean)
  )
}

/** RFC 5280 §6.1.4 (k) to (n). @param below the intermediates between this issuer and the leaf */
function issuerComplaint(issuer: Profile, below: readonly Profile[]): Refused | undefined {
  const { subjectText, isCa, mayCertify, pathLength } = issuer
  if (!isCa) return refused('untrusted-path', `${subjectText} is no CA`)
  if (mayCertify === false)
    return refused('untrusted-path', `${subjectText} may not sign certificates`)
  const counted = below.filter(({ subject, issuer: by }) => !subject.equals(by)).length
  if (pathLength !== undefined && counted > pathLength) {
    return refused(
      'untrusted-path',
      `${subjectText} allows ${pathLength} CAs below it, not ${counted}`,
    )
  }
  return undefined
}

/** RFC 5280 §4.2.1.3: what a TLS server's key is used for. */
function usageComplaint({ mayHandshake, subjectText }: Profile): Refused | undefined {
  return mayHandshake === false
    ? refused('untrusted-path', `the key usage of ${subjectText} does not allow a TLS server`)
    : undefined
}

/** RFC 5280 §4.2.1.12; for authorities too, as OpenSSL and the public CAs have it. */
function purposeComplaint({ extendedKeyUsage, subjectText }: Profile): Refused | undefined {
  return extendedKeyUsage === undefined || extendedKeyUsage.some((oid) => SERVER_PURPOSES.has(oid))
    ? undefined
    : refused(
        'untrusted-path',
        `the extended key usage of ${subjectText} does not allow a TLS server`,
      )
}

/** RFC 5280 §6.1.3 (b) and (c): every issuer's constraints bind everything below it but self-issued CAs. */
function constraintComplaint(path: Path): Refused | undefined {
  for (const [index, issuer] of path.entries()) {
    for (const [below, subject] of path.slice(0, index).entries()) {
      if (below > 0 && subject.subject.equals(subject.issuer)) continue
      const complaint = violation(issuer, subject)
      if (complaint !== undefined) {
        return refused(
          'untrusted-path',
          `${subject.subjectText}: ${complaint} of ${issuer.subjectText}`,
        )
      }
    }
  }
  return undefined
}

function validityComplaint(
  { notBefore, notAfter, subjectText }: Profile,
  instant: number,
): Refused | undefined {
  if (instant > notAfter) {
    const when = new Date(notAfter).toISOString()
    return refused('certificate-expired', `${subjectText} expired at ${when}`)
  }
  if (instant < notBefore) {
    const when = new Date(notBefore).toISOString()
    return refused('certificate-not-yet-valid', `${subjectText} is not valid before ${when}`)
  }
  return undefined
}

/** RFC 7672 §3.2.2. */
function nameComplaint(leaf: Profile, referenceNames: readonly DomainName[]): Refused | undefined {
  if (matchName(leaf.x509, referenceNames) !== undefined) return undefined
  const dns = leaf.alternativeNames.filter(({ type }) => type === 'dns').map(({ value }) => value)
  const borne = dns.length > 0 ? dns : leaf.commonNames
  const shown = borne.length > 0 ? borne.slice(0, 5).join(' ') : 'no name'
  return refused(
    'name-mismatch',
    `the certificate bears ${shown}, not ${referenceNames.join(' or ')}`,
  )
}

function refused(reason: Refused['reason'], detail: string): Refused {
  return { kind: 'refused', reason, detail: printable(detail, 400) }
}

/** RFC 5280 §4.2.1.12: serverAuth, anyExtendedKeyUsage. */
const SERVER_PURPOSES: ReadonlySet<string> = new Set(['1.3.6.1.5.5.7.3.1', '2.5.29.37.0'])
