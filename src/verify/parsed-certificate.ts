/**
 * Parses the fields of a certificate that path validation (RFC 5280 §6) needs.
 *
 * `parseCertificateFields` reads validity, key, signature algorithm and extensions once.
 * OpenSSL must be able to parse the certificate as well, and the bytes must be DER, which
 * has only one reading (RFC 5280 §4.1). An unknown critical extension or a duplicate
 * extension makes the certificate unreadable. Whether it fits its position in a path is
 * checked in path-checks.ts.
 *
 * Never throws, whatever the bytes; takes linear time. Pure.
 */
import { createHash } from 'node:crypto'
import type { X509Certificate } from 'node:crypto'
import { openCertificate } from '../x509/certificate.js'
import type { Certificate } from '../x509/certificate.js'
import { isDer, readChildren, readWhole, TAG } from '../x509/der.js'
import { errorText, printable } from '../text.js'
import { readNameConstraints } from './constraints.js'
import type { CertificateNames, Constraints } from './constraints.js'
import { readDirectoryName } from './directory-name.js'
import {
  readBasicConstraints,
  readExtendedKeyUsage,
  readExtensions,
  readKeyUsage,
  USAGE_BIT,
} from './extensions.js'
import type { Extension } from './extensions.js'
import { readAlternativeNames } from './general-name.js'
import { keyWeakness, signatureWeakness } from './strength.js'

/** Its names are parsed once: they may be many and occur in many paths. */
export type ParsedCertificate = Certificate &
  CertificateNames & {
    /** OpenSSL's view of the same bytes, for signatures and names. */
    readonly x509: X509Certificate
    /** Milliseconds since the epoch, both inclusive (RFC 5280 §4.1.2.5). */
    readonly notBefore: number
    readonly notAfter: number
    /** cA of basicConstraints; undefined if the extension is missing. */
    readonly isCa: boolean | undefined
    /** Intermediates allowed below, not counting self-issued ones; undefined if unlimited. */
    readonly pathLength: number | undefined
    /** Undefined if the extension is missing, which allows everything (RFC 5280 §4.2.1.3). */
    readonly mayCertify: boolean | undefined
    readonly mayHandshake: boolean | undefined
    /** Object identifiers; undefined if the extension is missing (RFC 5280 §4.2.1.12). */
    readonly extendedKeyUsage: readonly string[] | undefined
    readonly constraints: Constraints | undefined
    /** Why the key, or the signature on the certificate, is not accepted. */
    readonly keyWeakness: string | undefined
    readonly signatureWeakness: string | undefined
    /** The subject in one printable line. */
    readonly subjectText: string
  }

export type CertificateReading =
  | { readonly kind: 'read'; readonly certificate: ParsedCertificate }
  /** `why` names the certificate, in one printable line. */
  | { readonly kind: 'unreadable'; readonly why: string }

/** @param open returns OpenSSL's view of the certificate, for callers that have it already */
export function parseCertificateFields(
  certificate: Certificate,
  open = () => openCertificate(certificate.der),
): CertificateReading {
  try {
    return read(certificate, open)
  } catch (error) {
    return unreadable(`${describeCertificate(certificate)} is unreadable: ${errorText(error)}`)
  }
}

/** Identifies a certificate in one printable line. Never throws. */
export function describeCertificate(certificate: Certificate): string {
  const { der } = certificate
  try {
    // Only if it is DER: this also describes certificates that could not be parsed.
    if (isDer(der)) return subjectText(certificate, readDirectoryName(certificate.subject).text)
  } catch {
    // Identified by its digest instead.
  }
  return `certificate (SHA2-256 ${createHash('sha256').update(der).digest('hex').slice(0, 16)}...)`
}

function subjectText({ serial }: Certificate, subject: string): string {
  return printable(
    subject === '' ? `serial ${serial.toString('hex', 0, 20)}` : subject,
    MAX_SUBJECT,
  )
}

function read(
  certificate: Certificate,
  open: () => X509Certificate | undefined,
): CertificateReading {
  if (!isDer(certificate.der))
    return unreadable(`${describeCertificate(certificate)} is not in DER`)
  const x509 = open()
  if (x509 === undefined)
    return unreadable(`OpenSSL cannot read ${describeCertificate(certificate)}`)
  const { rdns, commonNames, emailAddresses, text } = readDirectoryName(certificate.subject)
  const name = subjectText(certificate, text)
  const extensions = readExtensions(certificate.extensions)

  const validity = readValidity(certificate.validity)
  if (validity === undefined) return unreadable(`${name}: unreadable validity`)
  const complaint = unprocessed(extensions) ?? repeated(extensions) ?? ambiguous(extensions)
  if (complaint !== undefined) return unreadable(`${name}: ${complaint}`)

  const valueOf = (oid: string): Buffer | undefined =>
    extensions.find(({ type }) => type === oid)?.value
  const basic = whereThere(valueOf(OID.basicConstraints), readBasicConstraints)
  const usages = whereThere(valueOf(OID.keyUsage), readKeyUsage)
  const parsed: ParsedCertificate = {
    ...certificate,
    ...validity,
    x509,
    isCa: basic?.ca,
    pathLength: basic?.pathLength,
    mayCertify: usages === undefined ? undefined : (usages & USAGE_BIT.keyCertSign) !== 0,
    mayHandshake: usages === undefined ? undefined : (usages & TLS_SERVER_USAGES) !== 0,
    extendedKeyUsage: whereThere(valueOf(OID.extendedKeyUsage), readExtendedKeyUsage),
    rdns,
    alternativeNames: whereThere(valueOf(OID.subjectAltName), readAlternativeNames) ?? [],
    commonNames,
    emailAddresses,
    constraints: whereThere(valueOf(OID.nameConstraints), readNameConstraints),
    keyWeakness: keyWeakness(certificate.spki),
    signatureWeakness: signatureWeakness(certificate.algorithm),
    subjectText: name,
  }
  return { kind: 'read', certificate: parsed }
}

