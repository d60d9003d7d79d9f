/** Reads what a TLS client offers in its first flight (RFC 8446 §4.1.2). */
import assert from 'node:assert/strict'

export type ClientHello = {
  /** A handshake record, not an SSL 2 hello. */
  readonly isTlsRecord: boolean
  readonly suites: readonly number[]
  /** Numbers of the extensions. */
  readonly extensions: readonly number[]
  readonly serverName: string | undefined
  /** supported_versions, without GREASE values (RFC 8701). */
  readonly versions: readonly number[]
}

/** @param bytes the whole hello in one record, as loopback delivers it */
export function parseClientHello(bytes: Buffer): ClientHello {
  const isTlsRecord = bytes[0] === 0x16 && bytes[1] === 3 && bytes[5] === 1
  assert.ok(isTlsRecord)
  let at = 5 + 4 + 2 + 32
  const take = (octets: 1 | 2): Buffer => {
    const length = bytes.readUIntBE(at, octets)
    const field = bytes.subarray(at + octets, at + octets + length)
    at += octets + length
    return field
  }
  take(1) // session id
  const suites = pairs(take(2))
  take(1) // compression
  const extensions = new Map<number, Buffer>()
  const end = at + 2 + bytes.readUInt16BE(at)
  at += 2
  while (at < end) {
    const type = bytes.readUInt16BE(at)
    at += 2
    extensions.set(type, take(2))
  }
  return {
    isTlsRecord,
    suites,
    extensions: [...extensions.keys()],
    serverName: extensions.get(0)?.toString('latin1', 5),
    versions: pairs(extensions.get(43)?.subarray(1) ?? Buffer.alloc(0)),
  }
}

function pairs(bytes: Buffer): readonly number[] {
  return Array.from({ length: bytes.length / 2 }, (_, index) => bytes.readUInt16BE(index * 2))
}
