/**
 * IP addresses as reports write them (RFC 8460 §4.4, RFC 5952). Pure.
 */
import { isIP } from 'node:net'

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
