/**
 * How does a person read what an answer holds?
 *
 * Status first, in the gateways' words, then the seconds it has left and the records.
 * Printable, one line, cut where it would be long. Pure.
 */
import { failureText, statusWord } from './lookup.js'
import type { DnsRecord, Lookup } from './lookup.js'
import { printable } from './text.js'
import { tlsaText } from './tlsa.js'

/** `SECURE ttl=300 10 mx1.example.org, 20 mx2.example.org` */
export function lookupText(lookup: Lookup, now: number): string {
  if (lookup.kind === 'failed') return `${statusWord(lookup)} ${failureText(lookup)}`
  const ttl = Math.max(0, Math.ceil((lookup.expiresAt - now) / 1000))
  const what =
    lookup.kind === 'absent'
      ? `${lookup.reason.toUpperCase()} ${lookup.security.toUpperCase()}`
      : lookup.security.toUpperCase()
  const records = lookup.kind === 'found' ? ` ${lookup.records.map(recordText).join(', ')}` : ''
  const alias = lookup.aliases.length > 0 ? ` alias of ${lookup.canonicalName}` : ''
  return printable(`${what} ttl=${ttl}${alias}${records}`, 500)
}

function recordText(record: DnsRecord): string {
  switch (record.type) {
    case 'A':
    case 'AAAA':
      return record.address
    case 'MX':
      return `${record.preference} ${record.exchange}`
    case 'CNAME':
      return record.target
    case 'TLSA':
      return tlsaText(record)
  }
}
