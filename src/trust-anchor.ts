/**
 * Trust anchors: the keys of the root that validation starts at (RFC 4035 §5).
 *
 * Built in are the two DS records that IANA publishes (RFC 9718). A file replaces them: DS
 * or DNSKEY records of the root, one a line, as in root.ds and root.key of Debian's
 * dns-root-data or as Unbound writes them. A revoked key is no anchor (RFC 5011 §2.1).
 *
 * Limits: of a zone file, no directives and no records of other names. Pure.
 */
import { ROOT } from './wire-name.js'
import type { WireName } from './wire-name.js'

/** A DS record (RFC 4034 §5.1), or a DNSKEY record. */
export type TrustAnchor =
  | {
      readonly kind: 'ds'
      readonly owner: WireName
      readonly keyTag: number
      readonly algorithm: number
      readonly digestType: number
      readonly digest: Buffer
    }
  | { readonly kind: 'dnskey'; readonly owner: WireName; readonly rdata: Buffer }

/** https://data.iana.org/root-anchors/root-anchors.xml: keys of 2017 and 2024. */
export const BUILT_IN_ANCHORS: readonly TrustAnchor[] = [
  rootDs(20326, 'E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D'),
  rootDs(38696, '683D2D0ACB8C9B712A1948B27F741219298D0A450D612C483AF444A4C0FB2B16'),
]

function rootDs(keyTag: number, digest: string): TrustAnchor {
  const sha256 = Buffer.from(digest, 'hex')
  return { kind: 'ds', owner: ROOT, keyTag, algorithm: 8, digestType: 2, digest: sha256 }
}

export type ReadAnchors =
  /** At least one. */
  | { readonly kind: 'anchors'; readonly anchors: readonly TrustAnchor[] }
  /** What is wrong, for a setting error; may contain text of the file. */
  | { readonly kind: 'unreadable'; readonly detail: string }

/**
 * @param text of a file of trust anchors
 * @param isSupported whether keys of this algorithm are of use; with a digest type for a DS
 */
export function parseTrustAnchors(
  text: string,
  isSupported: (algorithm: number, digestType: number | undefined) => boolean,
): ReadAnchors {
  if (text.length > MOST_TEXT) return unreadable('it is too long for a file of trust anchors')
  const anchors: TrustAnchor[] = []
  for (const { line, words } of recordsOf(text)) {
    const anchor = parseRecord(words)
    if (typeof anchor === 'string') return unreadable(`line ${line}: expected ${anchor}`)
    if (isUsable(anchor, isSupported)) anchors.push(anchor)
  }
  return anchors.length > 0 ? { kind: 'anchors', anchors } : unreadable(NONE)
}

function unreadable(detail: string): ReadAnchors {
  return { kind: 'unreadable', detail }
}

/** The words of each record, which may take several lines in parentheses (RFC 1035 §5.1). */
function recordsOf(text: string): { readonly line: number; readonly words: string[] }[] {
  const records: { readonly line: number; readonly words: string[] }[] = []
  let isOpen = false
  for (const [index, raw] of text.split(/\r?\n/).entries()) {
    const words = raw.replace(/;.*/, '').replace(/[()]/g, ' $& ').split(/\s+/).filter(Boolean)
    const last = records.at(-1)
    if (isOpen && last) last.words.push(...words)
    else if (words.length > 0) records.push({ line: index + 1, words })
    for (const word of words) {
      if (word === '(') isOpen = true
      if (word === ')') isOpen = false
    }
  }
  return records.map(({ line, words }) => ({
    line,
    words: words.filter((word) => !/^[()]$/.test(word)),
  }))
}

/** The anchor, or what is expected instead. */
function parseRecord([owner, ...rest]: readonly string[]): TrustAnchor | string {
  if (owner !== '.') return 'a record of the root, which begins with "."'
  // RFC 1035 §5.1: TTL and class are optional, and come in either order.
  const words = rest.slice(rest.findIndex((word) => !/^(\d+|IN)$/i.test(word)))
  const [type = '', first = '', second = '', third = '', ...data] = words
  const [one, two, three] = [first, second, third].map(Number)
  if (one === undefined || two === undefined || three === undefined) return EXPECTED
  const isPlain = [first, second, third].every((word) => /^\d{1,5}$/.test(word))
  if (!isPlain || one > 65535) return EXPECTED
  const joined = data.join('')
  switch (type.toUpperCase()) {
    case 'DS':
      if (two > 255 || three > 255 || !/^([0-9a-f]{2})+$/i.test(joined)) return EXPECTED
      return {
        kind: 'ds',
        owner: ROOT,
        keyTag: one,
        algorithm: two,
        digestType: three,
        digest: Buffer.from(joined, 'hex'),
      }
    case 'DNSKEY': {
      if (two > 255 || three > 255 || !isBase64(joined)) return EXPECTED
      const fields = Buffer.from([one >> 8, one & 0xff, two, three])
      const rdata = Buffer.concat([fields, Buffer.from(joined, 'base64')])
      return { kind: 'dnskey', owner: ROOT, rdata }
    }
    default:
      return EXPECTED
  }
}

function isBase64(text: string): boolean {
  return text.length > 0 && text.length % 4 === 0 && /^[0-9a-z+/]+={0,2}$/i.test(text)
}

function isUsable(
  anchor: TrustAnchor,
  isSupported: (algorithm: number, digestType: number | undefined) => boolean,
): boolean {
  if (anchor.kind === 'ds') {
    const { algorithm, digestType, digest } = anchor
    return digest.length === DIGEST_OCTETS.get(digestType) && isSupported(algorithm, digestType)
  }
  const { rdata } = anchor
  const flags = rdata.readUInt16BE(0)
  // RFC 4034 §2.1.1, §2.1.2; RFC 5011 §2.1.
  if ((flags & ZONE_KEY) === 0 || (flags & REVOKED) !== 0 || rdata[2] !== PROTOCOL) return false
  return isSupported(rdata[3] ?? 0, undefined)
}

const EXPECTED = 'DS or DNSKEY with its fields, as in ". IN DS 20326 8 2 E06D..."'
const NONE = 'it has no usable DS or DNSKEY record of the root'
/** RFC 4509, RFC 6605 §2. SHA-1 is not enough for an anchor. */
const DIGEST_OCTETS: ReadonlyMap<number, number> = new Map([
  [2, 32],
  [4, 48],
])
const ZONE_KEY = 0x0100
const REVOKED = 0x0080
const PROTOCOL = 3
/** Characters: some hundred anchors. */
const MOST_TEXT = 200_000
