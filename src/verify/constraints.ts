/**
 * Applies name constraints to the names in a certificate.
 *
 * RFC 5280 §4.2.1.10: permitted and excluded subtrees of DNS names, email addresses, IP
 * addresses, URIs and directory names. If any other name form is constrained, a
 * certificate with a name of that form is refused, since this code cannot compare it. The
 * leaf's CN counts as a DNS name where OpenSSL would match it as one (RFC 7672 §3.2.3);
 * the CN of a CA is just a title.
 *
 * The names are parsed by general-name.ts, while host-match.ts has OpenSSL search the
 * same bytes for the reference names. path-checks.ts makes sure that a certificate gains
 * nothing if the two parsers read different names.
 *
 * Every name and every comparison is reported to the caller, which limits them, since
 * names times constraints times paths may be many. Pure.
 */
import { contentOf, readChildren, readSequence, TAG } from '../x509/der.js'
import type { DerElement } from '../x509/der.js'
import type { DirectoryName } from './directory-name.js'
import { toComparable } from './general-name.js'
import type { ComparableName, Form, IpName } from './general-name.js'

export type Constraints = {
  readonly permitted: Subtrees
  readonly excluded: Subtrees
}

/** Grouped by form once, since every name is compared with all subtrees of its form. */
type Subtrees = ReadonlyMap<Form, readonly ComparableName[]>

/** Throws if the extension violates RFC 5280 §4.2.1.10, which makes the certificate unusable. */
export function readNameConstraints(value: Buffer): Constraints {
  const [first, second, surplus] = readSequence(value, 2) ?? unreadable()
  if (surplus !== undefined) unreadable()
  const isFirstPermitted = first?.tag === TAG.context0
  const excluded = isFirstPermitted ? second : first
  if (excluded !== undefined && excluded.tag !== TAG.context1) unreadable()
  if (!isFirstPermitted && second !== undefined) unreadable()
  return {
    permitted: toBases(value, isFirstPermitted ? first : undefined),
    excluded: toBases(value, excluded),
  }
}

function unreadable(): never {
  throw new Error('malformed name constraints')
}

/**
 * Why one of the names violates the constraints; undefined if none does.
 *
 * @param counter is called for each name and comparison; throws when there are too many
 */
export function violation(
  { permitted, excluded }: Constraints,
  names: readonly ComparableName[],
  counter: NameCounter,
): string | undefined {
  const counted = (compare: Compare, name: ComparableName, base: ComparableName): boolean => {
    counter.compared(sizeOf(name) + sizeOf(base))
    return compare(name, base)
  }
  counter.looked(names.length)
  for (const name of names) {
    const allowed = permitted.get(name.form) ?? []
    const denied = excluded.get(name.form) ?? []
    if (allowed.length + denied.length === 0) continue
    if (name.form === 'other') return 'a name (other) under constraints that are not supported'
    if (name.form === 'uri' && hostOf(name.text) === undefined) {
      return `${toText(name)} has no host, and URIs are constrained`
    }
    // RFC 5280 §6.1.3 (b), (c): in some permitted subtree, if there is any, and in no excluded one.
    if (allowed.length > 0 && !allowed.some((base) => counted(isInside, name, base))) {
      return `${toText(name)} is outside the permitted subtrees`
    }
    if (denied.some((base) => counted(mayTouch, name, base))) {
      return `${toText(name)} is inside an excluded subtree`
    }
  }
  return undefined
}

/** Counts the work on names. */
export type NameCounter = {
  /** This many names are about to be examined. */
  readonly looked: (names: number) => void
  /** A name is about to be compared with a constraint; `size` is that of both. */
  readonly compared: (size: number) => void
}

/** Relative to an ordinary name. */
function sizeOf(name: ComparableName): number {
  switch (name.form) {
    case 'dns':
    case 'email':
    case 'uri':
      return name.text.length / 100
    case 'directory':
      return name.rdns.length
    case 'ip':
    case 'other':
      return 1
  }
}

type Compare = (name: ComparableName, base: ComparableName) => boolean

/** The names in a certificate. */
export type CertificateNames = {
  readonly alternativeNames: readonly ComparableName[]
  /** The subject. */
  readonly rdns: DirectoryName
  readonly commonNames: readonly string[]
  readonly emailAddresses: readonly string[]
}

/**
 * RFC 5280 §4.2.1.10: the subject, the alternative names, and subject attributes that act
 * as names.
 *
 * @param isLeaf whether the CN may act as a DNS name
 */
export function namesOf(certificate: CertificateNames, isLeaf: boolean): readonly ComparableName[] {
  const { alternativeNames, commonNames, emailAddresses, rdns } = certificate
  const hasDns = alternativeNames.some(({ form }) => form === 'dns')
  const titles = isLeaf && !hasDns ? commonNames.filter((name) => /^[\w*.-]+$/.test(name)) : []
  return [
    ...alternativeNames,
    ...titles.map((name) => ({ form: 'dns', text: name.toLowerCase() }) as const),
    ...emailAddresses.map((address) => ({ form: 'email', text: address.toLowerCase() }) as const),
    ...(rdns.length > 0 ? [{ form: 'directory', rdns } as const] : []),
  ]
}

