/**
 * Serializes a fact to text and parses it.
 *
 * One RRset: security, canonical name, aliases and records, as JSON in printable
 * characters. The expiry is stored next to it by memory-store.ts, or by seal.ts for Redis.
 *
 * `parseFact` validates its input: undefined for anything but a fact about this name and
 * type. Pure.
 */
import { isIP } from 'node:net'
import { MAX_ALIASES, MAX_RECORDS, ofType } from '../lookup.js'
import type { DnsRecord, Exchange, Fact, RecordType, Security } from '../lookup.js'
import { nameFromWire } from '../name.js'
import type { DomainName } from '../name.js'

export function composeFact(fact: Fact): string {
  const { security, canonicalName, aliases, dname } = fact
  const records = fact.kind === 'found' ? fact.records.map(composeRecord) : fact.reason
  const parts = [security, canonicalName, aliases, records]
  return JSON.stringify(dname === undefined ? parts : [...parts, dname])
}

/** @param expiresAt milliseconds since the epoch */
export function parseFact<T extends RecordType>(
  name: DomainName,
  type: T,
  text: string,
  expiresAt: number,
): Fact<T> | undefined {
  const body = parseJson(text)
  if (!isList(body) || body.length < 4 || body.length > 5) return undefined
  const [security, canonical, names, rest, dnameOwner] = body
  const canonicalName = toName(canonical)
  const aliases = toList(names, MAX_ALIASES + 1, toName)
  if (!isSecurity(security) || canonicalName === undefined || aliases === undefined)
    return undefined
  // The chain starts at the queried name.
  if ((aliases[0] ?? canonicalName) !== name) return undefined
  const dname = toName(dnameOwner)
  // A DNAME is above the first alias, which is the queried name.
  const isDnameAbove = dname !== undefined && aliases.length > 0 && name.endsWith(`.${dname}`)
  if (body.length === 5 && !isDnameAbove) return undefined
  const common = {
    security,
    canonicalName,
    aliases,
    ...(dname !== undefined && { dname }),
    expiresAt,
  }
  if (rest === 'nodata' || rest === 'nxdomain') return { kind: 'absent', reason: rest, ...common }
  const records = toList(rest, MAX_RECORDS[type], (each) => toRecord(type, each))
  return records && records.length > 0
    ? ofType({ kind: 'found', records, ...common }, type)
    : undefined
}

function composeRecord(record: DnsRecord): unknown {
  switch (record.type) {
    case 'MX':
      return [record.preference, composeExchange(record.exchange)]
    case 'A':
    case 'AAAA':
      return record.address
    case 'CNAME':
    case 'DNAME':
      return record.target
    case 'TLSA':
      return record.rdata.toString('base64')
    case 'TXT':
      return Buffer.from(record.text, 'latin1').toString('base64')
  }
}

function toRecord(type: RecordType, value: unknown): DnsRecord | undefined {
  switch (type) {
    case 'MX': {
      if (!isList(value) || value.length !== 2) return undefined
      const [preference, text] = value
      const exchange = toExchange(text)
      return isUint16(preference) && exchange !== undefined
        ? { type, preference, exchange }
        : undefined
    }
    case 'A':
      return isAddress(value, 4) ? { type, address: value } : undefined
    case 'AAAA':
      return isAddress(value, 6) ? { type, address: value } : undefined
    case 'CNAME': {
      const target = toName(value)
      return target && { type, target }
    }
    case 'DNAME': {
      const target = value === '.' ? value : toName(value)
      return target && { type, target }
    }
    case 'TLSA': {
      const rdata = toOctets(value)
      return rdata && { type, rdata }
    }
    case 'TXT': {
      const octets = toOctets(value)
      return octets && { type, text: octets.toString('latin1') }
    }
  }
}

function composeExchange(exchange: Exchange): string {
  switch (exchange.kind) {
    case 'host':
      return exchange.name
    case 'root':
      return '.'
    case 'unusable':
      return ''
  }
}

function toExchange(text: unknown): Exchange | undefined {
  if (text === '.') return { kind: 'root' }
  if (text === '') return { kind: 'unusable' }
  const name = toName(text)
  return name && { kind: 'host', name }
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

/** Without a zone, which no address in DNS has. */
function isAddress(value: unknown, family: 4 | 6): value is string {
  return typeof value === 'string' && !value.includes('%') && isIP(value) === family
}

/** At most as many as one record has. */
function toOctets(value: unknown): Buffer | undefined {
  if (typeof value !== 'string') return undefined
  const octets = Buffer.from(value, 'base64')
  return octets.length <= 0xffff && octets.toString('base64') === value ? octets : undefined
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

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined // written by something else, or truncated
  }
}
