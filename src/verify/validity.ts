/**
 * Is a path good, whose signatures link leaf and anchor?
 *
 * `judgePath` judges what RFC 5280 §6.1 asks of the certificates in a path
 * besides signatures, and the leaf's names by RFC 7672 §3.2. An anchor that is a
 * certificate, named whole by a record with selector Cert(0), is held to its own
 * constraints (RFC 7672 §3.1.2) and dates (OpenSSL does the same with a root); its
 * signature is nobody's business. An anchor that is a bare key, selector SPKI(1),
 * has no constraints and no dates: whatever stands around the key in a certificate
 * was vouched for by nobody.
 *
 * The first complaint is about the authorities, the last about dates and names, so
 * that the answer names what an operator can mend. Pure: given an instant.
 */
import type { DomainName } from '../name.js'
import type { RefusalReason } from '../verdict.js'
import { namesOf, violation } from './constraints.js'
import type { Profile } from './profile.js'

export type Path = {
  /** Leaf first, each signed by the next, the last by the anchor. */
  readonly certificates: readonly [Profile, ...Profile[]]
  /** Undefined where the anchor is a bare key. */
  readonly anchor: Profile | undefined
}

/** Of the leaf, looked up once: it may bear thousands, and stand in many paths. */
export type LeafNames = {
  /** RFC 7672 §3.2.2. */
  readonly wanted: readonly DomainName[]
  /** Those of them that the leaf bears (names.ts). */
  readonly borne: readonly DomainName[]
}

/** What is wrong with a path, in words that name the certificate. */
export type Complaint = { readonly reason: RefusalReason; readonly text: string }

/**
 * The reference name by which the path is good, or why it is not.
 *
 * @param instant milliseconds since the epoch
 * @param spend counts one comparison of names; throws when there have been too many
 */
export function judgePath(
  path: Path,
  names: LeafNames,
  instant: number,
  spend: () => void,
): DomainName | Complaint {
  const { certificates, anchor } = path
  const all = anchor ? [...certificates, anchor] : certificates
  return (
    firstOf(all, strengthComplaint) ??
    firstOf(certificates, signatureComplaint) ??
    issuersComplaint(path) ??
    usageComplaint(certificates[0]) ??
    firstOf(all, purposeComplaint) ??
    constraintComplaint(all, spend) ??
    firstOf(all, (certificate) => validityComplaint(certificate, instant)) ??
    nameIn(certificates[0], all.slice(1), names, spend)
  )
}

function firstOf<T>(
  items: readonly T[],
  complain: (item: T) => Complaint | undefined,
): Complaint | undefined {
  for (const item of items) {
    const complaint = complain(item)
    if (complaint) return complaint
  }
  return undefined
}

/** RFC 6698 §4.1: too weak for local policy. */
function strengthComplaint({ keyWeakness, subjectText }: Profile): Complaint | undefined {
  return keyWeakness === undefined ? undefined : untrusted(`${subjectText}: ${keyWeakness}`)
}

/** The signatures that the path relies on; the anchor's own is not among them (RFC 5280 §6.1). */
function signatureComplaint({ signatureWeakness, subjectText }: Profile): Complaint | undefined {
  return signatureWeakness === undefined
    ? undefined
    : untrusted(`${subjectText}: ${signatureWeakness}`)
}

/** RFC 5280 §6.1.4 (k) to (n), for everything above the leaf. */
function issuersComplaint({ certificates, anchor }: Path): Complaint | undefined {
  const [, ...intermediates] = certificates
  for (const [index, issuer] of intermediates.entries()) {
    const complaint = issuerComplaint(issuer, intermediates.slice(0, index), issuer.isCa === true)
    if (complaint) return complaint
  }
  return anchor && issuerComplaint(anchor, intermediates, mayAnchor(anchor))
}

/**
 * An anchor need not say that it is a CA (RFC 5280 §6.1.1 (d) takes its name and key
 * alone), but it must not say that it is none. Without basicConstraints OpenSSL asks
 * for a certificate of version 1 or for keyCertSign, and so does this.
 */
function mayAnchor({ isCa, isVersion1, mayCertify }: Profile): boolean {
  return isCa ?? (isVersion1 || mayCertify === true)
}

