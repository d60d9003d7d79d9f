/**
 * Reads the resolvers of this system from resolv.conf.
 *
 * In their order, and no more than the C library uses. A file that is missing or cannot be
 * read has none. Effects: reads one file.
 */
import { readFileSync } from 'node:fs'
import { parseResolverAddress } from '../server-address.js'
import type { ResolverAddress } from '../server-address.js'

export function readSystemResolvers(file = '/etc/resolv.conf'): readonly ResolverAddress[] {
  try {
    return parseResolvConf(readFileSync(file, 'utf8'))
  } catch {
    return []
  }
}

/** resolv.conf(5): lines `nameserver ADDRESS`; what is no address of a host is left out. */
export function parseResolvConf(text: string): readonly ResolverAddress[] {
  const servers = Array.from(text.matchAll(/^nameserver[ \t]+(\S+)/gm), ([, address = '']) =>
    // Port 53 and no TLS: the file has nothing else.
    /^[0-9a-f.:%\w-]+$/i.test(address) ? parseResolverAddress(address) : undefined,
  )
  return servers.filter((server) => server !== undefined).slice(0, MOST)
}

/** MAXNS of the C library. */
const MOST = 3
