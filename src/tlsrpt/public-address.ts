/**
 * Which IP addresses are those of the public Internet.
 *
 * `isPublicAddress` is for addresses that strangers choose: nothing is ever sent to a host
 * of the inside because a DNS record says so. `isPrivateAddress` is for our own addresses in
 * reports. Both read the IANA registries of special-purpose addresses, as of 2025, and
 * multicast. IPv6 is public only within 2000::/3, so IPv4-mapped, NAT64, discard, SRv6,
 * unique local, site-local and link-local addresses are refused without being taken apart.
 * Limit: a NAT64 prefix of a network's own cannot be recognized.
 *
 * Pure.
 */
import { BlockList, isIP } from 'node:net'
import { reportAddress } from './address.js'

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

/** Whether it means nothing outside its own network; an IPv4-mapped address is an IPv4 address. */
export function isPrivateAddress(text: string): boolean {
  const address = reportAddress(text)
  return address !== undefined && !isPublicAddress(address)
}

/**
 * Whether reports would name an address that means nothing outside.
 *
 * @param named by the operator, for each family
 * @param own addresses of this machine; they count if the operator has named none
 */
export function willNamePrivate(
  named: Readonly<Record<'ipv4' | 'ipv6', string | undefined>>,
  own: readonly string[],
): boolean {
  const given = [named.ipv4, named.ipv6].filter((each) => each !== undefined)
  return given.length > 0 ? given.some(isPrivateAddress) : own.every(isPrivateAddress)
}

/**
 * Special-purpose blocks, also those that the registries call globally reachable: no mail
 * relay has an address there, and no receiver of reports.
 */
const BLOCKS = [
  // "This network" (RFC 791), private use (RFC 1918), carrier-grade NAT (RFC 6598).
  '0.0.0.0/8',
  '10.0.0.0/8',
  '172.16.0.0/12',
  '192.168.0.0/16',
  '100.64.0.0/10',
  // Loopback (RFC 1122), link-local (RFC 3927).
  '127.0.0.0/8',
  '169.254.0.0/16',
  // Protocol assignments (RFC 6890): DS-Lite, PCP and TURN anycast, NAT64 discovery.
  '192.0.0.0/24',
  // Documentation (RFC 5737), benchmarking (RFC 2544).
  '192.0.2.0/24',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '198.18.0.0/15',
  // AS112 (RFC 7535, RFC 7534), AMT (RFC 7450), relays of 6to4 and 6a44 (RFC 7526, RFC 6751).
  '192.31.196.0/24',
  '192.175.48.0/24',
  '192.52.193.0/24',
  '192.88.99.0/24',
  // Multicast (RFC 5771), reserved and broadcast (RFC 1112, RFC 8190).
  '224.0.0.0/4',
  '240.0.0.0/4',
  // Protocol assignments (RFC 2928): Teredo, benchmarking, AMT, AS112, ORCHID, drones.
  '2001::/23',
  // 6to4 (RFC 3056): the IPv4 address is inside.
  '2002::/16',
  // Documentation (RFC 3849, RFC 9637), AS112 (RFC 7534).
  '2001:db8::/32',
  '3fff::/20',
  '2620:4f:8000::/48',
] as const

function listOf(networks: readonly string[]): BlockList {
  const list = new BlockList()
  for (const network of networks) {
    const [address = '', prefix = ''] = network.split('/')
    list.addSubnet(address, Number(prefix), isIP(address) === 4 ? 'ipv4' : 'ipv6')
  }
  return list
}

const GLOBAL = listOf(['2000::/3'])
const SPECIAL = listOf(BLOCKS)
