/**
 * Formats a lookup's result for the log.
 *
 * Status first, then the remaining TTL in seconds and the records. Printable, one line,
 * truncated if long. Pure.
 */
import { failureText } from './lookup.js'
import type {
  Disbelieved,
  DnsRecord,
  Exchange,
  Lookup,
  LookupEvent,
  ProbeResult,
} from './lookup.js'
import { printable } from './text.js'
import { tlsaText } from './tlsa.js'

/** What `debug` shows of a lookup, in the plugin's log and with `verify --debug`; undefined for other events. */
export function lookupEventText(event: LookupEvent, now: number): string | undefined {
  switch (event.kind) {
    case 'query':
      return `query ${event.type} ${event.name} to ${event.server}`
    case 'response':
    case 'cached':
      return `${event.kind} ${event.type} ${event.name}: ${lookupText(event.lookup, now)}`
    case 'hit':
    case 'redis':
    case 'resolver':
    case 'resolvers':
      return undefined
  }
}

/** `SECURE ttl=300 10 mx1.example.org, 20 mx2.example.org` */
export function lookupText(lookup: Lookup, now: number): string {
  if (lookup.kind === 'failed') {
    return `${lookup.cause.toUpperCase()}${failureText(lookup).slice(lookup.cause.length)}`
  }
  const stale = lookup.isStale === true ? 'STALE ' : ''
  const ttl = Math.max(0, Math.ceil((lookup.expiresAt - now) / 1000))
  const what =
    lookup.kind === 'absent'
      ? `${lookup.reason.toUpperCase()} ${lookup.security.toUpperCase()}`
      : lookup.security.toUpperCase()
  const records = lookup.kind === 'found' ? ` ${lookup.records.map(recordText).join(', ')}` : ''
  const alias = lookup.aliases.length > 0 ? ` alias of ${lookup.canonicalName}` : ''
  return printable(`${stale}${what} ttl=${ttl}${alias}${records}`, 500)
}

/** Why the resolver's own word does not count, in brackets; empty if it was not to count. */
export function disbeliefText({ byItself }: { readonly byItself?: Disbelieved }): string {
  return byItself === undefined ? '' : ` (its AD bit is not believed: ${byItself.detail})`
}

/** What probing a resolver has shown, for diagnosis. */
export function probeText(result: ProbeResult): string {
  switch (result.kind) {
    case 'validating':
      return result.caveat === undefined ? result.kind : `${result.kind}, but ${result.caveat}`
    case 'passing':
      return `${result.kind}${disbeliefText(result)}`
    case 'unusable':
      return `${result.problem}: ${result.detail}${disbeliefText(result)}`
    case 'not-validating':
    case 'failing':
      return `${result.kind}: ${result.detail}`
  }
}

function recordText(record: DnsRecord): string {
  switch (record.type) {
    case 'A':
    case 'AAAA':
      return record.address
    case 'MX':
      return `${record.preference} ${exchangeText(record.exchange)}`
    case 'CNAME':
    case 'DNAME':
      return record.target
    case 'TLSA':
      return tlsaText(record)
    case 'TXT':
      return `"${record.text}"`
  }
}

function exchangeText(exchange: Exchange): string {
  switch (exchange.kind) {
    case 'host':
      return exchange.name
    case 'root':
      return '.'
    case 'unusable':
      return '(unusable name)'
  }
}
