/**
 * Do the names in a certificate stay inside what the authorities above it may name?
 *
 * RFC 5280 §4.2.1.10: permitted and excluded subtrees of DNS names, email addresses,
 * IP addresses and directory names. A certificate with a name of another form that
 * is constrained is refused, since nobody here can tell whether it is inside. The
 * leaf's CN counts as a DNS name where it would be taken for one (RFC 7672 §3.2.3),
 * as in OpenSSL; an authority's CN is its title.
 *
 * The names are @peculiar/asn1-x509's reading of octets in which names.ts lets OpenSSL
 * look for the name that we came for. validity.ts sees to it that no certificate gains
 * by showing each of the two another name.
 *
 * Every comparison is counted by the caller, since names times constraints times
 * paths may be many. Pure.
 */
import { AsnConvert } from '@peculiar/asn1-schema'
import { NameConstraints } from '@peculiar/asn1-x509'
import type { GeneralSubtrees } from '@peculiar/asn1-x509'
import { toComparable } from './general-name.js'
import type { ComparableName, Form, IpName } from './general-name.js'
import type { Profile } from './profile.js'

export type Constraints = {
  readonly permitted: Subtrees
  readonly excluded: Subtrees
}

/** Sorted by form once, since every name of a form is held against all of them. */
type Subtrees = ReadonlyMap<Form, readonly ComparableName[]>

/** Throws where the extension is not what RFC 5280 §4.2.1.10 allows: the certificate counts for nothing. */
export function readNameConstraints(value: ArrayBuffer): Constraints {
  const { permittedSubtrees, excludedSubtrees } = AsnConvert.parse(value, NameConstraints)
  return { permitted: toBases(permittedSubtrees), excluded: toBases(excludedSubtrees) }
}

/**
 * In words why one of the names is outside the constraints; undefined if all are inside.
 *
 * @param spend counts one comparison; throws when there have been too many
 */
export function violation(
  { permitted, excluded }: Constraints,
  names: readonly ComparableName[],
  spend: () => void,
): string | undefined {
  const counted = (compare: Compare, name: ComparableName, base: ComparableName): boolean => {
    spend()
    return compare(name, base)
  }
  for (const name of names) {
    const allowed = permitted.get(name.form) ?? []
    const denied = excluded.get(name.form) ?? []
    if (allowed.length + denied.length === 0) continue
    if (name.form === 'uri' || name.form === 'other') {
      return `a name (${name.form}) under constraints that are not processed`
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

type Compare = (name: ComparableName, base: ComparableName) => boolean

/**
 * RFC 5280 §4.2.1.10: the subject, the alternative names, and what stands for one of them.
 *
 * @param isLeaf whether the CN may stand for a DNS name
 */
export function namesOf(profile: Profile, isLeaf: boolean): readonly ComparableName[] {
  const { alternativeNames, commonNames, emailAddresses, rdns } = profile
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
    case 'ip':
    case 'uri':
      return `the name ${name.text} (${name.form})`
    case 'directory':
      return `the name ${name.rdns.join(', ')} (directory)`
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
  return name.form === 'ip' && base.form === 'ip' && isAddressIn(name, base)
}

/** A wildcard touches an excluded subtree if anything that it stands for is inside. */
function mayTouch(name: ComparableName, base: ComparableName): boolean {
  if (isInside(name, base)) return true
  if (name.form !== 'dns' || base.form !== 'dns') return false
  const [, ...rest] = base.text.replace(/^\./, '').split('.')
  return name.text === `*.${rest.join('.')}`
}

/** The base itself or any name made by adding labels on the left; a leading dot wants at least one. */
function isDnsBelow(name: string, base: string): boolean {
  if (base === '' || name === base) return true
  return name.endsWith(base.startsWith('.') ? base : `.${base}`)
}

/** A mailbox, a host, or a domain with a leading dot. */
function isEmailBelow(name: string, base: string): boolean {
  if (base.includes('@')) return name === base
  const host = name.slice(name.lastIndexOf('@') + 1)
  return base.startsWith('.') ? host.endsWith(base) : host === base
}

function isAddressIn({ address, subnet: own }: IpName, { address: net, subnet }: IpName): boolean {
  if (address === undefined || net === undefined || own !== undefined) return false
  // BlockList takes ::ffff:192.0.2.1 for 192.0.2.1; RFC 5280 has two families.
  return address.family === net.family && subnet?.check(address) === true
}

function toBases(subtrees: GeneralSubtrees | undefined): Subtrees {
  const byForm = new Map<Form, ComparableName[]>()
  for (const { base, minimum, maximum } of Array.from(subtrees ?? [])) {
    // RFC 5280 §4.2.1.10: zero and absent, or nobody knows what is meant.
    if (minimum !== 0 || maximum !== undefined) throw new Error('name constraints with a range')
    const name = toComparable(base)
    const same = byForm.get(name.form)
    if (same) same.push(name)
    else byForm.set(name.form, [name])
  }
  return byForm
}
