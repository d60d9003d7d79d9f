/**
 * May the AD bit of this server's answers be believed?
 *
 * RFC 4035 §4.9.3 and RFC 6698 §4.1: only if the server is trusted to validate and
 * nobody can change its answers on the way. For a plain DNS server that is the
 * loopback interface. Pure.
 */
import { isLoopback } from '../server-address.js'
import type { ServerAddress } from '../server-address.js'

export function isTrustedChannel(server: ServerAddress): boolean {
  return isLoopback(server)
}
