/**
 * Where does a server listen, and how is it reached?
 *
 * Address and port of a resolver, read from a setting and written to a log line.
 * Never an address by name: whoever looks up a resolver's name trusts the answer
 * before there is anyone to vouch for it. The name behind `#` is the one that the
 * resolver's certificate has to bear. Pure.
 */
import { isIP, SocketAddress } from 'node:net'
import { parseDomainName } from './name.js'
import type { DomainName } from './name.js'

export type ServerAddress = {
  /** IPv4 or IPv6 of one host, spelled as RFC 5952 has it. */
  readonly address: string
  /** 1 to 65535. */
  readonly port: number
}

export type ResolverAddress = ServerAddress & {
  /** DNS over TLS (RFC 7858) with a certificate for this name; undefined: plain DNS. */
  readonly tlsName: DomainName | undefined
}

/**
 * `192.0.2.1`, `192.0.2.1:53`, `::1`, `[::1]` or `[::1]:53`, the port 53 if not given;
 * `tls://192.0.2.1:853#name`, the port 853 if not given.
 */
export function parseResolverAddress(text: string): ResolverAddress | undefined {
  const tls = /^tls:\/\/(?<place>[^#]+)#(?<name>.+)$/.exec(text)?.groups
  if (tls === undefined) {
    const server = parseServerAddress(text, DNS_PORT)
    return server && { ...server, tlsName: undefined }
  }
  const server = parseServerAddress(tls['place'] ?? '', DNS_OVER_TLS_PORT)
  const tlsName = parseDomainName(tls['name'] ?? '')
  return server && tlsName && { ...server, tlsName }
}

/** The way settings have it. */
export function serverText({ address, port, tlsName }: ResolverAddress): string {
  const place = isIP(address) === 6 ? `[${address}]:${port}` : `${address}:${port}`
  return tlsName === undefined ? place : `tls://${place}#${tlsName}`
}

export function isPort(port: number): boolean {
  return Number.isInteger(port) && port >= 1 && port <= 65535
}

/** RFC 1122 §3.2.1.3 and RFC 4291 §2.5.3. */
export function isLoopback({ address }: ServerAddress): boolean {
  return isIP(address) === 4 ? address.startsWith('127.') : address === '::1'
}

/**
 * Whether nobody can change what comes from there. RFC 4035 §4.9.3, RFC 6698 §4.1: the
 * AD bit of a resolver is worth no more than the way to it. That is the loopback
 * interface, TLS to a name that the certificate bears (RFC 7858), or a network that the
 * operator vouches for. Whether the resolver validates at all is for a probe to find out.
 */
export function isTrustedChannel(server: ResolverAddress, isNetworkTrusted: boolean): boolean {
  return isLoopback(server) || server.tlsName !== undefined || isNetworkTrusted
}

function parseServerAddress(text: string, defaultPort: number): ServerAddress | undefined {
  if (isIP(text) !== 0) return placeOf(text, defaultPort)
  const match = /^(?:\[(?<v6>[^\]]*)\]|(?<v4>[^:[\]]*))(?::(?<port>\d{1,5}))?$/.exec(text)
  const { v4, v6, port: digits } = match?.groups ?? {}
  const address = v4 ?? v6 ?? ''
  if (isIP(address) !== (v6 === undefined ? 4 : 6)) return undefined
  const port = digits === undefined ? defaultPort : Number(digits)
  return isPort(port) ? placeOf(address, port) : undefined
}

function placeOf(address: string, port: number): ServerAddress | undefined {
  if (isIP(address) === 4) {
    const first = Number(address.split('.')[0])
    // RFC 1122 §3.2.1.3, RFC 1112 §4: this host, groups, what is reserved, broadcast.
    return first === 0 || first >= 224 ? undefined : { address, port }
  }
  const [plain = '', zone] = address.split('%')
  const spelled = new SocketAddress({ address: plain, family: 'ipv6' }).address
  // RFC 4291 §2.5.2, §2.7: no host, groups.
  if (spelled === '::' || spelled.startsWith('ff')) return undefined
  return { address: zone === undefined ? spelled : `${spelled}%${zone}`, port }
}

const DNS_PORT = 53
/** RFC 7858 §3.1. */
const DNS_OVER_TLS_PORT = 853
