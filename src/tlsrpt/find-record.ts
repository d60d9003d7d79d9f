/**
 * Asks DNS whether a domain wants TLS reports (RFC 8460 §3).
 *
 * Through the resolver that mail uses, with its cache: one lookup per domain and TTL, also
 * where there is no record. DNSSEC is not required; an answer that is bogus or fails is no
 * record. Never on the way of a message. The resolver is passed in.
 */
import type { Resolver } from '../lookup.js'
import { failureText } from '../lookup.js'
import { parseRecords, recordName } from './record.js'
import type { FindRecord } from './record.js'

export function createFindRecord(resolver: () => Pick<Resolver, 'lookup'>): FindRecord {
  return async (domain) => {
    const name = recordName(domain)
    if (name === undefined) return { kind: 'none' }
    const lookup = await resolver().lookup(name, 'TXT')
    switch (lookup.kind) {
      case 'failed':
        return { kind: 'failed', detail: failureText(lookup) }
      case 'absent':
        return { kind: 'none' }
      case 'found': {
        const record = parseRecords(lookup.records.map(({ text }) => text))
        return record
          ? { kind: 'found', record, isSecure: lookup.security === 'secure' }
          : { kind: 'none' }
      }
    }
  }
}
