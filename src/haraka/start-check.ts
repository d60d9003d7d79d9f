/**
 * Warns of a setup that delays mail or bypasses the plugin.
 *
 * Runs once all plugins are loaded, and only logs, so that the operator knows before the
 * first message is affected.
 */
import {
  bypassText,
  crashText,
  EXPOSURE_REMEDY,
  exposureText,
  PKIX_FORCED,
  tlsDisabledText,
  weakChannelText,
} from '../haraka-hazards.js'
import { mayBeBelieved } from '../settings/resolver-settings.js'
import type { ResolverSettings } from '../settings/settings.js'
import type { ProcessLog } from './log/process-log.js'

/** State of Haraka after all plugins are loaded. */
export type Surroundings = {
  /** Names of the plugins that registered the hook, in the order in which Haraka calls them. */
  readonly sendEmail: readonly string[]
  readonly getMx: readonly string[]
  readonly isTlsEnabled: boolean
  readonly harakaVersion: string
  /** tls.ini has both mutual_tls and rejectUnauthorized. */
  readonly isPkixForced: boolean
  /** Whether dane.ini enables metrics, and http.ini a server for them. */
  readonly hasMetrics: boolean
  readonly hasHttp: boolean
  /** Whether dane.ini enables the delivery status, and states that a proxy is in front of it. */
  readonly status: 'off' | 'on' | 'proxied'
  /** Where http.ini listens beyond this machine. */
  readonly httpElsewhere: readonly string[]
}

export function warnings(
  name: string,
  {
    sendEmail,
    getMx,
    isTlsEnabled,
    harakaVersion,
    isPkixForced,
    hasMetrics,
    hasHttp,
    status,
    httpElsewhere,
  }: Surroundings,
): readonly string[] {
  const before = (plugins: readonly string[]): readonly string[] => [
    ...new Set(plugins.slice(0, Math.max(plugins.indexOf(name), 0))),
  ]
  const crash = crashText(harakaVersion)
  const bypass = bypassText(before(sendEmail), before(getMx))
  const exposure = status === 'on' && hasHttp ? exposureText(httpElsewhere) : undefined
  return [
    ...(crash === undefined ? [] : [crash]),
    ...(isTlsEnabled ? [] : [`outbound.ini has ${tlsDisabledText('false')}`]),
    ...(isPkixForced ? [`tls.ini has ${PKIX_FORCED}; set rejectUnauthorized=false`] : []),
    ...(hasMetrics && !hasHttp
      ? [
          'metrics are counted but not served: http.ini needs a line listen=127.0.0.1:PORT, and Haraka needs express',
        ]
      : []),
    ...(status !== 'off' && !hasHttp
      ? [
          'the delivery status is not served: http.ini needs a line listen=127.0.0.1:PORT, and Haraka needs express',
        ]
      : []),
    ...(exposure === undefined ? [] : [`${exposure}: ${EXPOSURE_REMEDY}`]),
    ...(bypass === undefined ? [] : [`${bypass}; put ${name} first in config/plugins`]),
  ]
}

export function logWarnings(log: ProcessLog, name: string, surroundings: Surroundings): void {
  for (const warning of warnings(name, surroundings)) log.logwarn(warning)
}

/** Logged at start and at reload: no later line would show it. */
export function logTrust(log: ProcessLog, resolver: ResolverSettings): void {
  for (const warning of trustWarnings(resolver)) log.logwarn(warning)
}

export function trustWarnings(
  resolver: Pick<
    ResolverSettings,
    'validation' | 'servers' | 'areServersGiven' | 'trust' | 'insecureZones'
  >,
): readonly string[] {
  const { servers, trust, insecureZones } = resolver
  const channels = servers.flatMap((server) => {
    if (!mayBeBelieved(server, resolver)) return []
    const text = weakChannelText(server, trust)
    return text === undefined ? [] : [`resolver ${text}`]
  })
  // RFC 7646 §2: what is not validated on purpose has to be seen.
  const zones = insecureZones.map(
    (zone) => `insecure_zones has ${zone}: nothing at or below it is validated here or protected`,
  )
  return [...channels, ...zones]
}
