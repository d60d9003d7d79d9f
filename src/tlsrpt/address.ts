/**
 * IP addresses as reports write them (RFC 8460 §4.4, RFC 5952). Pure.
 */
import { BlockList, isIP } from 'node:net'

/**
 * RFC 5952, without brackets and zone; an IPv4-mapped address is an IPv4 address. Undefined
 * for anything else.
 */
export function reportAddress(text: string): string | undefined {
  const bare = text.replace(/%.*$/, '')
  if (isIP(bare) === 4) return bare
  if (isIP(bare) !== 6) return undefined
  const canonical = new URL(`http://[${bare}]`).hostname.slice(1, -1)
  const mapped = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(canonical)
  if (mapped === null) return canonical
  const [high = 0, low = 0] = mapped.slice(1).map((part) => Number.parseInt(part, 16))
  return [high >> 8, high & 0xff, low >> 8, low & 0xff].join('.')
}

/** Whether the address means nothing outside its own network (RFC 1918, RFC 6598, RFC 4193 and the like). */
export function isPrivateAddress(text: string): boolean {
  const address = reportAddress(text)
  if (address === undefined) return false
  return PRIVATE.check(address, isIP(address) === 4 ? 'ipv4' : 'ipv6')
}

const PRIVATE = new BlockList()
for (const [network, length] of [
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.168.0.0', 16],
] as const) {
  PRIVATE.addSubnet(network, length, 'ipv4')
}
PRIVATE.addAddress('::1', 'ipv6')
PRIVATE.addSubnet('fc00::', 7, 'ipv6')
PRIVATE.addSubnet('fe80::', 10, 'ipv6')