function toText(name: ComparableName): string {
  switch (name.form) {
    case 'dns':
    case 'email':
    case 'uri':
      return `the name ${name.text} (${name.form})`
    case 'ip':
      return `the name ${[...name.octets.subarray(0, 16)].join('.')} (ip)`
    case 'directory':
      return `the name ${name.rdns.slice(0, 10).join(', ')} (directory)`
    case 'other':
      return 'a name (other)'
  }
}

function isInside(name: ComparableName, base: ComparableName): boolean {
  if (name.form === 'directory' && base.form === 'directory') {
    return base.rdns.every((rdn, index) => rdn === name.rdns[index])
  }
  if (name.form === 'dns' && base.form === 'dns') return isDnsBelow(name.text, base.text)
  if (name.form === 'email' && base.form === 'email') return isEmailBelow(name.text, base.text)
  if (name.form === 'uri' && base.form === 'uri') return isUriBelow(name.text, base.text)
  return name.form === 'ip' && base.form === 'ip' && isAddressIn(name, base)
}

/**
 * A wildcard is excluded if any name that it matches is; an IP address of the wrong length
 * always is.
 */
function mayTouch(name: ComparableName, base: ComparableName): boolean {
  if (isInside(name, base)) return true
  if (name.form === 'ip') return !ADDRESS_OCTETS.has(name.octets.length)
  if (name.form !== 'dns' || base.form !== 'dns') return false
  if (!name.text.startsWith('*.')) return false
  const bare = base.text.startsWith('.') ? base.text.slice(1) : base.text
  const dot = bare.indexOf('.')
  return name.text.slice(2) === (dot < 0 ? '' : bare.slice(dot + 1))
}

/**
 * The base itself, or the base with labels added on the left; a leading dot requires at
 * least one.
 */
function isDnsBelow(name: string, base: string): boolean {
  if (base === '' || name === base) return true
  if (name.length < base.length) return false
  return name.endsWith(base.startsWith('.') ? base : `.${base}`)
}

/** A mailbox, a host, or a domain with a leading dot. */
function isEmailBelow(name: string, base: string): boolean {
  if (base.includes('@')) return name === base
  const host = name.slice(name.lastIndexOf('@') + 1)
  return base.startsWith('.') ? host.endsWith(base) : host === base
}

/** RFC 5280 §4.2.1.10: a host, or with a leading dot any host below the domain. */
function isUriBelow(uri: string, base: string): boolean {
  const host = hostOf(uri)
  const wanted = base.toLowerCase()
  if (host === undefined) return false
  return wanted.startsWith('.')
    ? host.length > wanted.length && host.endsWith(wanted)
    : host === wanted
}

/**
 * The host of a URI (RFC 3986 §3.2) in lower case. Undefined if there is none, if it is an
 * IP address (RFC 5280 §4.2.1.10 requires rejection), or if parsers disagree about it: with
 * user information, with a colon in the path, or with a query or fragment directly after
 * the host.
 */
function hostOf(uri: string): string | undefined {
  const [, host] = URI.exec(uri) ?? []
  return host === undefined || /^[\d.]+$/.test(host) ? undefined : host.toLowerCase()
}

/** RFC 5280 §4.2.1.10: same family, and equal where the mask has ones. */
function isAddressIn({ octets: address }: IpName, { octets: net }: IpName): boolean {
  const { length } = address
  if (net.length !== 2 * length) return false
  return address.every(
    (octet, index) => ((octet ^ (net[index] ?? 0)) & (net[length + index] ?? 0)) === 0,
  )
}

/** @param side the permitted or the excluded subtrees */
function toBases(bytes: Buffer, side: DerElement | undefined): Subtrees {
  const byForm = new Map<Form, ComparableName[]>()
  if (side === undefined) return byForm
  for (const subtree of readChildren(bytes, side, bytes.length) ?? unreadable()) {
    const [base, minimum, surplus] =
      (subtree.tag === TAG.sequence ? readChildren(bytes, subtree, 3) : undefined) ?? unreadable()
    if (base === undefined) unreadable()
    // RFC 5280 §4.2.1.10: the minimum is zero and there is no maximum.
    const isZero = minimum === undefined || octetIs(bytes, minimum, MINIMUM, 0)
    if (!isZero || surplus !== undefined) throw new Error('name constraints with a range')
    const name = toComparable(bytes, base)
    if (name.form === 'ip' && !SUBNET_OCTETS.has(name.octets.length)) unreadable()
    const same = byForm.get(name.form)
    if (same) same.push(name)
    else byForm.set(name.form, [name])
  }
  return byForm
}

function octetIs(bytes: Buffer, element: DerElement, tag: number, value: number): boolean {
  const content = contentOf(bytes, element)
  return element.tag === tag && content.length === 1 && content[0] === value
}

const URI = /^[a-z][a-z\d+.-]*:\/\/([\w.-]+)(?::\d*(?:\/.*)?|\/[^:]*)?$/is
/** [0] IMPLICIT INTEGER. */
const MINIMUM = 0x80
const ADDRESS_OCTETS: ReadonlySet<number> = new Set([4, 16])
const SUBNET_OCTETS: ReadonlySet<number> = new Set([8, 32])
