/**
 * What does a certificate claim that path validation (RFC 5280 §6) needs to know?
 *
 * `readProfile` reads validity, key, signature algorithm and extensions, once, with
 * @peculiar/x509 and OpenSSL; both must be able to. What is in a critical extension
 * that nobody here processes, or stands twice, makes the profile a complaint instead.
 * Whether a profile is good enough for its place in a path is path.ts's question.
 *
 * Never throws, whatever the bytes. Pure.
 */
import 'reflect-metadata'
import { X509Certificate } from 'node:crypto'
import { AsnConvert } from '@peculiar/asn1-schema'
import { NameConstraints } from '@peculiar/asn1-x509'
import {
  BasicConstraintsExtension,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  X509Certificate as PeculiarCertificate,
} from '@peculiar/x509'
import type { Extension, GeneralNameType } from '@peculiar/x509'
import type { Certificate } from '../certificate.js'
import { errorText, printable } from '../text.js'

export type AlternativeName = { readonly type: GeneralNameType; readonly value: string }

export type Profile = Certificate & {
  /** OpenSSL's view, for signatures and names. */
  readonly x509: X509Certificate
  /** Milliseconds since the epoch, both inclusive (RFC 5280 §4.1.2.5). */
  readonly notBefore: number
  readonly notAfter: number
  /** `isCa` is basicConstraints' cA; false where the extension is missing. */
  readonly isCa: boolean
  /** Intermediates allowed below, not counting self-issued ones; undefined: any number. */
  readonly pathLength: number | undefined
  /** Undefined where the extension is missing, which allows everything (RFC 5280 §4.2.1.3). */
  readonly mayCertify: boolean | undefined
  readonly mayHandshake: boolean | undefined
  /** Object identifiers; undefined where the extension is missing (RFC 5280 §4.2.1.12). */
  readonly extendedKeyUsage: readonly string[] | undefined
  readonly alternativeNames: readonly AlternativeName[]
  readonly commonNames: readonly string[]
  readonly nameConstraints: NameConstraints | undefined
  /** For people: the subject in one printable line. */
  readonly subjectText: string
}

/** The profile, or in words why there is none. */
export function readProfile(certificate: Certificate): Profile | string {
  try {
    return read(certificate)
  } catch (error) {
    return `unreadable certificate: ${errorText(error)}`
  }
}

function read(certificate: Certificate): Profile | string {
  const x509 = new X509Certificate(certificate.der)
  const parsed = new PeculiarCertificate(certificate.der)
  const subjectText = printable(
    parsed.subject === '' ? `serial ${parsed.serialNumber}` : parsed.subject,
  )
  const complaint =
    weakness(x509, parsed) ?? unprocessed(parsed.extensions) ?? repeated(parsed.extensions)
  if (complaint !== undefined) return `${subjectText}: ${complaint}`

  const constraints = parsed.getExtension(BasicConstraintsExtension)
  const usages = parsed.getExtension(KeyUsagesExtension)?.usages
  const names = parsed.getExtension(SubjectAlternativeNameExtension)?.names.items ?? []
  const nameConstraints = parsed.getExtension(OID.nameConstraints)?.value
  return {
    ...certificate,
    x509,
    notBefore: parsed.notBefore.getTime(),
    notAfter: parsed.notAfter.getTime(),
    isCa: constraints?.ca ?? false,
    pathLength: constraints?.pathLength,
    mayCertify: usages === undefined ? undefined : (usages & KeyUsageFlags.keyCertSign) !== 0,
    mayHandshake: usages === undefined ? undefined : (usages & TLS_SERVER_USAGES) !== 0,
    extendedKeyUsage: parsed.getExtension(ExtendedKeyUsageExtension)?.usages.map(String),
    alternativeNames: names.map(({ type, value }) => ({ type, value })),
    commonNames: parsed.subjectName.getField('CN'),
    nameConstraints: nameConstraints && AsnConvert.parse(nameConstraints, NameConstraints),
    subjectText,
  }
}

