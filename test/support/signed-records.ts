/**
 * Signs RRsets for tests: keys of every algorithm, and RRSIGs over octets that this file
 * puts together itself, so that validator and tests do not share their bugs.
 */
import { createHash, generateKeyPairSync, sign } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import type { RRset, Rrsig } from '../../src/signed-message.js'
import { wireNameFromOctets } from '../../src/wire-name.js'
import type { WireName } from '../../src/wire-name.js'
import { u16, u32, wireName } from './dns-message.js'

export function wire(text: string): WireName {
  const name = wireNameFromOctets(wireName(text))
  if (name === undefined) throw new Error(`not a name: ${text}`)
  return name
}

export type Signer = {
  readonly algorithm: number
  readonly privateKey: KeyObject
  /** RDATA of the DNSKEY. */
  readonly rdata: Buffer
  readonly keyTag: number
}

export type SignerOptions = {
  readonly flags?: number
  readonly protocol?: number
  readonly modulusLength?: number
  readonly publicExponent?: number
}

const CURVES: Record<number, [string, 'sha256' | 'sha384', number]> = {
  13: ['P-256', 'sha256', 32],
  14: ['P-384', 'sha384', 48],
}
const RSA_HASH: Record<number, string> = { 5: 'sha1', 7: 'sha1', 8: 'sha256', 10: 'sha512' }

export function newSigner(algorithm: number, options: SignerOptions = {}): Signer {
  const { flags = 0x0101, protocol = 3, modulusLength = 2048, publicExponent = 65537 } = options
  const { publicKey, privateKey } = newPair(algorithm, modulusLength, publicExponent)
  const rdata = Buffer.concat([
    u16(flags),
    Buffer.from([protocol, algorithm]),
    publicOctets(publicKey),
  ])
  return { algorithm, privateKey, rdata, keyTag: tagOf(rdata) }
}

function newPair(algorithm: number, modulusLength: number, publicExponent: number) {
  const curve = CURVES[algorithm]
  if (curve !== undefined) return generateKeyPairSync('ec', { namedCurve: curve[0] })
  if (algorithm === 15) return generateKeyPairSync('ed25519')
  if (algorithm === 16) return generateKeyPairSync('ed448')
  return generateKeyPairSync('rsa', { modulusLength, publicExponent })
}

function publicOctets(key: KeyObject): Buffer {
  const { kty, n = '', e = '', x = '', y = '' } = key.export({ format: 'jwk' })
  const octets = (text: string) => Buffer.from(text, 'base64url')
  if (kty !== 'RSA') return Buffer.concat([octets(x), octets(y)])
  return Buffer.concat([Buffer.from([octets(e).length]), octets(e), octets(n)])
}

/** RFC 4034 App. B, word by word. */
export function tagOf(rdata: Buffer): number {
  let sum = 0
  for (let i = 0; i < rdata.length; i += 2) {
    sum += (rdata[i] ?? 0) * 256 + (rdata[i + 1] ?? 0)
  }
  return (sum + Math.floor(sum / 65536)) % 65536
}

/** RDATA of the DS of a key (RFC 4034 §5.1). */
export function dsOf(owner: WireName, key: Pick<Signer, 'rdata' | 'algorithm'>, type = 2): Buffer {
  const hash = type === 1 ? 'sha1' : type === 4 ? 'sha384' : 'sha256'
  const digest = createHash(hash)
    .update(Buffer.concat([Buffer.from(owner, 'latin1'), key.rdata]))
    .digest()
  return Buffer.concat([u16(tagOf(key.rdata)), Buffer.from([key.algorithm, type]), digest])
}

export type Signing = {
  readonly signer: Signer
  readonly zone: WireName
  readonly owner: WireName
  readonly type: number
  /** In canonical order, each once: this file does not sort. */
  readonly rdatas: readonly Buffer[]
  readonly ttl?: number
  readonly originalTtl?: number
  /** The owner that is signed, if it is a wildcard. */
  readonly signedOwner?: WireName
  /** Defaults to the labels of the signed owner without `*`. */
  readonly labels?: number
  /** Seconds since the epoch. */
  readonly inception: number
  readonly expiration: number
  /** What the RRSIG says of its key, if not the truth. */
  readonly keyTag?: number
}

/** A set with one signature. */
export function signedSet(signing: Signing): RRset {
  const { owner, type, rdatas, ttl = 3600 } = signing
  return { owner, type, ttl, rdatas, signatures: [signatureOf(signing)] }
}

export function signatureOf(signing: Signing): Rrsig {
  const { signer, zone, type, rdatas, inception, expiration } = signing
  const name = signing.signedOwner ?? signing.owner
  const labels = signing.labels ?? labelsOf(name)
  const originalTtl = signing.originalTtl ?? 3600
  const keyTag = signing.keyTag ?? signer.keyTag
  const data = Buffer.concat([
    u16(type),
    Buffer.from([signer.algorithm, labels]),
    u32(originalTtl),
    u32(expiration % 2 ** 32),
    u32(inception % 2 ** 32),
    u16(keyTag),
    Buffer.from(zone, 'latin1'),
    ...rdatas.flatMap((rdata) => [
      Buffer.from(name, 'latin1'),
      u16(type),
      u16(1),
      u32(originalTtl),
      u16(rdata.length),
      rdata,
    ]),
  ])
  return {
    typeCovered: type,
    algorithm: signer.algorithm,
    labels,
    originalTtl,
    expiration: expiration % 2 ** 32,
    inception: inception % 2 ** 32,
    keyTag,
    signer: zone,
    signature: signOctets(signer, data),
  }
}

export function signOctets({ algorithm, privateKey }: Signer, data: Buffer): Buffer {
  const hash = CURVES[algorithm]?.[1] ?? RSA_HASH[algorithm]
  return sign(hash, data, { key: privateKey, dsaEncoding: 'ieee-p1363' })
}

function labelsOf(name: WireName): number {
  let count = name.startsWith('\u0001*') ? -1 : 0
  for (let at = 0; name.charCodeAt(at) !== 0; at += 1 + name.charCodeAt(at)) count++
  return count
}
