/**
 * Which ports of this machine can any process bind?
 *
 * Linux has a setting for this, which containers often lower to 0. If it cannot be read,
 * as on other systems, the usual 1024 is assumed. Effects: reads one file.
 */
import { readFileSync } from 'node:fs'
import { USUAL_FIRST_OPEN_PORT } from '../server-address.js'

/** The first unprivileged port; 65536 if there is none. */
export function readFirstOpenPort(file = IP_UNPRIVILEGED_PORT_START): number {
  try {
    const text = readFileSync(file, 'utf8').trim()
    return /^\d{1,5}$/.test(text) ? Number(text) : USUAL_FIRST_OPEN_PORT
  } catch {
    return USUAL_FIRST_OPEN_PORT
  }
}

/** For IPv6 as well. */
const IP_UNPRIVILEGED_PORT_START = '/proc/sys/net/ipv4/ip_unprivileged_port_start'
