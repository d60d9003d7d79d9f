/**
 * The address of a resolver, and whether the channel to it is trusted.
 *
 * Address and port are parsed from a setting and formatted for log lines. Host names are
 * not accepted: looking one up would need a trusted resolver first. The name after `#` has
 * to be in the resolver's certificate. Pure.
 */
import { isIP, SocketAddress } from 'node:net'
import { parseDomainName } from './name.js'
import type { DomainName } from './name.js'

export type ServerAddress = {
  /** IPv4 or IPv6 address of one host, in the form of RFC 5952. */
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

/** As in the settings. */
export function serverText({ address, port, tlsName }: ResolverAddress): string {
  const place = isIP(address) === 6 ? `[${address}]:${port}` : `${address}:${port}`
  return tlsName === undefined ? place : `tls://${place}#${tlsName}`
}

export function isPort(port: number): boolean {
  return Number.isInteger(port) && port >= 1 && port <= 65535
}

/** RFC 1122 §3.2.1.3 and RFC 4291 §2.5.3. */
export function isLoopback({ address }: Pick<ServerAddress, 'address'>): boolean {
  return isIP(address) === 4 ? address.startsWith('127.') : address === '::1'
}

/** Who can impersonate the resolver or modify its replies. */
export type Channel =
  /** Loopback, and a privileged port: only root. */
  | 'privileged'
  /** TLS with the name in the certificate (RFC 7858): no one, at any address. */
  | 'tls'
  /**
   * Loopback, and a port that any local process can bind: next to a running resolver if
   * both set SO_REUSEADDR, at a more specific address, or while the resolver is down.
   */
  | 'unprivileged'
  /** Anyone on the path. */
  | 'network'

/** What decides whether a channel is trusted. */
export type ChannelTrust = {
  /** The operator trusts channels that are neither privileged nor over TLS. */
  readonly isVouchedFor: boolean
  /** The first port that any process of this machine can bind. */
  readonly firstOpenPort: number
}

/** The default of Linux and others (ip(7): ip_unprivileged_port_start). */
export const USUAL_FIRST_OPEN_PORT = 1024

export function channelTo(
  server: ResolverAddress,
  { firstOpenPort }: Pick<ChannelTrust, 'firstOpenPort'>,
): Channel {
  if (server.tlsName !== undefined) return 'tls'
  if (!isLoopback(server)) return 'network'
  return server.port < firstOpenPort ? 'privileged' : 'unprivileged'
}

/**
 * Whether replies cannot be modified. RFC 4035 §4.9.3, RFC 6698 §4.1: the AD bit of a
 * resolver is no more trustworthy than the channel to it. Whether the resolver validates
 * at all is shown by a probe.
 */
export function isTrustedChannel(server: ResolverAddress, trust: ChannelTrust): boolean {
  switch (channelTo(server, trust)) {
    case 'privileged':
    case 'tls':
      return true
    case 'unprivileged':
    case 'network':
      return trust.isVouchedFor
  }
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
    // RFC 1122 §3.2.1.3, RFC 1112 §4: this host, multicast, reserved, broadcast.
    return first === 0 || first >= 224 ? undefined : { address, port }
  }
  const [plain = '', zone] = address.split('%')
  const spelled = new SocketAddress({ address: plain, family: 'ipv6' }).address
  // RFC 4291 §2.5.2, §2.7: unspecified, multicast.
  if (spelled === '::' || spelled.startsWith('ff')) return undefined
  return { address: zone === undefined ? spelled : `${spelled}%${zone}`, port }
}

const DNS_PORT = 53
/** RFC 7858 §3.1. */
const DNS_OVER_TLS_PORT = 853
