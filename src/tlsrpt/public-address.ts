/**
 * Whether an IP address is one of the public Internet.
 *
 * For addresses that strangers choose: nothing is ever sent to a host of the inside because
 * a DNS record says so. By the IANA registries of special-purpose addresses. IPv6 is
 * accepted only from 2000::/3, so mapped, NAT64, link-local and unique local addresses are
 * refused without being taken apart. Limit: a NAT64 prefix of a network's own cannot be
 * recognized.
 *
 * Pure.
 */
import { BlockList, isIP } from 'node:net'

export function isPublicAddress(address: string): boolean {
  switch (isIP(address)) {
    case 4:
      return !SPECIAL.check(address, 'ipv4')
    case 6:
      // A zone makes an address local, whatever it is.
      return (
        !address.includes('%') && GLOBAL.check(address, 'ipv6') && !SPECIAL.check(address, 'ipv6')
      )
    default:
      return false
  }
}

function listOf(family: 'ipv4' | 'ipv6', list: BlockList, networks: readonly string[]): BlockList {
  for (const network of networks) {
    const [address = '', prefix = ''] = network.split('/')
    list.addSubnet(address, Number(prefix), family)
  }
  return list
}

const GLOBAL = listOf('ipv6', new BlockList(), ['2000::/3'])

const SPECIAL = listOf(
  'ipv6',
  listOf('ipv4', new BlockList(), [
    '0.0.0.0/8',
    '10.0.0.0/8',
    // Carrier-grade NAT (RFC 6598).
    '100.64.0.0/10',
    '127.0.0.0/8',
    '169.254.0.0/16',
    '172.16.0.0/12',
    '192.0.0.0/24',
    '192.0.2.0/24',
    '192.31.196.0/24',
    '192.52.193.0/24',
    // The relays of 6to4 (RFC 7526).
    '192.88.99.0/24',
    '192.168.0.0/16',
    '192.175.48.0/24',
    '198.18.0.0/15',
    '198.51.100.0/24',
    '203.0.113.0/24',
    // Multicast, reserved, broadcast.
    '224.0.0.0/3',
  ]),
  [
    // Protocol assignments, with Teredo and ORCHID, and benchmarking.
    '2001::/23',
    '2001:db8::/32',
    // 6to4: the IPv4 address is inside.
    '2002::/16',
    '2620:4f:8000::/48',
    '3fff::/20',
  ],
)