/** RFC 6698 §4.1 leaves weak algorithms to local policy; this is OpenSSL's security level 2. */
function weakness(x509: X509Certificate, parsed: PeculiarCertificate): string | undefined {
  const algorithm: object = parsed.signatureAlgorithm
  const name = nameOf(algorithm)
  if (!STRONG_SIGNATURES.has(name)) return `signature algorithm ${printable(name)} is not accepted`
  const hash = 'hash' in algorithm ? nameOf(algorithm.hash) : undefined
  if (hash !== undefined && !STRONG_HASHES.has(hash))
    return `signature digest ${printable(hash)} is weak`

  const { asymmetricKeyType = 'unknown', asymmetricKeyDetails = {} } = x509.publicKey
  const { modulusLength, namedCurve } = asymmetricKeyDetails
  switch (asymmetricKeyType) {
    case 'rsa':
    case 'rsa-pss':
      return modulusLength === undefined ||
        modulusLength < MIN_RSA_BITS ||
        modulusLength > MAX_RSA_BITS
        ? `RSA key of ${modulusLength ?? 'unknown'} bits is not accepted`
        : undefined
    case 'ec':
      // Parameters spelled out instead of named have no namedCurve here (CVE-2020-0601).
      return STRONG_CURVES.has(namedCurve ?? '')
        ? undefined
        : `curve ${printable(namedCurve ?? 'with explicit parameters')} is not accepted`
    case 'ed25519':
    case 'ed448':
      return undefined
    case 'dsa':
    case 'x25519':
    case 'x448':
    case 'unknown':
      return `${asymmetricKeyType} keys are not accepted`
  }
}

function nameOf(algorithm: unknown): string {
  if (typeof algorithm !== 'object' || algorithm === null || !('name' in algorithm))
    return 'unknown'
  return typeof algorithm.name === 'string' ? algorithm.name : 'unknown'
}

/** RFC 5280 §4.2: a critical extension that is not processed makes the certificate useless. */
function unprocessed(extensions: readonly Extension[]): string | undefined {
  const unknown = extensions.find(({ critical, type }) => critical && !PROCESSED.has(type))
  return unknown && `unknown critical extension ${printable(unknown.type)}`
}

/** RFC 5280 §4.2: no extension stands twice. */
function repeated(extensions: readonly Extension[]): string | undefined {
  const types = extensions.map(({ type }) => type)
  const twice = types.find((type, index) => types.indexOf(type) !== index)
  return twice && `extension ${printable(twice)} stands twice`
}

/** RFC 5280 §4.2.1. */
const OID = {
  keyUsage: '2.5.29.15',
  subjectAltName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  nameConstraints: '2.5.29.30',
  certificatePolicies: '2.5.29.32',
  extendedKeyUsage: '2.5.29.37',
} as const
/** Policies constrain nothing unless an initial policy set is asked for (RFC 5280 §6.1.1), and none is. */
const PROCESSED: ReadonlySet<string> = new Set(Object.values(OID))

const TLS_SERVER_USAGES =
  KeyUsageFlags.digitalSignature | KeyUsageFlags.keyEncipherment | KeyUsageFlags.keyAgreement
const STRONG_SIGNATURES: ReadonlySet<string> = new Set([
  'RSASSA-PKCS1-v1_5',
  'RSA-PSS',
  'ECDSA',
  'Ed25519',
  'EdDSA',
])
const STRONG_HASHES: ReadonlySet<string> = new Set(['SHA-256', 'SHA-384', 'SHA-512'])
/** Of at least 224 bits. */
const STRONG_CURVES: ReadonlySet<string> = new Set([
  'secp224r1',
  'prime256v1',
  'secp256k1',
  'secp384r1',
  'secp521r1',
  'brainpoolP256r1',
  'brainpoolP384r1',
  'brainpoolP512r1',
])
/** 112 bits of security (NIST SP 800-57 part 1, table 2). */
const MIN_RSA_BITS = 2048
/** OPENSSL_RSA_MAX_MODULUS_BITS: larger keys exist to waste a verifier's time. */
const MAX_RSA_BITS = 16_384
