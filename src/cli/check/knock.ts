/**
 * Tries the way out: a connection to a mail host, up to the TLS handshake.
 *
 * No TLSA records and no certificates are looked at: it shows whether this network lets
 * mail out, and lets STARTTLS through. The name is looked up by this machine's own
 * resolver. Effects: network.
 */
import { isIP } from 'node:net'
import { parseDomainName } from '../../name.js'
import { phraseOf } from '../../reason.js'
import { printable } from '../../text.js'
import { helloNameOf } from '../relay-settings.js'
import { probeHost } from '../smtp-probe.js'
import { toWhole, UsageError } from '../usage.js'
import { ok, problem, unknown } from './finding.js'
import type { Finding } from './finding.js'

export type Door = { readonly host: string; readonly port: number }

/** `mx.example.org`, `192.0.2.1:25`, `[2001:db8::1]:25` or a bare IPv6 address. */
export function toDoor(text: string): Door {
  const [, bracketed, plain, port = '25'] =
    /^(?:\[([^\]]*)\]|([^:]*))(?::(\d+))?$/.exec(text) ?? (isIP(text) === 6 ? ['', text] : [])
  const host = bracketed ?? plain ?? ''
  if (isIP(host) === 0 && parseDomainName(host) === undefined) {
    throw new UsageError(`--knock ${printable(text)}: expected a host, or HOST:PORT`)
  }
  return { host, port: toWhole('--knock', port, 1, 65_535) }
}

/** @param folder Haraka's config folder, for the name in EHLO */
export async function knockFinding({ host, port }: Door, folder: string): Promise<Finding> {
  const name = parseDomainName(isIP(host) === 0 ? host : 'knock.invalid')
  const place = `${host} port ${port}`
  if (name === undefined) return unknown(TOPIC, `${place} was not tried`, 'give a host name')
  const probe = await probeHost({
    address: host,
    port,
    serverName: name,
    helloName: helloNameOf(folder),
    tls: {},
    timeoutMs: KNOCK_MS,
  })
  if (probe.kind === 'handshake') {
    return ok(TOPIC, `${place} answers, and negotiates ${probe.protocol}`)
  }
  const detail = printable(probe.detail, 300)
  if (probe.kind === 'no-route') {
    return problem(TOPIC, `no route to ${place} (${detail})`, 'check the network of this machine')
  }
  return probe.reason === 'connection-failed'
    ? problem(
        TOPIC,
        `no connection to ${place} (${detail})`,
        `try another host; if none answers, a firewall or the provider blocks port ${port}`,
      )
    : problem(
        TOPIC,
        `${place} answers, but without TLS: ${phraseOf(probe.reason)} (${detail})`,
        'try another host; if none negotiates TLS, a firewall in between rewrites SMTP',
      )
}

const TOPIC = 'way out'
const KNOCK_MS = 15_000
