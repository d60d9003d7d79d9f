/**
 * Hazards of a Haraka installation for mail or its protection, with messages for the
 * operator.
 *
 * Haraka releases and configurations that the plugin warns of at start and `haraka-dane
 * check` reports. Each message is defined here once. Pure.
 */
import { channelTo, serverText } from './server-address.js'
import type { ChannelTrust, ResolverAddress } from './server-address.js'

/** The oldest release with the methods that the plugin overrides. */
export const OLDEST_HARAKA = '3.0.4'

/** Haraka's issue 3553; undefined for a release without it. */
export function crashText(version: string): string | undefined {
  return version === '3.1.5'
    ? 'Haraka 3.1.5 crashes when a mail host aborts a TLS handshake, with or without this plugin: ' +
        'install 3.1.6 or later'
    : undefined
}

/** Whether a release is too old; undefined if `version` is not a version number. */
export function isTooOld(version: string): boolean | undefined {
  return isBefore(version, OLDEST_HARAKA)
}

/** Whether line breaks in a certificate's subject reach the log: until 3.3.2. */
export function breaksLogLines(version: string): boolean {
  return isBefore(version, '3.3.3') === true
}

/** What tls.ini has if both options are on. */
export const PKIX_FORCED =
  'mutual_tls and rejectUnauthorized: Haraka then requires a certificate of a public CA as well, ' +
  'and mail to hosts that only DANE authenticates is deferred'

/** @param value the value in outbound.ini */
export function tlsDisabledText(value: string): string {
  return `enable_tls=${value}: mail to hosts with DANE waits and then bounces`
}

/**
 * A message bypasses DANE only if other plugins answer both hooks before this one.
 *
 * @param senders plugins that may answer send_email first
 * @param routers plugins that may answer get_mx first
 */
export function bypassText(
  senders: readonly string[],
  routers: readonly string[],
): string | undefined {
  return senders.length > 0 && routers.length > 0
    ? `${senders.join(', ')} may answer send_email before this plugin, and ${routers.join(', ')} get_mx: ` +
        'mail that both answer is sent without DANE'
    : undefined
}

/** Why a resolver can be impersonated although dane.ini trusts it; undefined if it cannot. */
export function weakChannelText(server: ResolverAddress, trust: ChannelTrust): string | undefined {
  const name = serverText(server)
  switch (channelTo(server, trust)) {
    case 'privileged':
    case 'tls':
      return undefined
    case 'network':
      return (
        `${name} is trusted over a network without TLS (trust = yes): ` +
        'anyone who can modify packets on the path can disable DANE'
      )
    case 'unprivileged':
      return (
        `${name} is trusted at an unprivileged port (trust = yes): ` +
        'any local user can take over that port and disable DANE'
      )
  }
}

/**
 * The delivery status has no password.
 *
 * @param elsewhere where http.ini listens beyond this machine
 */
export function exposureText(elsewhere: readonly string[]): string | undefined {
  return elsewhere.length > 0
    ? `anyone who can connect to ${elsewhere.join(', ')} (http.ini) can read the delivery status`
    : undefined
}

/** What to do about it. */
export const EXPOSURE_REMEDY =
  'listen on 127.0.0.1, or set [status] proxy = yes if a proxy or a firewall decides who gets there'

function isBefore(version: string, other: string): boolean | undefined {
  const parts = numbers(version)
  const others = numbers(other)
  if (parts === undefined || others === undefined) return undefined
  const index = parts.findIndex((part, at) => part !== others[at])
  return index !== -1 && (parts[index] ?? 0) < (others[index] ?? 0)
}

function numbers(version: string): readonly number[] | undefined {
  const match = /^(\d{1,4})\.(\d{1,4})\.(\d{1,4})/.exec(version)
  return match?.slice(1).map(Number)
}
