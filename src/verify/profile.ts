/**
 * What does a certificate claim that path validation (RFC 5280 §6) needs to know?
 *
 * `readProfile` reads validity, key, signature algorithm and extensions, once, with
 * @peculiar/x509 and OpenSSL; both must be able to, and the octets must be DER, which
 * has one reading (RFC 5280 §4.1). What is in a critical extension that nobody here
 * processes, or stands twice, makes the profile a complaint instead. Whether a profile
 * is good enough for its place in a path is validity.ts's question.
 *
 * Never throws, whatever the bytes. Pure.
 */
import 'reflect-metadata'
import { createHash } from 'node:crypto'
import type { X509Certificate } from 'node:crypto'
import {
  BasicConstraintsExtension,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  X509Certificate as PeculiarCertificate,
} from '@peculiar/x509'
import type { Extension } from '@peculiar/x509'
import { openCertificate } from '../certificate.js'
import type { Certificate } from '../certificate.js'
import { isDer, readChildren, readWhole, TAG } from '../der.js'
import { errorText, printable } from '../text.js'
import { readNameConstraints } from './constraints.js'
import type { Constraints } from './constraints.js'
import { readAlternativeNames, readDirectoryName } from './general-name.js'
import type { ComparableName, DirectoryName } from './general-name.js'
import { keyWeakness, signatureWeakness } from './strength.js'

export type Profile = Certificate & {
  /** OpenSSL's view of the same octets, for signatures and names. */
  readonly x509: X509Certificate
  /** Milliseconds since the epoch, both inclusive (RFC 5280 §4.1.2.5). */
  readonly notBefore: number
  readonly notAfter: number
  /** basicConstraints' cA; undefined where the extension is missing. */
  readonly isCa: boolean | undefined
  /** Intermediates allowed below, not counting self-issued ones; undefined: any number. */
  readonly pathLength: number | undefined
  /** Undefined where the extension is missing, which allows everything (RFC 5280 §4.2.1.3). */
  readonly mayCertify: boolean | undefined
  readonly mayHandshake: boolean | undefined
  /** Object identifiers; undefined where the extension is missing (RFC 5280 §4.2.1.12). */
  readonly extendedKeyUsage: readonly string[] | undefined
  readonly alternativeNames: readonly ComparableName[]
  /** The subject, read once: it may be long, and stand in many paths. */
  readonly rdns: DirectoryName
  readonly commonNames: readonly string[]
  readonly emailAddresses: readonly string[]
  readonly constraints: Constraints | undefined
  /** In words why its key, or the signature on it, proves nothing. */
  readonly keyWeakness: string | undefined
  readonly signatureWeakness: string | undefined
  /** For people: the subject in one printable line. */
  readonly subjectText: string
}

/**
 * The profile, or in words why there is none.
 *
 * @param open gives OpenSSL's view of the same octets, for those who have it already
 */
export function readProfile(
  certificate: Certificate,
  open = () => openCertificate(certificate.der),
): Profile | string {
  try {
    return read(certificate, open)
  } catch (error) {
    return `${describeCertificate(certificate)} is unreadable: ${errorText(error)}`
  }
}

/** For people: which certificate, in one printable line. Never throws. */
export function describeCertificate({ der }: Certificate): string {
  try {
    // In DER alone, whose depth is bounded: this is said of certificates that nobody could read.
    if (isDer(der)) return toSubjectText(new PeculiarCertificate(der))
  } catch {
    // Named by its digest, then.
  }
  return `certificate (SHA2-256 ${createHash('sha256').update(der).digest('hex').slice(0, 16)}...)`
}

function toSubjectText({ subject, serialNumber }: PeculiarCertificate): string {
  return printable(subject === '' ? `serial ${serialNumber}` : subject, MAX_SUBJECT)
}