function unreadable(why: string): CertificateReading {
  return { kind: 'unreadable', why }
}

function whereThere<T>(value: Buffer | undefined, readValue: (value: Buffer) => T): T | undefined {
  return value === undefined ? undefined : readValue(value)
}

/** RFC 5280 §4.1.2.5: UTCTime or GeneralizedTime, with seconds and Z, and no other form. */
function readValidity(
  validity: Buffer,
): { readonly notBefore: number; readonly notAfter: number } | undefined {
  const outer = readWhole(validity)
  const [from, until] = (outer && readChildren(validity, outer, 2)) ?? []
  if (from === undefined || until === undefined) return undefined
  const [notBefore, notAfter] = [from, until].map(({ tag, contentStart, end }) =>
    readTime(tag, validity.toString('latin1', contentStart, end)),
  )
  return notBefore === undefined || notAfter === undefined ? undefined : { notBefore, notAfter }
}

function readTime(tag: number, text: string): number | undefined {
  const shape =
    tag === TAG.utcTime ? UTC_TIME : tag === TAG.generalizedTime ? GENERALIZED_TIME : undefined
  const [, years, month, day, hour, minute, second] = shape?.exec(text) ?? []
  if (years === undefined) return undefined
  // RFC 5280 §4.1.2.5.1: two-digit years from 50 on are 19xx.
  const century = shape === GENERALIZED_TIME ? '' : Number(years) < 50 ? '20' : '19'
  const iso = `${century}${years}-${month}-${day}T${hour}:${minute}:${second}.000Z`
  const instant = Date.parse(iso)
  // Date accepts some invalid values, such as an hour of 24.
  return !Number.isNaN(instant) && new Date(instant).toISOString() === iso ? instant : undefined
}

const UTC_TIME = /^(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/
const GENERALIZED_TIME = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/

/** RFC 5280 §4.2: an unknown critical extension makes the certificate unusable. */
function unprocessed(extensions: readonly Extension[]): string | undefined {
  const unknown = extensions.find(({ critical, type }) => critical && !PROCESSED.has(type))
  return unknown && `unknown critical extension ${printable(unknown.type)}`
}

/** RFC 5280 §4.2: an extension must not occur twice. */
function repeated(extensions: readonly Extension[]): string | undefined {
  const seen = new Set<string>()
  for (const { type } of extensions) {
    if (seen.has(type)) return `duplicate extension ${printable(type)}`
    seen.add(type)
  }
  return undefined
}

/**
 * OpenSSL accepts BER here and ignores trailing data in the value. Explicit default values
 * and unused bits are tolerated: some CAs write them, and all parsers agree on them.
 */
function ambiguous(extensions: readonly Extension[]): string | undefined {
  const found = extensions.find(({ type, value }) => READ.has(type) && !isDer(value))
  return found && `extension ${printable(found.type)} is not in DER`
}

/** RFC 5280 §4.2.1, and Netscape's certificate type. */
const OID = {
  keyUsage: '2.5.29.15',
  subjectAltName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  nameConstraints: '2.5.29.30',
  extendedKeyUsage: '2.5.29.37',
  /** No CRL is fetched (RFC 7672 §4). */
  crlDistributionPoints: '2.5.29.31',
  /**
   * Policies have no effect if the initial policy set is any-policy and no explicit policy
   * is required (RFC 5280 §6.1.1). OpenSSL does the same unless policy checking is enabled.
   */
  certificatePolicies: '2.5.29.32',
  policyMappings: '2.5.29.33',
  policyConstraints: '2.5.29.36',
  inhibitAnyPolicy: '2.5.29.54',
  netscapeCertType: '2.16.840.1.113730.1.1',
} as const
const PROCESSED: ReadonlySet<string> = new Set(Object.values(OID))
/** Extensions whose values are parsed here. */
const READ: ReadonlySet<string> = new Set([
  OID.keyUsage,
  OID.subjectAltName,
  OID.basicConstraints,
  OID.nameConstraints,
  OID.extendedKeyUsage,
])

/** Characters of a subject shown in a refusal, which needs room for dates and names too. */
const MAX_SUBJECT = 120

const TLS_SERVER_USAGES =
  USAGE_BIT.digitalSignature | USAGE_BIT.keyEncipherment | USAGE_BIT.keyAgreement
