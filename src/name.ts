/**
 * DNS names in canonical form.
 *
 * A `DomainName` is lower case, in A-labels (RFC 5890), without a trailing dot,
 * at most 253 characters in labels of 1 to 63, printable ASCII throughout. Only
 * the functions below create one, so two names are equal exactly when their
 * strings are, and any of them is safe in a log line.
 *
 * Limits: the root is not a `DomainName`; neither is a name with a dot, a backslash or
 * an octet outside printable ASCII in a label. Pure.
 */
import { isIP } from 'node:net'
import { domainToASCII } from 'node:url'

declare const brand: unique symbol

/** A DNS name in canonical form; see the top of this file. */
export type DomainName = string & { readonly [brand]: 'DomainName' }

/**
 * Parses a name that a person or another program wrote: an operator's setting, a
 * recipient's domain, another plugin's route. Accepts U-labels, any case and one
 * trailing dot.
 *
 * Returns undefined for anything else, including the root and IP addresses.
 */
export function parseDomainName(text: string): DomainName | undefined {
  // Input from people is limited to host names and `_`; DNS allows more.
  if (text.length > MAX_INPUT || !/^[a-z0-9_.\u0080-\uffff-]+$/i.test(text)) return undefined
  // domainToASCII also accepts URL syntax, hence the checks before and after it.
  const ascii = isAscii(text) ? text : domainToASCII(text)
  const bare = ascii.endsWith('.') ? ascii.slice(0, -1) : ascii
  return /^[a-z0-9_.-]+$/i.test(bare) && isIP(bare) === 0
    ? wellFormed(bare.toLowerCase())
    : undefined
}

/**
 * Parses a name from DNS, as printed by a decoder. The caller has made sure that no label
 * has a dot, a backslash or anything outside printable ASCII (dns/frame.ts does), so the
 * text is unambiguous.
 *
 * Returns undefined for the root ('.') and for malformed names.
 */
export function nameFromWire(text: string): DomainName | undefined {
  return text === '.' ? undefined : wellFormed(text.toLowerCase())
}

/**
 * The owner name of a host's TLSA records: `_port._tcp.base`, the port in
 * decimal without leading zeros (RFC 6698 §3, RFC 7672 §2.2.3).
 *
 * Returns undefined when the prefix makes the name too long for DNS.
 */
export function tlsaOwner(port: number, base: DomainName): DomainName | undefined {
  return wellFormed(`_${port}._tcp.${base}`)
}

/** Longest input accepted: a name of 253 characters in U-labels is shorter. */
const MAX_INPUT = 1024

/** RFC 1035 §2.3.4: 255 octets on the wire are 253 characters in text. */
const MAX_NAME = 253

/** RFC 1035 §2.3.4. */
const MAX_LABEL = 63

const DOT = 0x2e
const BACKSLASH = 0x5c

function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0x7f) return false
  return true
}

function wellFormed(text: string): DomainName | undefined {
  return isDomainName(text) ? text : undefined
}

function isDomainName(text: string): text is DomainName {
  if (text.length > MAX_NAME) return false
  let label = 0
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code === DOT) {
      if (label === 0 || label > MAX_LABEL) return false
      label = 0
      continue
    }
    // 0x21..0x7e without the backslash: safe in a log line, and with only one spelling.
    if (code < 0x21 || code > 0x7e || code === BACKSLASH) return false
    label++
  }
  return label > 0 && label <= MAX_LABEL
}
