/**
 * Mints the laboratory's certificates.
 *
 * On demand, with exactly the flaws that a test asks for, around a fixed
 * instant so that nothing expires under the tests.
 */
import 'reflect-metadata'
import { createHash, randomBytes, webcrypto } from 'node:crypto'
import { AsnConvert } from '@peculiar/asn1-schema'
import { GeneralName, GeneralSubtree, GeneralSubtrees, NameConstraints } from '@peculiar/asn1-x509'
import {
  AuthorityInfoAccessExtension,
  BasicConstraintsExtension,
  CRLDistributionPointsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
} from '@peculiar/x509'

export type KeyKind = 'P-256' | 'P-384' | 'P-521' | 'Ed25519' | 'RSA-2048' | 'RSA-4096' | 'RSA-1024'

export type Minted = {
  readonly der: Buffer
  readonly spki: Buffer
  readonly subject: string
  /** PKCS #8. */
  readonly keyPem: string
  readonly pem: string
  readonly keys: webcrypto.CryptoKeyPair
}

export type MintOptions = {
  /** Distinguished name, such as `CN=mx.example.org`. */
  readonly subject: string
  /** If omitted, the certificate is self-signed. */
  readonly issuer?: Minted
  /** The issuer's name and key as seen by this certificate, if they differ from `issuer`. */
  readonly issuerName?: string
  readonly names?: readonly string[]
  readonly isCa?: boolean
  readonly pathLength?: number
  readonly keyUsage?: KeyUsageFlags | 'none'
  readonly extendedKeyUsage?: readonly string[] | 'none'
  readonly notBefore?: Date
  readonly notAfter?: Date
  readonly key?: KeyKind
  readonly keys?: webcrypto.CryptoKeyPair
  readonly hash?: 'SHA-1' | 'SHA-256' | 'SHA-384' | 'SHA-512'
  readonly extensions?: readonly Extension[]
  /** Omits basicConstraints. */
  readonly noBasicConstraints?: boolean
}

/** The instant around which everything is valid. */
export const NOON = new Date('2026-06-15T12:00:00Z')

const DAY = 86_400_000

export async function mint(options: MintOptions): Promise<Minted> {
  const { subject, issuer, isCa = false } = options
  const keys = options.keys ?? (await generateKeys(options.key ?? 'P-256'))
  const signingKey = (issuer?.keys ?? keys).privateKey
  const certificate = await X509CertificateGenerator.create(
    {
      serialNumber: randomBytes(8)
        .toString('hex')
        .replace(/^[89a-f]/, '1'),
      subject,
      issuer: options.issuerName ?? issuer?.subject ?? subject,
      notBefore: options.notBefore ?? new Date(NOON.getTime() - 3650 * DAY),
      notAfter: options.notAfter ?? new Date(NOON.getTime() + 3650 * DAY),
      publicKey: keys.publicKey,
      signingKey,
      signingAlgorithm: signatureAlgorithm(signingKey, options.hash ?? 'SHA-256'),
      extensions: [
        ...(options.noBasicConstraints
          ? []
          : [new BasicConstraintsExtension(isCa, options.pathLength, isCa)]),
        ...usages(options, isCa),
        ...(options.names?.length
          ? [
              new SubjectAlternativeNameExtension(
                options.names.map((value) => ({ type: 'dns' as const, value })),
              ),
            ]
          : []),
        ...(options.extensions ?? []),
      ],
    },
    webcrypto,
  )
  const pkcs8 = await webcrypto.subtle.exportKey('pkcs8', keys.privateKey)
  const spki = await webcrypto.subtle.exportKey('spki', keys.publicKey)
  return {
    der: Buffer.from(certificate.rawData),
    spki: Buffer.from(spki),
    subject,
    keyPem: PemConverter.encode(pkcs8, 'PRIVATE KEY'),
    pem: certificate.toString('pem'),
    keys,
  }
}

/** TLSA presentation for a certificate: `3 1 1 hex`. */
export function tlsaFor(
  usage: number,
  selector: number,
  matchingType: number,
  { der, spki }: Pick<Minted, 'der' | 'spki'>,
): string {
  const data = selector === 1 ? spki : der
  const hash = matchingType === 1 ? 'sha256' : matchingType === 2 ? 'sha512' : undefined
  const association = hash ? createHash(hash).update(data).digest() : data
  return `${usage} ${selector} ${matchingType} ${association.toString('hex')}`
}

export function generateKeys(kind: KeyKind): Promise<webcrypto.CryptoKeyPair> {
  const uses: webcrypto.KeyUsage[] = ['sign', 'verify']
  switch (kind) {
    case 'P-256':
    case 'P-384':
    case 'P-521':
      return webcrypto.subtle.generateKey({ name: 'ECDSA', namedCurve: kind }, true, uses)
    case 'Ed25519':
      return webcrypto.subtle.generateKey({ name: 'Ed25519' }, true, uses).then(asPair)
    case 'RSA-1024':
    case 'RSA-2048':
    case 'RSA-4096':
      return webcrypto.subtle.generateKey(
        {
          name: 'RSASSA-PKCS1-v1_5',
          modulusLength: Number(kind.slice(4)),
          publicExponent: new Uint8Array([1, 0, 1]),
          hash: 'SHA-256',
        },
        true,
        uses,
      )
  }
}

function asPair(keys: webcrypto.CryptoKey | webcrypto.CryptoKeyPair): webcrypto.CryptoKeyPair {
  if ('privateKey' in keys) return keys
  throw new Error('not a key pair')
}

function signatureAlgorithm(
  key: webcrypto.CryptoKey,
  hash: string,
): webcrypto.AlgorithmIdentifier | webcrypto.EcdsaParams {
  return key.algorithm.name === 'ECDSA' ? { name: 'ECDSA', hash } : { name: key.algorithm.name }
}

function usages({ keyUsage, extendedKeyUsage }: MintOptions, isCa: boolean): readonly Extension[] {
  const flags = keyUsage ?? (isCa ? KeyUsageFlags.keyCertSign : KeyUsageFlags.digitalSignature)
  const purposes = extendedKeyUsage ?? (isCa ? 'none' : [ExtendedKeyUsage.serverAuth])
  return [
    ...(flags === 'none' ? [] : [new KeyUsagesExtension(flags, true)]),
    ...(purposes === 'none' ? [] : [new ExtendedKeyUsageExtension([...purposes])]),
  ]
}

/** RFC 5280 §4.2.1.10, for DNS names. */
export function nameConstraints({
  permitted = [],
  excluded = [],
}: {
  readonly permitted?: readonly string[]
  readonly excluded?: readonly string[]
}): Extension {
  const subtrees = (names: readonly string[]): GeneralSubtrees =>
    new GeneralSubtrees(
      names.map((dNSName) => new GeneralSubtree({ base: new GeneralName({ dNSName }) })),
    )
  const constraints = new NameConstraints({
    ...(permitted.length > 0 && { permittedSubtrees: subtrees(permitted) }),
    ...(excluded.length > 0 && { excludedSubtrees: subtrees(excluded) }),
  })
  return new Extension('2.5.29.30', true, AsnConvert.serialize(constraints))
}

/** An unknown extension marked critical. */
export function unknownCritical(): Extension {
  return new Extension('1.3.6.1.4.1.99999.1', true, Buffer.from('0500', 'hex'))
}

// For modules that must not import the library before reflect-metadata.
export { AuthorityInfoAccessExtension, CRLDistributionPointsExtension, KeyUsageFlags }
