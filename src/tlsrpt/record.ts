/**
 * Who wants TLS reports about a domain: the TXT record at `_smtp._tls` (RFC 8460 §3).
 *
 * The records are a stranger's: `parseRecords` accepts what the RFC allows, within bounds,
 * and never yields a URI with control characters, a second recipient or another scheme.
 * Whether a report may be sent there (private addresses, limits per day) is decided when
 * it is sent. Pure.
 */
import { parseDomainName } from '../name.js'
import type { DomainName } from '../name.js'

export type ReportUri =
  /** One address; printable ASCII. */
  | { readonly kind: 'mailto'; readonly address: string }
  /** An absolute https URL, as `URL` writes it. */
  | { readonly kind: 'https'; readonly url: string }

/** Where reports are to go; at most `MAX_URIS`, none twice. */
export type TlsrptRecord = { readonly rua: readonly [ReportUri, ...ReportUri[]] }

/** The answer to the lookup of `_smtp._tls.DOMAIN`. */
export type RecordLookup =
  | { readonly kind: 'found'; readonly record: TlsrptRecord; readonly isSecure: boolean }
  /** No record, several, or none that can be used: the domain wants no reports. */
  | { readonly kind: 'none' }
  /** DNS failed, or the answer is bogus: counts as no record, and may be asked again. */
  | { readonly kind: 'failed'; readonly detail: string }

/** Answered from a cache for the TTL. Never rejects. */
export type FindRecord = (domain: DomainName) => Promise<RecordLookup>

/**
 * Whether a report may go where the record says. Without DNSSEC, a record can be forged, and
 * the forger gets the report.
 */
export function isAcceptable(
  { isSecure }: Pick<Extract<RecordLookup, { kind: 'found' }>, 'isSecure'>,
  isDnssecRequired: boolean,
): boolean {
  return isSecure || !isDnssecRequired
}

/** URIs of one record that are used; the rest are ignored. */
export const MAX_URIS = 5

/** The name that is asked; undefined if it is too long for DNS. */
export function recordName(domain: DomainName): DomainName | undefined {
  return parseDomainName(`_smtp._tls.${domain}`)
}

/**
 * The one record of these, or undefined: none, several, or no URI that can be used.
 *
 * @param texts the strings of each TXT record, joined with nothing between (RFC 8460 §3)
 */
export function parseRecords(texts: readonly string[]): TlsrptRecord | undefined {
  // RFC 8460 §3: records of other protocols are dropped first, then exactly one must be left.
  const [text, second] = texts.filter((each) => VERSION.test(each))
  if (text === undefined || second !== undefined || text.length > MAX_RECORD) return undefined
  let rua: string | undefined
  for (const field of fieldsOf(text)) {
    // RFC 8460 §3: fields that are not known are ignored; one without `=` is none.
    const [, key, value] = /^([A-Za-z0-9][A-Za-z0-9_.-]{0,31})=(.*)$/s.exec(field) ?? []
    if (key === undefined || value === undefined) return undefined
    if (key !== 'rua') continue
    // The ABNF has one: with two, it is not known which one counts.
    if (rua !== undefined) return undefined
    rua = value
  }
  const [first, ...rest] = urisOf(rua ?? '')
  return first && { rua: [first, ...rest] }
}

/** The fields after the version; white space around `;` and a final one are allowed. */
function fieldsOf(text: string): readonly string[] {
  const fields = text.split(';').slice(1).map(trimmed)
  return fields.at(-1) === '' ? fields.slice(0, -1) : fields
}

function urisOf(value: string): readonly ReportUri[] {
  const uris = new Map<string, ReportUri>()
  for (const part of value.split(',', MAX_LISTED)) {
    const uri = parseUri(trimmed(part))
    if (uri && uris.size < MAX_URIS) uris.set(uri.kind === 'mailto' ? uri.address : uri.url, uri)
  }
  return [...uris.values()]
}

/** Undefined: not one that a report can go to, which does not make the others void. */
function parseUri(text: string): ReportUri | undefined {
  // RFC 8460 §3: `!`, `,` and `;` are percent-encoded; `!10m` is of DMARC.
  if (text.length > MAX_URI || !/^[!-~]+$/.test(text) || text.includes('!')) return undefined
  if (/^mailto:/i.test(text)) return parseMailto(text.slice('mailto:'.length))
  if (!/^https:\/\/[^/?#]/i.test(text) || !URL.canParse(text)) return undefined
  const { href, username, password, hostname } = new URL(text)
  if (username !== '' || password !== '' || hostname === '' || href.length > MAX_URI) {
    return undefined
  }
  // A fragment is not sent.
  return { kind: 'https', url: href.replace(/#.*$/, '') }
}

/** RFC 6068: one address. Headers after `?` are ignored: a stranger's would be in our mail. */
function parseMailto(text: string): ReportUri | undefined {
  // Written like a URL: its local part would begin with slashes.
  if (text.startsWith('//')) return undefined
  const [encoded = ''] = text.split(/[?#]/, 1)
  const address = decoded(encoded)
  const [, local, host = ''] = ADDRESS.exec(address ?? '') ?? []
  const domain = host.length <= MAX_HOST ? parseDomainName(host) : undefined
  return local !== undefined && domain !== undefined
    ? { kind: 'mailto', address: `${local}@${domain}` }
    : undefined
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}

/** RFC 5234 WSP, which is not all that `trim` removes. */
function trimmed(text: string): string {
  return text.replace(/^[ \t]+|[ \t]+$/g, '')
}

/** RFC 8460 §3: case-sensitive, first, nothing before it. */
const VERSION = /^v=TLSRPTv1[ \t]*;/
/** A dot-atom (RFC 5321 §4.1.2) of at most 64 characters: no quotes, blanks or controls. */
const ADDRESS =
  /^((?=.{1,64}@)[A-Za-z0-9#$%&'*+/=?^_`{|}~!-]+(?:\.[A-Za-z0-9#$%&'*+/=?^_`{|}~!-]+)*)@([^@]+)$/
/** Characters of a whole record. */
const MAX_RECORD = 8192
/** URIs of one record that are read at all. */
const MAX_LISTED = 50
/** Characters of a URI. */
const MAX_URI = 1000
/** RFC 1035 §2.3.4. */
const MAX_HOST = 253
