/**
 * Checks a path whose signatures already link leaf and anchor.
 *
 * `checkPath` applies the checks of RFC 5280 §6.1 other than signatures, and matches the
 * leaf's names as RFC 7672 §3.2 requires. If the anchor is a certificate, designated by a
 * record with selector Cert(0), its own constraints (RFC 7672 §3.1.2) and dates apply, as
 * OpenSSL does with a root; its own signature is not checked. If the anchor is a bare
 * key, selector SPKI(1), there are no constraints and no dates: the TLSA record vouches
 * only for the key, not for the certificate around it.
 *
 * Problems with the CAs are reported first, dates and names last, so that the report
 * names what an operator can fix. Pure: the instant is passed in.
 */
import type { DomainName } from '../name.js'
import type { CertificateReason } from '../reason.js'
import { namesOf, violation } from './constraints.js'
import type { NameCounter } from './constraints.js'
import type { ParsedCertificate } from './parsed-certificate.js'

export type Path = {
  /** Leaf first, each signed by the next, the last by the anchor. */
  readonly certificates: readonly [ParsedCertificate, ...ParsedCertificate[]]
  /** Undefined if the anchor is a bare key. */
  readonly anchor: ParsedCertificate | undefined
}

/** Names of the leaf, matched once: it may have thousands and occur in many paths. */
export type LeafNames = {
  /** RFC 7672 §3.2.2. */
  readonly wanted: readonly DomainName[]
  /** Those that the leaf matches (host-match.ts). */
  readonly borne: readonly DomainName[]
  /** The names in the leaf, for messages. */
  readonly shown: string
}

export type PathVerdict =
  /** `name`: the reference name that matched. */
  { readonly kind: 'valid'; readonly name: DomainName } | Invalid

/** `detail` names the certificate. */
type Invalid = {
  readonly kind: 'invalid'
  readonly reason: CertificateReason
  readonly detail: string
}

/**
 * @param instant milliseconds since the epoch
 * @param counter is called for the names examined; throws when there are too many
 */
export function checkPath(
  path: Path,
  names: LeafNames,
  instant: number,
  counter: NameCounter,
): PathVerdict {
  const { certificates, anchor } = path
  const all = anchor ? [...certificates, anchor] : certificates
  return (
    firstOf(all, strengthComplaint) ??
    firstOf(certificates, signatureComplaint) ??
    issuersComplaint(path) ??
    usageComplaint(certificates[0]) ??
    firstOf(all, purposeComplaint) ??
    constraintComplaint(all, counter) ??
    firstOf(all, (certificate) => validityComplaint(certificate, instant)) ??
    nameIn(certificates[0], all.slice(1), names, counter)
  )
}

function firstOf<T>(
  items: readonly T[],
  complain: (item: T) => Invalid | undefined,
): Invalid | undefined {
  for (const item of items) {
    const complaint = complain(item)
    if (complaint) return complaint
  }
  return undefined
}

/** RFC 6698 §4.1: weak keys are refused by local policy. */
function strengthComplaint({ keyWeakness, subjectText }: ParsedCertificate): Invalid | undefined {
  return keyWeakness === undefined ? undefined : untrusted(`${subjectText}: ${keyWeakness}`)
}

/** The signatures that the path relies on, which excludes the anchor's own (RFC 5280 §6.1). */
function signatureComplaint({
  signatureWeakness,
  subjectText,
}: ParsedCertificate): Invalid | undefined {
  return signatureWeakness === undefined
    ? undefined
    : untrusted(`${subjectText}: ${signatureWeakness}`)
}

/** RFC 5280 §6.1.4 (k) to (n), for everything above the leaf. */
function issuersComplaint({ certificates, anchor }: Path): Invalid | undefined {
  const [, ...intermediates] = certificates
  for (const [index, issuer] of intermediates.entries()) {
    const complaint = issuerComplaint(issuer, intermediates.slice(0, index), issuer.isCa === true)
    if (complaint) return complaint
  }
  return anchor && issuerComplaint(anchor, intermediates, mayAnchor(anchor))
}

/**
 * An anchor need not be marked as a CA (RFC 5280 §6.1.1 (d) uses only its name and key),
 * but it must not be marked as not a CA. Without basicConstraints it has to be a version 1
 * certificate or have keyCertSign, as in OpenSSL.
 */
function mayAnchor({ isCa, isVersion1, mayCertify }: ParsedCertificate): boolean {
  return isCa ?? (isVersion1 || mayCertify === true)
}

