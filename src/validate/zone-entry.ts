/**
 * A kept zone as text, for a store that several processes share.
 *
 * `parseZone` validates its input: undefined for anything but a zone with this apex, proven
 * under these anchors and this policy, that has not expired. Keys are read again from their
 * octets, by the same limits as keys in DNS. What the text says is believed as the other
 * facts in the store are: it is not proven again. Pure.
 */
import { printable } from '../text.js'
import { ROOT } from '../wire-name.js'
import type { WireName } from '../wire-name.js'
import { readZoneKey } from './key.js'
import type { AlgorithmPolicy, ZoneKey } from './key.js'
import { MOST_DETAIL } from './scene.js'
import { MOST_KEYS } from './zone.js'
import type { KeptZone } from './zone-store.js'

export function composeZone({ apex, keys, detail, expiresAt, under }: KeptZone): string {
  const rest = keys === undefined ? detail : keys.map(({ rdata }) => rdata.toString('base64'))
  return JSON.stringify([under, toBase64(apex), Math.floor(expiresAt), rest])
}

/** What the reader expects of an entry, and its circumstances. */
export type ZoneReading = {
  readonly apex: WireName
  /** See proven-under.ts. */
  readonly under: string
  readonly policy: AlgorithmPolicy
  /** Milliseconds since the epoch, by the wall clock, as `until`. */
  readonly now: number
  /** The store keeps it no longer. */
  readonly until: number
}

export function parseZone(text: string, reading: ZoneReading): KeptZone | undefined {
  const { apex, under, policy, now, until } = reading
  if (text.length > MOST_TEXT) return undefined
  const body = parseJson(text)
  if (!isList(body) || body.length !== 4) return undefined
  const [saidUnder, saidApex, ends, rest] = body
  if (saidUnder !== under || saidApex !== toBase64(apex)) return undefined
  if (typeof ends !== 'number' || !Number.isSafeInteger(ends)) return undefined
  // RFC 4035 §5.3.3: the end of the signatures is an instant, whatever the store counts.
  const expiresAt = Math.min(ends, until)
  if (expiresAt <= now) return undefined
  if (typeof rest === 'string') {
    // Nothing above the root could prove that.
    if (apex === ROOT) return undefined
    return { apex, keys: undefined, detail: printable(rest, MOST_DETAIL), expiresAt, under }
  }
  const keys = toKeys(rest, policy)
  return keys && { apex, keys, detail: '', expiresAt, under }
}

/** Every key or nothing: with some left out, what they sign would be bogus. */
function toKeys(value: unknown, policy: AlgorithmPolicy): readonly ZoneKey[] | undefined {
  if (!isList(value) || value.length === 0 || value.length > MOST_KEYS) return undefined
  const keys: ZoneKey[] = []
  for (const each of value) {
    const rdata = toOctets(each)
    const key = rdata && readZoneKey(rdata, policy)
    // RFC 5011 §2.1: a revoked key verifies nothing.
    if (key?.kind !== 'key' || key.isRevoked) return undefined
    keys.push(key)
  }
  return keys
}

/** At least the fixed part of a DNSKEY (RFC 4034 §2.1). */
function toOctets(value: unknown): Buffer | undefined {
  if (typeof value !== 'string') return undefined
  const octets = Buffer.from(value, 'base64')
  return octets.length >= 4 && octets.toString('base64') === value ? octets : undefined
}

function toBase64(name: WireName): string {
  return Buffer.from(name, 'latin1').toString('base64')
}

function isList(value: unknown): value is readonly unknown[] {
  return Array.isArray(value)
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined // written by something else, or truncated
  }
}

/** Characters: room for 32 RSA keys of 4096 bits. */
const MOST_TEXT = 32 * 1024
