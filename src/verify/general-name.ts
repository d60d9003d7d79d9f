/**
 * Which names does a certificate hold, in a form that can be compared?
 *
 * GeneralName (RFC 5280 §4.2.1.6) and distinguished names, with what does not count
 * in a comparison taken away: letter case of DNS names, email addresses and, with
 * white space and string types, of directory names (§7). Pure; throws for what the
 * ASN.1 library cannot read.
 */
import { BlockList, isIP, SocketAddress } from 'node:net'
import { AsnConvert } from '@peculiar/asn1-schema'
import { Name, SubjectAlternativeName } from '@peculiar/asn1-x509'
import type { GeneralName } from '@peculiar/asn1-x509'

/** Relative distinguished names from the root down. */
export type DirectoryName = readonly string[]

export type ComparableName =
  | { readonly form: 'dns' | 'email' | 'uri'; readonly text: string }
  | IpName
  | { readonly form: 'directory'; readonly rdns: DirectoryName }
  /** otherName, x400Address, ediPartyName, registeredID. */
  | { readonly form: 'other' }

/** An address, or in constraints a subnet written address/prefix; neither if it is no address. */
export type IpName = {
  readonly form: 'ip'
  readonly text: string
  readonly address?: SocketAddress
  readonly subnet?: BlockList
}

export type Form = ComparableName['form']

/** @param value the subjectAltName extension's */
export function readAlternativeNames(value: ArrayBuffer): readonly ComparableName[] {
  return Array.from(AsnConvert.parse(value, SubjectAlternativeName), toComparable)
}

export function toComparable(name: GeneralName): ComparableName {
  const { dNSName, rfc822Name, iPAddress, uniformResourceIdentifier, directoryName } = name
  if (dNSName !== undefined) return { form: 'dns', text: dNSName.toLowerCase() }
  if (rfc822Name !== undefined) return { form: 'email', text: rfc822Name.toLowerCase() }
  if (iPAddress !== undefined) return toIpName(iPAddress)
  if (uniformResourceIdentifier !== undefined)
    return { form: 'uri', text: uniformResourceIdentifier }
  if (directoryName !== undefined) return { form: 'directory', rdns: toRdns(directoryName) }
  return { form: 'other' }
}

function toIpName(text: string): IpName {
  const [host = '', prefix] = text.split('/')
  const family = isIP(host) === 4 ? 'ipv4' : 'ipv6'
  if (isIP(host) === 0) return { form: 'ip', text }
  const address = new SocketAddress({ address: host, family })
  if (prefix === undefined) return { form: 'ip', text, address }
  const subnet = new BlockList()
  subnet.addSubnet(address, Number(prefix))
  return { form: 'ip', text, address, subnet }
}

/** @param subject a Name in DER */
export function readDirectoryName(subject: Buffer): DirectoryName {
  return toRdns(AsnConvert.parse(subject, Name))
}

/** RFC 5280 §7.1, as far as it is about strings. */
function toRdns(name: Name): DirectoryName {
  return Array.from(name, (rdn) =>
    Array.from(rdn, ({ type, value }) => {
      const text = value.anyValue ? Buffer.from(value.anyValue).toString('hex') : value.toString()
      return `${type}=${text.trim().replace(/\s+/g, ' ').toLowerCase()}`
    })
      .sort()
      .join('+'),
  )
}
