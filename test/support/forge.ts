/**
 * Creates many hostile certificates quickly.
 *
 * Each has a new serial number, so that no cache from an earlier run helps. They are
 * signed only where that matters.
 */
import { generateKeyPairSync, sign } from 'node:crypto'
import { tlsaFor } from '../../lab/certificates.js'
import {
  CN,
  context,
  dn,
  dns,
  ecKeys,
  element,
  extensions,
  integer,
  oid,
  seq,
  utcTime,
} from './der-builder.js'
import type { Built, Der, KeyPair } from './der-builder.js'

export type Attack = readonly [records: readonly string[], chain: readonly [Built, ...Built[]]]

export const MX = 'mx.example.org'
export const ROOT = dn([[CN, 'Root']])
const MIDDLE = dn([[CN, 'Middle']])
const HOST = dn([[CN, MX]])
export const leafKeys = ecKeys()
export const rootKeys = ecKeys()
export const middleKeys = ecKeys()
export const curve521 = (): KeyPair => generateKeyPairSync('ec', { namedCurve: 'P-521' })
export const many = <T>(count: number, make: (index: number) => T): readonly T[] =>
  Array.from({ length: count }, (_, index) => make(index))
export const repeat = (count: number, der: Der): Der => Buffer.concat(many(count, () => der))
export const caption = (index: number): Der => dn([[CN, `CA ${index}`]])

const ECDSA = seq(oid('1.2.840.10045.4.3.2'))
const RSA = seq(oid('1.2.840.113549.1.1.11'), element(0x05))
/** An invalid signature in the right format. */
const NO_SIGNATURE = Buffer.from('3006020101020101', 'hex')
export const spkiOf = ({ publicKey }: KeyPair): Buffer =>
  publicKey.export({ type: 'spki', format: 'der' })

type Parts = {
  readonly subject?: Der
  readonly issuer?: Der
  readonly spki?: Buffer
  readonly extensions?: readonly Der[]
  /** The signer; without one the signature is invalid. */
  readonly by?: KeyPair
  /** An invalid RSA signature of this many octets. */
  readonly rsaOctets?: number
}

let serial = 0

export function certificate(parts: Parts): Built {
  const { subject = MIDDLE, issuer = ROOT, spki = spkiOf(middleKeys), by, rsaOctets } = parts
  serial += 1
  const own = parts.extensions ?? [extensions.ca()]
  const algorithm = rsaOctets === undefined ? ECDSA : RSA
  const tbs = seq(
    context(0, integer(2)),
    integer(1, (serial >> 16) & 0xff, (serial >> 8) & 0xff, serial & 0xff),
    algorithm,
    issuer,
    seq(utcTime('200101000000Z'), utcTime('350101000000Z')),
    subject,
    spki,
    ...(own.length > 0 ? [context(3, seq(...own))] : []),
  )
  const signature = by
    ? sign('sha256', tbs, by.privateKey)
    : rsaOctets === undefined
      ? NO_SIGNATURE
      : Buffer.alloc(rsaOctets, 0x33)
  return { der: seq(tbs, algorithm, element(0x03, Buffer.from([0]), signature)), spki }
}

export const leaf = (own: readonly Der[] = [extensions.names(dns(MX))], more: Parts = {}): Built =>
  certificate({
    subject: HOST,
    issuer: MIDDLE,
    spki: spkiOf(leafKeys),
    extensions: own,
    by: middleKeys,
    ...more,
  })
/** Issued in the name of the intermediate, but not signed by it. */
export const orphan = (rsaOctets?: number): Built => {
  const parts = { subject: HOST, issuer: MIDDLE, spki: spkiOf(leafKeys) }
  const own = [extensions.names(dns(MX))]
  return certificate({ ...parts, extensions: own, ...(rsaOctets !== undefined && { rsaOctets }) })
}
const middle = (own: readonly Der[] = [extensions.ca()]): Built =>
  certificate({ extensions: own, by: rootKeys })
export const middles = (count: number): readonly Built[] => many(count, () => middle())

/** From the leaf through this many intermediates to a root, which the record names. */
export function under(
  top: Built,
  end: Built,
  count: number,
  more: readonly Built[] = [],
): readonly [readonly string[], readonly [Built, ...Built[]]] {
  return [[tlsaFor(2, 0, 1, top)], [end, ...middles(count), ...more, top]]
}
export const root = (...more: readonly Der[]): Built =>
  certificate({ subject: ROOT, spki: spkiOf(rootKeys), extensions: [extensions.ca(), ...more] })
export const constrained = (...sides: readonly Der[]): Built =>
  root(extensions.nameConstraints(...sides))

/** An RSA public key without a private key. */
export function rsaSpki(octets: number, exponent: Buffer, index = 0): Buffer {
  const modulus = Buffer.alloc(octets + 1, 0xab)
  modulus[0] = 0
  modulus[1] = 0xff
  modulus.writeUInt32BE(Math.imul(index, 2654435761) >>> 0, 20)
  const key = seq(element(0x02, modulus), element(0x02, exponent))
  return seq(seq(oid('1.2.840.113549.1.1.1'), element(0x05)), element(0x03, Buffer.from([0]), key))
}
/** A key with explicit curve parameters, over a field in which OpenSSL is slow at square roots. */
export function curveSpki(index = 0): Buffer {
  const p = 0x400000000000abn * 2n ** 600n + 1n
  const field = (value: bigint): Buffer => Buffer.from(value.toString(16).padStart(164, '0'), 'hex')
  const point = Buffer.concat([Buffer.from([2]), field(3n)])
  const parameters = seq(
    integer(1),
    seq(oid('1.2.840.10045.1.1'), element(0x02, field(p))),
    seq(element(0x04, field(1n)), element(0x04, field(7n))),
    element(0x04, point),
    element(0x02, field(p + 2n * BigInt(1 + index))),
    integer(1),
  )
  const algorithm = seq(oid('1.2.840.10045.2.1'), parameters)
  return seq(algorithm, element(0x03, Buffer.from([0]), point))
}
export const LONG_EXPONENT = Buffer.concat([Buffer.from([0x7f]), Buffer.alloc(379, 0xff)])
export const LONGEST_ACCEPTED = Buffer.from([0, 0xff, 0xff, 0xff, 0xff])
export const bare = (count: number, spki: (index: number) => Buffer): readonly string[] =>
  many(count, (index) => `2 1 0 ${spki(index).toString('hex')}`)
export const digests = (usage: number, type: 1 | 2, count: number): readonly string[] =>
  many(count, (index) => `${usage} 0 ${type} ${index.toString(16).padStart(type * 64, '0')}`)
export const NO_ANCHOR = digests(2, 1, 1)