/** @param below the intermediates between this issuer and the leaf */
function issuerComplaint(
  { subjectText, mayCertify, pathLength }: ParsedCertificate,
  below: readonly ParsedCertificate[],
  isAuthority: boolean,
): Invalid | undefined {
  if (!isAuthority) return untrusted(`${subjectText} is not a CA`)
  if (mayCertify === false) {
    return untrusted(`${subjectText} may not sign certificates`)
  }
  const counted = below.filter(({ subject, issuer }) => !subject.equals(issuer)).length
  return pathLength !== undefined && counted > pathLength
    ? untrusted(`${subjectText} allows ${pathLength} CAs below it, not ${counted}`)
    : undefined
}

/** RFC 5280 §4.2.1.3: the uses of a TLS server's key. */
function usageComplaint({ mayHandshake, subjectText }: ParsedCertificate): Invalid | undefined {
  return mayHandshake === false
    ? untrusted(`the key usage of ${subjectText} does not allow a TLS server`)
    : undefined
}

/** RFC 5280 §4.2.1.12; applied to CAs too, as OpenSSL and the public CAs do. */
function purposeComplaint({
  extendedKeyUsage,
  subjectText,
}: ParsedCertificate): Invalid | undefined {
  return extendedKeyUsage === undefined || extendedKeyUsage.some((oid) => SERVER_PURPOSES.has(oid))
    ? undefined
    : untrusted(`the extended key usage of ${subjectText} does not allow a TLS server`)
}

/**
 * RFC 5280 §6.1.3 (b), (c): an issuer's constraints apply to everything below it except
 * self-issued CAs.
 */
function constraintComplaint(
  all: readonly ParsedCertificate[],
  counter: NameCounter,
): Invalid | undefined {
  for (const [index, { constraints, subjectText }] of all.entries()) {
    if (constraints === undefined) continue
    for (const [below, certificate] of all.slice(0, index).entries()) {
      const isLeaf = below === 0
      if (!isLeaf && certificate.subject.equals(certificate.issuer)) continue
      const outside = violation(constraints, namesOf(certificate, isLeaf), counter)
      if (outside === undefined) continue
      return untrusted(`${certificate.subjectText}: ${outside} of ${subjectText}`)
    }
  }
  return undefined
}

function validityComplaint(
  { notBefore, notAfter, subjectText }: ParsedCertificate,
  instant: number,
): Invalid | undefined {
  if (instant > notAfter) {
    const when = new Date(notAfter).toISOString()
    return invalid('certificate-expired', `${subjectText} expired at ${when}`)
  }
  if (instant < notBefore) {
    const when = new Date(notBefore).toISOString()
    return invalid('certificate-not-yet-valid', `${subjectText} is not valid before ${when}`)
  }
  return undefined
}

/**
 * RFC 7672 §3.2.2: the first reference name that the leaf matches and its issuers may
 * certify.
 *
 * The second half repeats RFC 5280 §6.1.3 (b), (c) for the one name that matters. OpenSSL
 * matched it in bytes that constraints.ts parses with different code. Even if the two read
 * different names, a CA cannot certify a name outside its constraints.
 */
function nameIn(
  leaf: ParsedCertificate,
  issuers: readonly ParsedCertificate[],
  { wanted, borne, shown }: LeafNames,
  counter: NameCounter,
): PathVerdict {
  const complaints: string[] = []
  for (const name of borne) {
    const here = issuers.flatMap(({ constraints, subjectText }) => {
      const outside = constraints && violation(constraints, [{ form: 'dns', text: name }], counter)
      return outside === undefined ? [] : [`${leaf.subjectText}: ${outside} of ${subjectText}`]
    })
    if (here.length === 0) return { kind: 'valid', name }
    complaints.push(...here)
  }
  const [first] = complaints
  return first === undefined
    ? invalid(
        'name-mismatch',
        `${leaf.subjectText} is valid for ${shown}, not ${wanted.join(' or ')}`,
      )
    : untrusted(first)
}

/** The names in a leaf for messages; only the first ones if there are many. */
export function shownNames({ alternativeNames, commonNames }: ParsedCertificate): string {
  const dns = alternativeNames.flatMap((name) => (name.form === 'dns' ? [name.text] : []))
  const all = dns.length > 0 ? dns : commonNames
  const more = all.length > 5 ? ` and ${all.length - 5} more` : ''
  return all.length > 0 ? all.slice(0, 5).join(' ') + more : 'no name'
}

function untrusted(detail: string): Invalid {
  return invalid('untrusted-path', detail)
}

function invalid(reason: CertificateReason, detail: string): Invalid {
  return { kind: 'invalid', reason, detail }
}

/** RFC 5280 §4.2.1.12: serverAuth, anyExtendedKeyUsage. */
const SERVER_PURPOSES: ReadonlySet<string> = new Set(['1.3.6.1.5.5.7.3.1', '2.5.29.37.0'])
