/**
 * Parses the names in a certificate into a form that can be compared.
 *
 * GeneralName (RFC 5280 §4.2.1.6). DNS names and email addresses are lowercased, since
 * case does not count. Expects DER; takes linear time. Pure; throws if the value is not a
 * list of names.
 */
import { contentOf, readSequence } from '../x509/der.js'
import type { DerElement } from '../x509/der.js'
import { readDirectoryName } from './directory-name.js'
import type { DirectoryName } from './directory-name.js'

export type ComparableName =
  | { readonly form: 'dns' | 'email' | 'uri'; readonly text: string }
  | IpName
  | { readonly form: 'directory'; readonly rdns: DirectoryName }
  /** otherName, x400Address, ediPartyName, registeredID. */
  | { readonly form: 'other' }

/** An address in a certificate; an address and its mask in constraints. */
export type IpName = { readonly form: 'ip'; readonly octets: Buffer }

export type Form = ComparableName['form']

/** @param value the value of the subjectAltName extension */
export function readAlternativeNames(value: Buffer): readonly ComparableName[] {
  const names = readSequence(value)
  if (names === undefined) throw new Error('malformed alternative names')
  return names.map((name) => toComparable(value, name))
}

/** RFC 5280 §4.2.1.6: the tag determines the form. */
export function toComparable(bytes: Buffer, name: DerElement): ComparableName {
  const content = contentOf(bytes, name)
  switch (name.tag) {
    case 0x81:
      return { form: 'email', text: content.toString('latin1').toLowerCase() }
    case 0x82:
      return { form: 'dns', text: content.toString('latin1').toLowerCase() }
    case 0x86:
      return { form: 'uri', text: content.toString('latin1') }
    case 0x87:
      return { form: 'ip', octets: content }
    case 0xa4:
      return { form: 'directory', rdns: readDirectoryName(content).rdns }
    case 0x88:
    case 0xa0:
    case 0xa3:
    case 0xa5:
      return { form: 'other' }
    default:
      throw new Error(`name of an unknown form (tag ${name.tag})`)
  }
}
