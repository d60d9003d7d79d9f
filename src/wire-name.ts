/**
 * DNS names as DNSSEC needs them: any octets, and the root.
 *
 * A `WireName` is an uncompressed name in wire format (RFC 1035 §3.1), letters in lower
 * case, one character of the string for each octet (latin1). Two names are equal exactly
 * when the strings are. The root is '\0'. Only `toWireName` and `wireNameFromOctets`
 * create one, so each has at most 255 octets in labels of 1 to 63.
 *
 * Limits: not for people; `wireNameText` prints one. Pure.
 */
import type { DomainName } from './name.js'

declare const brand: unique symbol

export type WireName = string & { readonly [brand]: 'WireName' }

/** The wire form of a name; '.' is the root. */
export function toWireName(name: DomainName | '.'): WireName {
  if (name === '.') return ROOT
  const labels = name.split('.').map((label) => String.fromCharCode(label.length) + label)
  return checked(`${labels.join('')}\0`)
}

/** The name that fills the octets; undefined if it does not, is too long, or is compressed. */
export function wireNameFromOctets(octets: Buffer): WireName | undefined {
  const text = octets.toString('latin1').replace(/[A-Z]/g, (letter) => letter.toLowerCase())
  return isWireName(text) ? text : undefined
}

/** The number of labels, without the root (RFC 4034 §3.1.3, though `*` counts here). */
export function labelCount(name: WireName): number {
  let count = 0
  for (let at = 0; name.charCodeAt(at) !== 0; at += 1 + name.charCodeAt(at)) count++
  return count
}

/** The name without its first label; undefined for the root. */
export function parentOf(name: WireName): WireName | undefined {
  const length = name.charCodeAt(0)
  return length === 0 ? undefined : checked(name.slice(1 + length))
}

/** Whether `name` is `ancestor` or below it. */
export function isWithin(name: WireName, ancestor: WireName): boolean {
  // The lengths say where labels start, so a suffix alone is not enough.
  let rest: WireName | undefined = name
  while (rest !== undefined && rest.length > ancestor.length) rest = parentOf(rest)
  return rest === ancestor
}

/** `*.` and the name; undefined if that is too long. */
export function wildcardOf(name: WireName): WireName | undefined {
  const text = `\u0001*${name}`
  return isWireName(text) ? text : undefined
}

/** For messages: printable ASCII with a final dot only for the root, as RFC 1035 §5.1 escapes. */
export function wireNameText(name: WireName): string {
  const labels: string[] = []
  for (let at = 0; name.charCodeAt(at) !== 0; at += 1 + name.charCodeAt(at)) {
    const label = name.slice(at + 1, at + 1 + name.charCodeAt(at))
    labels.push(label.replace(/[^!-~]|[.\\]/g, escaped))
  }
  return labels.length === 0 ? '.' : labels.join('.')
}

function escaped(character: string): string {
  if (character === '.' || character === '\\') return `\\${character}`
  return `\\${String(character.charCodeAt(0)).padStart(3, '0')}`
}

function checked(text: string): WireName {
  if (isWireName(text)) return text
  throw new Error('not a name in wire format')
}

function isWireName(text: string): text is WireName {
  if (text.length === 0 || text.length > MAX_NAME) return false
  let at = 0
  for (;;) {
    const length = text.charCodeAt(at)
    if (Number.isNaN(length) || length > MAX_LABEL) return false
    at += 1 + length
    if (length === 0) return at === text.length
  }
}

/** RFC 1035 §2.3.4. */
const MAX_NAME = 255
const MAX_LABEL = 63

export const ROOT = checked('\0')
