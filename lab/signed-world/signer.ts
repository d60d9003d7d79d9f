/**
 * Signs an RRset with a key of ldns-keygen, with whatever fields the RRSIG shall have.
 *
 * For signatures that a signer of zones refuses to make: other periods, signers, labels.
 */
import { createPrivateKey, sign } from 'node:crypto'
import type { JsonWebKey, KeyObject } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import {
  keyTag,
  nameOctets,
  rdataOctets,
  TYPE_NUMBERS,
  typeNumber,
  uint16,
  uint32,
} from './wire.js'

export type ZoneKey = {
  /** Path without extension, as ldns-signzone takes it. */
  readonly base: string
  readonly owner: string
  readonly dnskey: Buffer
  readonly privateKey: KeyObject
}

export type SignatureFields = {
  readonly signer: string
  /** Seconds since the epoch. */
  readonly inception: number
  readonly expiration: number
  /** Defaults to those of the owner. */
  readonly labels?: number
  readonly originalTtl: number
  /** Defaults to the key's. */
  readonly tag?: number
  readonly algorithm?: number
}

export async function readZoneKey(base: string): Promise<ZoneKey> {
  const [owner = '', , , ...rdata] = (await readFile(`${base}.key`, 'utf8'))
    .replace(/;.*/, '')
    .replace(/\t/g, ' ')
    .trim()
    .split(/\s+/)
  const dnskey = rdataOctets('DNSKEY', rdata.join(' '))
  const text = await readFile(`${base}.private`, 'utf8')
  const fields = new Map(
    Array.from(text.matchAll(/^(\w+): (\S+)/gm), ([, name = '', value = '']) => [name, value]),
  )
  const key = createPrivateKey({ key: jwkOf(dnskey, fields), format: 'jwk' })
  return { base, owner: owner.replace(/\.$/, ''), dnskey, privateKey: key }
}

function jwkOf(dnskey: Buffer, fields: ReadonlyMap<string, string>): JsonWebKey {
  const field = (name: string): string => base64url(Buffer.from(fields.get(name) ?? '', 'base64'))
  const algorithm = dnskey[3]
  const publicKey = dnskey.subarray(4)
  const d = field('PrivateKey')
  switch (algorithm) {
    case 13:
    case 14: {
      const half = publicKey.length / 2
      const [x, y] = [publicKey.subarray(0, half), publicKey.subarray(half)].map(base64url)
      if (x === undefined || y === undefined) throw new Error('no point')
      return { kty: 'EC', crv: algorithm === 13 ? 'P-256' : 'P-384', d, x, y }
    }
    case 15:
    case 16:
      return {
        kty: 'OKP',
        crv: algorithm === 15 ? 'Ed25519' : 'Ed448',
        d,
        x: base64url(publicKey),
      }
    default:
      return {
        kty: 'RSA',
        n: field('Modulus'),
        e: field('PublicExponent'),
        d: field('PrivateExponent'),
        p: field('Prime1'),
        q: field('Prime2'),
        dp: field('Exponent1'),
        dq: field('Exponent2'),
        qi: field('Coefficient'),
      }
  }
}

function base64url(octets: Buffer): string {
  return octets.toString('base64url')
}

/** The RDATA of an RRSIG. `rdatas` in wire format, names in lower case. */
export function signatureOver(
  owner: string,
  type: string,
  rdatas: readonly Buffer[],
  key: Pick<ZoneKey, 'dnskey' | 'privateKey'>,
  fields: SignatureFields,
): Buffer {
  const ownLabels = owner
    .split('.')
    .filter((label, index) => label !== '' && !(index === 0 && label === '*'))
  const labels = fields.labels ?? ownLabels.length
  const head = Buffer.concat([
    uint16(typeNumber(type)),
    Buffer.from([fields.algorithm ?? key.dnskey[3] ?? 0, labels]),
    uint32(fields.originalTtl),
    uint32(fields.expiration),
    uint32(fields.inception),
    uint16(fields.tag ?? keyTag(key.dnskey)),
    nameOctets(fields.signer),
  ])
  const signedOwner =
    labels < ownLabels.length
      ? ['*', ...ownLabels.slice(ownLabels.length - labels)].join('.')
      : owner
  const records = [...new Map(rdatas.map((rdata) => [rdata.toString('latin1'), rdata])).values()]
    .sort((a, b) => Buffer.compare(a, b))
    .map((rdata) =>
      Buffer.concat([
        nameOctets(signedOwner),
        uint16(typeNumber(type)),
        uint16(1),
        uint32(fields.originalTtl),
        uint16(rdata.length),
        rdata,
      ]),
    )
  return Buffer.concat([head, rawSignature(key, Buffer.concat([head, ...records]))])
}

function rawSignature(
  { dnskey, privateKey }: Pick<ZoneKey, 'dnskey' | 'privateKey'>,
  data: Buffer,
): Buffer {
  switch (dnskey[3]) {
    case 5:
    case 7:
      return sign('sha1', data, privateKey)
    case 8:
      return sign('sha256', data, privateKey)
    case 10:
      return sign('sha512', data, privateKey)
    case 13:
      return sign('sha256', data, { key: privateKey, dsaEncoding: 'ieee-p1363' })
    case 14:
      return sign('sha384', data, { key: privateKey, dsaEncoding: 'ieee-p1363' })
    default:
      return sign(null, data, privateKey)
  }
}

/** The RDATA of an RRSIG as zone files have it (RFC 4034 §3.2). */
export function signatureText(rdata: Buffer): string {
  const covered = Object.entries(TYPE_NUMBERS).find(
    ([, number]) => number === rdata.readUInt16BE(0),
  )
  const labels: string[] = []
  let at = 18
  for (let length = rdata[at] ?? 0; length > 0; length = rdata[at] ?? 0) {
    labels.push(rdata.toString('latin1', at + 1, at + 1 + length))
    at += 1 + length
  }
  return [
    covered?.[0] ?? 'TYPE0',
    rdata[2],
    rdata[3],
    rdata.readUInt32BE(4),
    timeText(rdata.readUInt32BE(8)),
    timeText(rdata.readUInt32BE(12)),
    rdata.readUInt16BE(16),
    `${labels.join('.')}.`,
    rdata.toString('base64', at + 1),
  ].join(' ')
}

/** YYYYMMDDHHmmSS in UTC, as zone files and signers take it. */
export function timeText(seconds: number): string {
  return new Date(seconds * 1000).toISOString().replace(/[-:T]|\..*/g, '')
}