/** @param below the intermediates between this issuer and the leaf */
function issuerComplaint(
  { subjectText, mayCertify, pathLength }: Profile,
  below: readonly Profile[],
  isAuthority: boolean,
): Complaint | undefined {
  if (!isAuthority) return untrusted(`${subjectText} is no CA`)
  if (mayCertify === false) {
    return untrusted(`${subjectText} may not sign certificates`)
  }
  const counted = below.filter(({ subject, issuer }) => !subject.equals(issuer)).length
  return pathLength !== undefined && counted > pathLength
    ? untrusted(`${subjectText} allows ${pathLength} CAs below it, not ${counted}`)
    : undefined
}

/** RFC 5280 §4.2.1.3: what a TLS server's key is used for. */
function usageComplaint({ mayHandshake, subjectText }: Profile): Complaint | undefined {
  return mayHandshake === false
    ? untrusted(`the key usage of ${subjectText} does not allow a TLS server`)
    : undefined
}

/** RFC 5280 §4.2.1.12; for authorities too, as OpenSSL and the public CAs have it. */
function purposeComplaint({ extendedKeyUsage, subjectText }: Profile): Complaint | undefined {
  return extendedKeyUsage === undefined || extendedKeyUsage.some((oid) => SERVER_PURPOSES.has(oid))
    ? undefined
    : untrusted(`the extended key usage of ${subjectText} does not allow a TLS server`)
}

/** RFC 5280 §6.1.3 (b), (c): every issuer's constraints bind everything below it but self-issued CAs. */
function constraintComplaint(all: readonly Profile[], spend: () => void): Complaint | undefined {
  for (const [index, { constraints, subjectText }] of all.entries()) {
    if (constraints === undefined) continue
    for (const [below, certificate] of all.slice(0, index).entries()) {
      const isLeaf = below === 0
      if (!isLeaf && certificate.subject.equals(certificate.issuer)) continue
      const outside = violation(constraints, namesOf(certificate, isLeaf), spend)
      if (outside === undefined) continue
      return untrusted(`${certificate.subjectText}: ${outside} of ${subjectText}`)
    }
  }
  return undefined
}

function validityComplaint(
  { notBefore, notAfter, subjectText }: Profile,
  instant: number,
): Complaint | undefined {
  if (instant > notAfter) {
    const when = new Date(notAfter).toISOString()
    return { reason: 'certificate-expired', text: `${subjectText} expired at ${when}` }
  }
  if (instant < notBefore) {
    const when = new Date(notBefore).toISOString()
    return {
      reason: 'certificate-not-yet-valid',
      text: `${subjectText} is not valid before ${when}`,
    }
  }
  return undefined
}

/**
 * RFC 7672 §3.2.2: the first reference name that the leaf bears and its issuers may vouch for.
 *
 * The second half repeats RFC 5280 §6.1.3 (b), (c) for the one name that matters. OpenSSL
 * found it in octets that constraints.ts read with another library: whatever each made of
 * them, an authority that may not speak for the name does not.
 */
function nameIn(
  leaf: Profile,
  issuers: readonly Profile[],
  { wanted, borne }: LeafNames,
  spend: () => void,
): DomainName | Complaint {
  const complaints: string[] = []
  for (const name of borne) {
    const here = issuers.flatMap(({ constraints, subjectText }) => {
      const outside = constraints && violation(constraints, [{ form: 'dns', text: name }], spend)
      return outside === undefined ? [] : [`${leaf.subjectText}: ${outside} of ${subjectText}`]
    })
    if (here.length === 0) return name
    complaints.push(...here)
  }
  const [first] = complaints
  return first === undefined
    ? { reason: 'name-mismatch', text: misnamed(leaf, wanted) }
    : untrusted(first)
}

function misnamed(
  { subjectText, alternativeNames, commonNames }: Profile,
  wanted: readonly DomainName[],
): string {
  const dns = alternativeNames.flatMap((name) => (name.form === 'dns' ? [name.text] : []))
  const borne = dns.length > 0 ? dns : commonNames
  const more = borne.length > 5 ? ` and ${borne.length - 5} more` : ''
  const shown = borne.length > 0 ? borne.slice(0, 5).join(' ') + more : 'no name'
  return `${subjectText} bears ${shown}, not ${wanted.join(' or ')}`
}

function untrusted(text: string): Complaint {
  return { reason: 'untrusted-path', text }
}

/** RFC 5280 §4.2.1.12: serverAuth, anyExtendedKeyUsage. */
const SERVER_PURPOSES: ReadonlySet<string> = new Set(['1.3.6.1.5.5.7.3.1', '2.5.29.37.0'])
