/**
 * Where does a server listen?
 *
 * Address and port of a resolver, read from a setting and written to a log line.
 * No names: whoever looks up a resolver's name trusts the answer before there is
 * anyone to vouch for it. Pure.
 */
import { isIP } from 'node:net'

export type ServerAddress = {
  /** IPv4 or IPv6 in text. */
  readonly address: string
  /** 1 to 65535. */
  readonly port: number
}

/** `192.0.2.1`, `192.0.2.1:53`, `::1`, `[::1]` or `[::1]:53`; the port is 53 if not given. */
export function parseServerAddress(text: string): ServerAddress | undefined {
  if (isIP(text) !== 0) return { address: text, port: DNS_PORT }
  const match = /^(?:\[(?<v6>[^\]]*)\]|(?<v4>[^:[\]]*))(?::(?<port>\d{1,5}))?$/.exec(text)
  const { v4, v6, port: digits } = match?.groups ?? {}
  const address = v4 ?? v6 ?? ''
  if (isIP(address) !== (v6 === undefined ? 4 : 6)) return undefined
  const port = digits === undefined ? DNS_PORT : Number(digits)
  return isPort(port) ? { address, port } : undefined
}

export function serverText({ address, port }: ServerAddress): string {
  return isIP(address) === 6 ? `[${address}]:${port}` : `${address}:${port}`
}

export function isPort(port: number): boolean {
  return Number.isInteger(port) && port >= 1 && port <= 65535
}

/** RFC 1122 §3.2.1.3 and RFC 4291 §2.5.3. Another spelling of ::1 is taken for no loopback. */
export function isLoopback({ address }: ServerAddress): boolean {
  return isIP(address) === 4 ? address.startsWith('127.') : address === '::1'
}

const DNS_PORT = 53
