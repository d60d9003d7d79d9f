/**
 * Builds certificates that no library would create.
 *
 * DER by hand: any version, any string type, any time, any extension in any order,
 * signed by any key or by none. For tests with hostile or unusual certificates.
 */
import { createHash, generateKeyPairSync, sign } from 'node:crypto'
import type { KeyObject, SignKeyObjectInput } from 'node:crypto'

export type Der = Buffer

export function element(tag: number, ...contents: readonly (Der | string)[]): Der {
  const body = Buffer.concat(
    contents.map((each) => (typeof each === 'string' ? Buffer.from(each, 'latin1') : each)),
  )
  return Buffer.concat([Buffer.from([tag]), lengthOf(body.length), body])
}

function lengthOf(length: number): Buffer {
  if (length < 0x80) return Buffer.from([length])
  const hex = length.toString(16)
  const octets = Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex')
  return Buffer.concat([Buffer.from([0x80 + octets.length]), octets])
}

export const seq = (...parts: readonly (Der | string)[]): Der => element(0x30, ...parts)
export const set = (...parts: readonly Der[]): Der => element(0x31, ...parts)
export const octets = (...parts: readonly Der[]): Der => element(0x04, ...parts)
export const integer = (...values: readonly number[]): Der => element(0x02, Buffer.from(values))
export const boolean = (value: boolean): Der => element(0x01, Buffer.from([value ? 0xff : 0]))
export const context = (number: number, ...parts: readonly (Der | string)[]): Der =>
  element(0xa0 + number, ...parts)
export const implicit = (number: number, ...parts: readonly (Der | string)[]): Der =>
  element(0x80 + number, ...parts)

export function oid(text: string): Der {
  const [first = 0, second = 0, ...rest] = text.split('.').map(Number)
  const octetsOf = (arc: number): number[] => {
    const digits = [arc & 0x7f]
    for (let left = arc >>> 7; left > 0; left >>>= 7) digits.unshift((left & 0x7f) | 0x80)
    return digits
  }
  return element(0x06, Buffer.from([first * 40 + second, ...rest.flatMap(octetsOf)]))
}

/** A distinguished name of one attribute each, in the given string type (default UTF8String). */
export function dn(attributes: readonly (readonly [string, string, number?])[]): Der {
  return seq(
    ...attributes.map(([type, value, tag = 0x0c]) =>
      set(seq(oid(type), element(tag, Buffer.from(value, 'utf8')))),
    ),
  )
}

export const CN = '2.5.4.3'
export const O = '2.5.4.10'
export const EMAIL = '1.2.840.113549.1.9.1'
export const STRING = { utf8: 0x0c, printable: 0x13 }

export type KeyPair = { readonly publicKey: KeyObject; readonly privateKey: KeyObject }

export function ecKeys(): KeyPair {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' })
}

export function extension(type: string, critical: boolean, value: Der): Der {
  return seq(oid(type), ...(critical ? [boolean(true)] : []), octets(value))
}

export const extensions = {
  ca: (pathLength?: number): Der =>
    extension(
      '2.5.29.19',
      true,
      seq(boolean(true), ...(pathLength === undefined ? [] : [integer(pathLength)])),
    ),
  /** digitalSignature is bit 0, keyCertSign bit 5. */
  keyUsage: (bits: number): Der =>
    extension('2.5.29.15', true, element(0x03, Buffer.from([0, bits]))),
  names: (...names: readonly Der[]): Der => extension('2.5.29.17', false, seq(...names)),
  nameConstraints: (...sides: readonly Der[]): Der => extension('2.5.29.30', true, seq(...sides)),
  keyId: (key: KeyObject): Der => extension('2.5.29.14', false, octets(keyIdOf(key))),
  authorityKeyId: (key: KeyObject): Der =>
    extension('2.5.29.35', false, seq(implicit(0, keyIdOf(key)))),
}

export const KEY_USAGE = { digitalSignature: 0x80, keyCertSign: 0x04 }

export const dns = (name: string): Der => implicit(2, name)
export const email = (name: string): Der => implicit(1, name)
export const uri = (name: string): Der => implicit(6, name)
export const ip = (...bytes: readonly number[]): Der => implicit(7, Buffer.from(bytes))
export const directory = (name: Der): Der => context(4, name)
/** otherName of an unknown type. */
export const otherName = (): Der => context(0, oid('1.2.3.4'), context(0, element(0x0c, 'other')))

export const permitted = (...bases: readonly Der[]): Der =>
  context(0, ...bases.map((base) => seq(base)))
export const excluded = (...bases: readonly Der[]): Der =>
  context(1, ...bases.map((base) => seq(base)))

export type CertificateParts = {
  readonly subject?: Der
  readonly issuer?: Der
  readonly keys: KeyPair
  /** The signing key; defaults to the certificate's own. */
  readonly signedBy?: KeyPair
  /** The signature algorithm; defaults to the usual one of the signing key. */
  readonly signature?: Signature
  /** The AlgorithmIdentifier inside the signed part, if different. */
  readonly innerAlgorithm?: Der
  readonly extensions?: readonly Der[]
  /** The validity, or any DER instead of it; defaults to a decade around NOON. */
  readonly times?: readonly Der[]
  readonly isVersion1?: boolean
  readonly serial?: number
}

export const utcTime = (text: string): Der => element(0x17, text)
export const generalizedTime = (text: string): Der => element(0x18, text)

export type Built = { readonly der: Buffer; readonly spki: Buffer }

/** An AlgorithmIdentifier and its name in Node. */
export type Signature = {
  readonly algorithm: Der
  readonly digest: string | undefined
  readonly options?: Omit<SignKeyObjectInput, 'key'>
}

export function build(parts: CertificateParts): Built {
  const {
    keys,
    signedBy = keys,
    times = [utcTime('200101000000Z'), utcTime('350101000000Z')],
    signature: { algorithm, digest, options } = usualSignature(signedBy.privateKey),
  } = parts
  const subject = parts.subject ?? dn([[CN, 'mx.example.org']])
  const spki = keys.publicKey.export({ type: 'spki', format: 'der' })
  const tbs = seq(
    ...(parts.isVersion1 ? [] : [context(0, integer(2))]),
    integer(parts.serial ?? 1),
    parts.innerAlgorithm ?? algorithm,
    parts.issuer ?? subject,
    seq(...times),
    subject,
    spki,
    ...(parts.extensions ? [context(3, seq(...parts.extensions))] : []),
  )
  const signature = sign(digest, tbs, { key: signedBy.privateKey, ...options })
  return { der: seq(tbs, algorithm, element(0x03, Buffer.from([0]), signature)), spki }
}

function usualSignature({ asymmetricKeyType }: KeyObject): Signature {
  switch (asymmetricKeyType) {
    case 'ed25519':
      return { algorithm: seq(oid('1.3.101.112')), digest: undefined }
    case 'ed448':
      return { algorithm: seq(oid('1.3.101.113')), digest: undefined }
    case 'rsa':
      return { algorithm: seq(oid('1.2.840.113549.1.1.11'), element(0x05)), digest: 'sha256' }
    default:
      return { algorithm: seq(oid('1.2.840.10045.4.3.2')), digest: 'sha256' }
  }
}

function keyIdOf(key: KeyObject): Buffer {
  return createHash('sha1')
    .update(key.export({ type: 'spki', format: 'der' }))
    .digest()
}

/** PEM, the only format that servers accept. */
export function pemOf(der: Der): string {
  return `-----BEGIN CERTIFICATE-----\n${der.toString('base64')}\n-----END CERTIFICATE-----\n`
}
