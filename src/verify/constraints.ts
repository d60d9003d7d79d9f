/**
 * Do the names in a certificate stay inside what the authorities above it may name?
 *
 * RFC 5280 §4.2.1.10: permitted and excluded subtrees, for dNSName and
 * directoryName; the CN counts as a dNSName where it would be taken for one (RFC
 * 7672 §3.2.3), as in OpenSSL. A certificate with a name of another constrained
 * form is refused, since nobody here can tell whether it is inside.
 *
 * Pure.
 */
import { AsnConvert } from '@peculiar/asn1-schema'
import { Name } from '@peculiar/asn1-x509'
import type { GeneralName } from '@peculiar/asn1-x509'
import type { AlternativeName, Profile } from './profile.js'

/** In words why `subject` is outside `issuer`'s constraints; undefined if it is inside. */
export function violation(issuer: Profile, subject: Profile): string | undefined {
  const { nameConstraints } = issuer
  if (nameConstraints === undefined) return undefined
  const permitted = Array.from(nameConstraints.permittedSubtrees ?? [], ({ base }) => base)
  const excluded = Array.from(nameConstraints.excludedSubtrees ?? [], ({ base }) => base)
  return (
    unsupported(subject, [...permitted, ...excluded]) ??
    dnsViolation(subject, permitted, excluded) ??
    directoryViolation(subject, permitted, excluded)
  )
}

function unsupported(subject: Profile, bases: readonly GeneralName[]): string | undefined {
  const forms: readonly [boolean, AlternativeName['type']][] = [
    [bases.some((base) => base.rfc822Name !== undefined), 'email'],
    [bases.some((base) => base.uniformResourceIdentifier !== undefined), 'url'],
    [bases.some((base) => base.iPAddress !== undefined), 'ip'],
  ]
  const known = bases.every(
    (base) =>
      base.dNSName !== undefined ||
      base.directoryName !== undefined ||
      base.rfc822Name !== undefined ||
      base.uniformResourceIdentifier !== undefined ||
      base.iPAddress !== undefined,
  )
  if (!known) return 'a name constraint of a form that is not processed'
  const [hit] = forms.filter(
    ([constrained, form]) =>
      constrained && subject.alternativeNames.some(({ type }) => type === form),
  )
  return hit && `a constraint on ${hit[1]} names, which are not processed`
}

function dnsViolation(
  subject: Profile,
  permitted: readonly GeneralName[],
  excluded: readonly GeneralName[],
): string | undefined {
  const names = dnsNames(subject)
  const allowed = permitted.flatMap(({ dNSName }) => (dNSName === undefined ? [] : [dNSName]))
  const denied = excluded.flatMap(({ dNSName }) => (dNSName === undefined ? [] : [dNSName]))
  for (const name of names) {
    if (allowed.length > 0 && !allowed.some((base) => isBelow(name, base))) {
      return 'a DNS name outside the permitted subtrees'
    }
    // A wildcard is excluded if anything it stands for is.
    if (denied.some((base) => isBelow(name, base) || covers(name, base))) {
      return 'a DNS name inside an excluded subtree'
    }
  }
  return undefined
}

/** DNS-IDs, or the CN-IDs where there are none: what matchName looks at. */
function dnsNames({ alternativeNames, commonNames }: Profile): readonly string[] {
  const dns = alternativeNames.filter(({ type }) => type === 'dns').map(({ value }) => value)
  return dns.length > 0 ? dns : commonNames.filter((name) => /^[\w*.-]+$/.test(name))
}

/** RFC 5280 §4.2.1.10: the base itself or any name made by adding labels on the left. */
function isBelow(name: string, base: string): boolean {
  const child = name.toLowerCase()
  const parent = base.toLowerCase()
  if (parent === '' || child === parent) return true
  return child.endsWith(parent.startsWith('.') ? parent : `.${parent}`)
}

function covers(wildcard: string, base: string): boolean {
  if (!wildcard.startsWith('*.')) return false
  const [, ...rest] = base.toLowerCase().replace(/^\./, '').split('.')
  return rest.join('.') === wildcard.slice(2).toLowerCase()
}

function directoryViolation(
  subject: Profile,
  permitted: readonly GeneralName[],
  excluded: readonly GeneralName[],
): string | undefined {
  // Not flatMap: a Name is an array itself.
  const allowed = permitted.map(({ directoryName }) => directoryName).filter(isPresent)
  const denied = excluded.map(({ directoryName }) => directoryName).filter(isPresent)
  if (allowed.length === 0 && denied.length === 0) return undefined
  if (subject.alternativeNames.some(({ type }) => type === 'dn')) {
    return 'a constraint on directory names in subjectAltName, which are not processed'
  }
  const name = toRdns(AsnConvert.parse(subject.subject, Name))
  if (name.length === 0) return undefined // an empty subject names nothing
  const isInside = (base: Name): boolean => toRdns(base).every((rdn, index) => rdn === name[index])
  if (allowed.length > 0 && !allowed.some(isInside))
    return 'a subject outside the permitted subtrees'
  return denied.some(isInside) ? 'a subject inside an excluded subtree' : undefined
}

/**
 * Relative distinguished names as comparable text. RFC 5280 §7.1 folds case and
 * space; octets are compared here as they stand, and a difference in them is taken
 * for a difference in the name.
 */
function toRdns(name: Name): readonly string[] {
  return Array.from(name, (rdn) => Buffer.from(AsnConvert.serialize(rdn)).toString('hex'))
}

function isPresent(name: Name | undefined): name is Name {
  return name !== undefined
}
