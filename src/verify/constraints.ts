/**
 * Do the names in a certificate stay inside what the authorities above it may name?
 *
 * RFC 5280 §4.2.1.10: permitted and excluded subtrees of DNS names, email addresses,
 * IP addresses and directory names. A certificate with a name of another form that
 * is constrained is refused, since nobody here can tell whether it is inside. The
 * leaf's CN counts as a DNS name where it would be taken for one (RFC 7672 §3.2.3),
 * as in OpenSSL; an authority's CN is its title.
 *
 * Every comparison is counted by the caller, since names times constraints times
 * paths may be many. Pure.
 */
import { BlockList, isIP } from 'node:net'
import { AsnConvert } from '@peculiar/asn1-schema'
import { NameConstraints } from '@peculiar/asn1-x509'
import type { GeneralSubtrees } from '@peculiar/asn1-x509'
import { readDirectoryName, toComparable } from './general-name.js'
import type { ComparableName } from './general-name.js'
import type { Profile } from './profile.js'

export type Constraints = {
  readonly permitted: readonly ComparableName[]
  readonly excluded: readonly ComparableName[]
}

/** Throws where the extension is not what RFC 5280 §4.2.1.10 allows: the certificate counts for nothing. */
export function readNameConstraints(value: ArrayBuffer): Constraints {
  const { permittedSubtrees, excludedSubtrees } = AsnConvert.parse(value, NameConstraints)
  return { permitted: toBases(permittedSubtrees), excluded: toBases(excludedSubtrees) }
}

/**
 * In words why `subject` is outside the constraints; undefined if it is inside.
 *
 * @param isLeaf whether the CN may stand for a DNS name
 * @param spend counts one comparison; throws when there have been too many
 */
export function violation(
  { permitted, excluded }: Constraints,
  subject: Profile,
  isLeaf: boolean,
  spend: () => void,
): string | undefined {
  const counted = (compare: Compare, name: ComparableName, base: ComparableName): boolean => {
    spend()
    return compare(name, base)
  }
  for (const name of namesOf(subject, isLeaf)) {
    const allowed = permitted.filter(({ form }) => form === name.form)
    const denied = excluded.filter(({ form }) => form === name.form)
    if (allowed.length + denied.length === 0) continue
    if (name.form === 'uri' || name.form === 'other') return 'a constraint that is not processed'
    // RFC 5280 §6.1.3 (b), (c): in some permitted subtree, if there is any, and in no excluded one.
    if (allowed.length > 0 && !allowed.some((base) => counted(isInside, name, base))) {
      return `a name (${name.form}) outside the permitted subtrees`
    }
    if (denied.some((base) => counted(mayTouch, name, base))) {
      return `a name (${name.form}) inside an excluded subtree`
    }
  }
  return undefined
}

type Compare = (name: ComparableName, base: ComparableName) => boolean

/** RFC 5280 §4.2.1.10: the subject, the alternative names, and what stands for one of them. */
function namesOf(profile: Profile, isLeaf: boolean): readonly ComparableName[] {
  const { alternativeNames, commonNames, emailAddresses, subject } = profile
  const rdns = readDirectoryName(subject)
  const hasDns = alternativeNames.some(({ form }) => form === 'dns')
  const titles = isLeaf && !hasDns ? commonNames.filter((name) => /^[\w*.-]+$/.test(name)) : []
  return [
    ...alternativeNames,
    ...titles.map((name) => ({ form: 'dns', text: name.toLowerCase() }) as const),
    ...emailAddresses.map((address) => ({ form: 'email', text: address.toLowerCase() }) as const),
    ...(rdns.length > 0 ? [{ form: 'directory', rdns } as const] : []),
  ]
}

function isInside(name: ComparableName, base: ComparableName): boolean {
  if (name.form === 'directory' && base.form === 'directory') {
    return base.rdns.every((rdn, index) => rdn === name.rdns[index])
  }
  if (!('text' in name) || !('text' in base) || name.form !== base.form) return false
  switch (name.form) {
    case 'dns':
      return isDnsBelow(name.text, base.text)
    case 'email':
      return isEmailBelow(name.text, base.text)
    case 'ip':
      return isAddressIn(name.text, base.text)
    case 'uri':
      return false
  }
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

/** @param base address/prefix */
function isAddressIn(address: string, base: string): boolean {
  const [net = '', prefix = ''] = base.split('/')
  const family = isIP(net)
  if (family === 0 || isIP(address) !== family) return false
  const list = new BlockList()
  list.addSubnet(net, Number(prefix), family === 4 ? 'ipv4' : 'ipv6')
  return list.check(address, family === 4 ? 'ipv4' : 'ipv6')
}

function toBases(subtrees: GeneralSubtrees | undefined): readonly ComparableName[] {
  return Array.from(subtrees ?? [], ({ base, minimum, maximum }) => {
    // RFC 5280 §4.2.1.10: zero and absent, or nobody knows what is meant.
    if (minimum !== 0 || maximum !== undefined) throw new Error('name constraints with a range')
    return toComparable(base)
  })
}
