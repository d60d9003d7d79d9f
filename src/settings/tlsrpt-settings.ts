/**
 * The settings of `[tlsrpt]`: reports to the domains that ask for them (RFC 8460).
 *
 * Off unless `enabled = yes`; then what is missing is refused by name. Pure.
 */
import { isIP } from 'node:net'
import { parseDomainName } from '../name.js'
import type { DomainName } from '../name.js'
import type { OptionReader } from './option-reader.js'

export type TlsrptSettings = {
  /** RFC 8460 §4.4 `organization-name`; printable ASCII. */
  readonly organization: string
  /** RFC 8460 §4.4 `contact-info`: a mail address. */
  readonly contact: string
  /** The address in From. Its domain is the submitter, and the domain of the DKIM key. */
  readonly from: string
  /** The domain of `from`. */
  readonly submitter: DomainName
  readonly dkim: {
    /** The private key in PEM; relative names are in Haraka's config folder. */
    readonly keyFile: string
    readonly selector: string
  }
  /** No report of a day without failures. */
  readonly isOnlyFailures: boolean
  /** Reports only to domains whose record is secure. */
  readonly isDnssecRequired: boolean
  /** Domains that get no report and are not counted: the name, or `.name` for all below it. */
  readonly exclude: ReadonlySet<string>
  /** Public addresses of this relay for `sending-mta-ip`, at most one of each family; undefined: as seen. */
  readonly sendingIp: { readonly ipv4: string | undefined; readonly ipv6: string | undefined }
  /** How long counts and the log of reports are kept after the day, in milliseconds. */
  readonly retentionMs: number
}

/** Undefined: no reports, and nothing is counted. */
export function readTlsrpt(reader: OptionReader): TlsrptSettings | undefined {
  const isOn = reader.isOn('tlsrpt', 'enabled', false)
  const organization = reader.parsed('tlsrpt', 'organization', NAME_WANTED, parseText)
  const contact = reader.parsed('tlsrpt', 'contact', ADDRESS_WANTED, parseAddress)
  const from = reader.parsed('tlsrpt', 'from', ADDRESS_WANTED, parseAddress)
  const keyFile = reader.parsed('tlsrpt', 'dkim_key', 'a file name', (text) => text || undefined)
  const selector = reader.parsed('tlsrpt', 'dkim_selector', SELECTOR_WANTED, parseSelector)
  const rest = {
    isOnlyFailures: reader.isOn('tlsrpt', 'only_failures', false),
    isDnssecRequired: reader.isOn('tlsrpt', 'require_dnssec', false),
    exclude: new Set(reader.list('tlsrpt', 'exclude', EXCLUDE_WANTED, parseExcluded, String)),
    sendingIp: reader.parsed('tlsrpt', 'sending_ip', SENDING_IP_WANTED, parseSendingIp) ?? NO_IP,
    retentionMs: reader.duration('tlsrpt', 'retention', 48 * HOUR_MS, 720 * HOUR_MS, 72 * HOUR_MS),
  }
  if (!isOn) return undefined
  const given = { organization, contact, from, dkim_key: keyFile, dkim_selector: selector }
  if (
    organization === undefined ||
    contact === undefined ||
    from === undefined ||
    keyFile === undefined ||
    selector === undefined
  ) {
    const missing = Object.entries(given).flatMap(([key, value]) => (value ? [] : [key]))
    throw reader.fault(`[tlsrpt] enabled = yes also needs ${missing.join(', ')}`)
  }
  const dkim = { keyFile, selector }
  const { text, domain: submitter } = from
  return { organization, contact: contact.text, from: text, submitter, dkim, ...rest }
}

/** Whether a domain is excluded, by its own name or by a suffix. */
export function isExcluded(
  { exclude }: Pick<TlsrptSettings, 'exclude'>,
  domain: DomainName,
): boolean {
  if (exclude.size === 0) return false
  if (exclude.has(domain)) return true
  for (let at = domain.indexOf('.'); at !== -1; at = domain.indexOf('.', at + 1)) {
    if (exclude.has(domain.slice(at))) return true
  }
  return false
}

type Address = { readonly text: string; readonly domain: DomainName }

/** RFC 5321 §4.1.2 without quoted local parts; no name, no list. */
function parseAddress(text: string): Address | undefined {
  const [, local, host = ''] = /^([\w.!#$%&'*+/=?^`{|}~-]{1,64})@([^@]{1,253})$/.exec(text) ?? []
  const domain = parseDomainName(host)
  return local !== undefined && domain !== undefined
    ? { text: `${local}@${domain}`, domain }
    : undefined
}

function parseText(text: string): string | undefined {
  return /^[ -~]{1,200}$/.test(text) ? text : undefined
}

/** RFC 6376 §3.1: labels with dots between. */
function parseSelector(text: string): string | undefined {
  return text.length < 128 ? parseDomainName(text) : undefined
}

function parseExcluded(text: string): string | undefined {
  const isSuffix = text.startsWith('.')
  const name = parseDomainName(isSuffix ? text.slice(1) : text)
  return name && (isSuffix ? `.${name}` : name)
}

function parseSendingIp(text: string): TlsrptSettings['sendingIp'] | undefined {
  const parts = text.split(/[\s,]+/).filter((part) => part !== '')
  const ofFamily = (family: number): readonly string[] =>
    parts.filter((part) => isIP(part) === family && !part.includes('%'))
  const [ipv4, ...more4] = ofFamily(4)
  const [ipv6, ...more6] = ofFamily(6)
  const count = more4.length + more6.length + (ipv4 ? 1 : 0) + (ipv6 ? 1 : 0)
  const isTwice = more4.length + more6.length > 0
  return parts.length > 0 && count === parts.length && !isTwice ? { ipv4, ipv6 } : undefined
}

const NO_IP = { ipv4: undefined, ipv6: undefined }
const HOUR_MS = 3_600_000
const NAME_WANTED = 'a name of 1 to 200 characters of printable ASCII'
const ADDRESS_WANTED = 'one mail address, such as tlsrpt@example.org'
const SELECTOR_WANTED = 'the name of a DKIM selector'
const EXCLUDE_WANTED = 'a domain name, or .name for all below it'
const SENDING_IP_WANTED = 'an IPv4 address, an IPv6 address, or one of each'