function read(certificate: Certificate, open: () => X509Certificate | undefined): Profile | string {
  if (!isDer(certificate.der)) return `${describeCertificate(certificate)} is not in DER`
  const x509 = open()
  if (x509 === undefined) return `OpenSSL cannot read ${describeCertificate(certificate)}`
  const parsed = new PeculiarCertificate(certificate.der)
  const { subjectName, extensions } = parsed
  const subjectText = toSubjectText(parsed)

  const validity = readValidity(certificate.validity)
  if (validity === undefined) return `${subjectText}: unreadable validity`
  const complaint = unprocessed(extensions) ?? repeated(extensions) ?? ambiguous(extensions)
  if (complaint !== undefined) return `${subjectText}: ${complaint}`

  const basic = parsed.getExtension(BasicConstraintsExtension)
  const usages = parsed.getExtension(KeyUsagesExtension)?.usages
  const names = parsed.getExtension(OID.subjectAltName)?.value
  const constraints = parsed.getExtension(OID.nameConstraints)?.value
  return {
    ...certificate,
    ...validity,
    x509,
    isCa: basic?.ca,
    pathLength: basic?.pathLength,
    mayCertify: usages === undefined ? undefined : (usages & KeyUsageFlags.keyCertSign) !== 0,
    mayHandshake: usages === undefined ? undefined : (usages & TLS_SERVER_USAGES) !== 0,
    extendedKeyUsage: parsed.getExtension(ExtendedKeyUsageExtension)?.usages.map(String),
    rdns: readDirectoryName(certificate.subject),
    alternativeNames: names ? readAlternativeNames(names) : [],
    commonNames: subjectName.getField('CN'),
    emailAddresses: subjectName.getField('E'),
    constraints: constraints && readNameConstraints(constraints),
    keyWeakness: keyWeakness(x509.publicKey),
    signatureWeakness: signatureWeakness(parsed.signatureAlgorithm),
    subjectText,
  }
}

/** RFC 5280 §4.1.2.5: UTCTime or GeneralizedTime to the second in Zulu, and nothing else. */
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
  // RFC 5280 §4.1.2.5.1: two digits from 50 on are of the last century.
  const century = shape === GENERALIZED_TIME ? '' : Number(years) < 50 ? '20' : '19'
  const iso = `${century}${years}-${month}-${day}T${hour}:${minute}:${second}.000Z`
  const instant = Date.parse(iso)
  // A month of 00 or an hour of 99 is no time, whatever Date makes of it.
  return !Number.isNaN(instant) && new Date(instant).toISOString() === iso ? instant : undefined
}

const UTC_TIME = /^(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/
const GENERALIZED_TIME = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/

/** RFC 5280 §4.2: a critical extension that is not processed makes the certificate useless. */
function unprocessed(extensions: readonly Extension[]): string | undefined {
  const unknown = extensions.find(({ critical, type }) => critical && !PROCESSED.has(type))
  return unknown && `unknown critical extension ${printable(unknown.type)}`
}

/** RFC 5280 §4.2: no extension stands twice. */
function repeated(extensions: readonly Extension[]): string | undefined {
  const seen = new Set<string>()
  for (const { type } of extensions) {
    if (seen.has(type)) return `extension ${printable(type)} stands twice`
    seen.add(type)
  }
  return undefined
}

/**
 * OpenSSL reads BER here, and passes over what stands behind the value. Explicit defaults
 * and idle bits are let be: some authorities write them, and all parsers agree on them.
 */
function ambiguous(extensions: readonly Extension[]): string | undefined {
  const found = extensions.find(({ type, value }) => READ.has(type) && !isDer(Buffer.from(value)))
  return found && `extension ${printable(found.type)} is not in DER`
}

/** RFC 5280 §4.2.1, and Netscape's own. */
const OID = {
  keyUsage: '2.5.29.15',
  subjectAltName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  nameConstraints: '2.5.29.30',
  extendedKeyUsage: '2.5.29.37',
  /** No CRL is fetched (RFC 7672 §4). */
  crlDistributionPoints: '2.5.29.31',
  /**
   * Policies constrain nothing where the initial policy set is any-policy and none is
   * required (RFC 5280 §6.1.1), as in OpenSSL unless it is asked to check them.
   */
  certificatePolicies: '2.5.29.32',
  policyMappings: '2.5.29.33',
  policyConstraints: '2.5.29.36',
  inhibitAnyPolicy: '2.5.29.54',
  netscapeCertType: '2.16.840.1.113730.1.1',
} as const
const PROCESSED: ReadonlySet<string> = new Set(Object.values(OID))
/** Those whose values are read here. */
const READ: ReadonlySet<string> = new Set([
  OID.keyUsage,
  OID.subjectAltName,
  OID.basicConstraints,
  OID.nameConstraints,
  OID.extendedKeyUsage,
])

/** Characters of a subject in a refusal, which has to hold dates and names too. */
const MAX_SUBJECT = 120

const TLS_SERVER_USAGES =
  KeyUsageFlags.digitalSignature | KeyUsageFlags.keyEncipherment | KeyUsageFlags.keyAgreement
