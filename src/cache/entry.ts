/**
 * How does a fact look outside this process, and is what came back one?
 *
 * One RRset fact for each name and type: security, records, aliases and absolute
 * expiry, versioned, in printable characters. Where there is a key, an entry is
 * authenticated together with the place it stands at, since whoever can write to the
 * store could otherwise say that a destination has no DANE.
 *
 * `parseEntry` is the border: what does not parse, is of another version, is not
 * authentic, has expired or claims a longer life than allowed is nothing. Pure.
 */
import { createHmac, timingSafeEqual } from 'node:crypto'
import { isIP } from 'node:net'
import { MAX_ALIASES, MAX_RECORDS } from '../lookup.js'
import type { DnsRecord, Fact, RecordType, Security } from '../lookup.js'
import { nameFromWire } from '../name.js'
import type { DomainName } from '../name.js'

/** Where the fact stands in the store, without the operator's prefix. */
export function entryKey(name: DomainName, type: RecordType): string {
  return `${KEY_START}${type}:${name}`
}

/** Where somebody says that they are asking. No name can make the one the other. */
export function claimKey(name: DomainName, type: RecordType): string {
  return `${KEY_START}claim:${type}:${name}`
}

/** @param secret undefined: entries are not authenticated */
export function composeEntry(
  name: DomainName,
  type: RecordType,
  fact: Fact,
  secret: string | undefined,
): string {
  const { security, canonicalName, aliases, expiresAt } = fact
  const records = fact.kind === 'found' ? fact.records.map(composeRecord) : fact.reason
  const body = JSON.stringify([security, canonicalName, aliases, Math.floor(expiresAt), records])
  return `${mac(name, type, body, secret)} ${body}`
}

/**
 * @param now milliseconds since the epoch
 * @param maxTtlMs the longest life that an entry may claim
 */
export function parseEntry(
  name: DomainName,
  type: RecordType,
  text: string,
  secret: string | undefined,
  now: number,
  maxTtlMs: number,
): Fact | undefined {
  const space = text.indexOf(' ')
  if (text.length > MAX_ENTRY || space === -1) return undefined
  const body = text.slice(space + 1)
  if (!isSame(text.slice(0, space), mac(name, type, body, secret))) return undefined
  const fact = toFact(name, type, parseJson(body))
  return fact && fact.expiresAt > now && fact.expiresAt <= now + maxTtlMs ? fact : undefined
}

/** Characters of the longest entry: the largest RRset that dns/answer.ts lets pass takes less. */
export const MAX_ENTRY = 512 * 1024
/** With the version of the entries, so that relays of two versions do not meet. */
export const KEY_START = '1:'

function toFact(name: DomainName, type: RecordType, body: unknown): Fact | undefined {
  if (!isList(body) || body.length !== 5) return undefined
  const [security, canonical, names, expiresAt, rest] = body
  const canonicalName = toName(canonical)
  const aliases = toList(names, MAX_ALIASES + 1, toName)
  if (!isSecurity(security) || canonicalName === undefined || aliases === undefined)
    return undefined
  if (typeof expiresAt !== 'number' || !Number.isSafeInteger(expiresAt)) return undefined
  // The chain leads from the name asked for to the canonical one.
  if ((aliases[0] ?? canonicalName) !== name) return undefined
  const common = { security, canonicalName, aliases, expiresAt }
  if (rest === 'nodata' || rest === 'nxdomain') return { kind: 'absent', reason: rest, ...common }
  const records = toList(rest, MAX_RECORDS[type], (each) => toRecord(type, each))
  return records && records.length > 0 ? { kind: 'found', records, ...common } : undefined
}

function composeRecord(record: DnsRecord): unknown {
  switch (record.type) {
    case 'MX':
      return [record.preference, record.exchange]
    case 'A':
    case 'AAAA':
      return record.address
    case 'CNAME':
      return record.target
    case 'TLSA':
      return record.rdata.toString('base64')
  }
}

function toRecord(type: RecordType, value: unknown): DnsRecord | undefined {
  switch (type) {
    case 'MX': {
      if (!isList(value) || value.length !== 2) return undefined
      const [preference, text] = value
      const exchange = text === '.' || text === '' ? text : toName(text)
      return isUint16(preference) && exchange !== undefined
        ? { type, preference, exchange }
        : undefined
    }
    case 'A':
    case 'AAAA':
      // Without a zone, which no address in DNS has.
      return typeof value === 'string' &&
        !value.includes('%') &&
        isIP(value) === (type === 'A' ? 4 : 6)
        ? { type, address: value }
        : undefined
    case 'CNAME': {
      const target = toName(value)
      return target && { type, target }
    }
    case 'TLSA': {
      if (typeof value !== 'string') return undefined
      const rdata = Buffer.from(value, 'base64')
      return rdata.length <= 0xffff && rdata.toString('base64') === value
        ? { type, rdata }
        : undefined
    }
  }
}

function toName(value: unknown): DomainName | undefined {
  const name = typeof value === 'string' ? nameFromWire(value) : undefined
  return name === value ? name : undefined
}

/** Every item or nothing. */
function toList<T>(
  value: unknown,
  most: number,
  toItem: (item: unknown) => T | undefined,
): readonly T[] | undefined {
  if (!isList(value) || value.length > most) return undefined
  const items: T[] = []
  for (const each of value) {
    const item = toItem(each)
    if (item === undefined) return undefined
    items.push(item)
  }
  return items
}

function isList(value: unknown): value is readonly unknown[] {
  return Array.isArray(value)
}

function isSecurity(value: unknown): value is Security {
  return value === 'secure' || value === 'insecure'
}

function isUint16(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= 0xffff
}

/** `-` without a secret, so that an entry of one kind is never taken for one of the other. */
function mac(name: DomainName, type: RecordType, body: string, secret: string | undefined): string {
  if (secret === undefined) return '-'
  return createHmac('sha256', secret)
    .update(`${entryKey(name, type)}\n${body}`)
    .digest('base64url')
}

function isSame(a: string, b: string): boolean {
  if (a === '-' || b === '-') return a === b // no secret that the time could tell
  const [one, other] = [Buffer.from(a), Buffer.from(b)]
  return one.length === other.length && timingSafeEqual(one, other)
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined // not ours, or not whole
  }
}
