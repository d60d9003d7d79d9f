/**
 * Does anything in this Haraka stand in the plugin's way?
 *
 * Looked at once all plugins are loaded, said in the log, nothing refused: what is
 * found here costs mail its delivery or its protection, and the operator has to know
 * before the first message does.
 */
import { crashText } from '../haraka-releases.js'
import type { Plugin } from './host.js'

/** What Haraka knows after all plugins are loaded. */
export type Surroundings = {
  /** Names of the plugins that listen, in the order in which they are asked. */
  readonly sendEmail: readonly string[]
  readonly getMx: readonly string[]
  readonly isTlsEnabled: boolean
  readonly harakaVersion: string
  /** tls.ini has both mutual_tls and rejectUnauthorized. */
  readonly isPkixForced: boolean
  /** Whether dane.ini wants metrics, and http.ini has somewhere to show them. */
  readonly hasMetrics: boolean
  readonly hasHttp: boolean
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
  }: Surroundings,
): readonly string[] {
  const before = (plugins: readonly string[]): readonly string[] => [
    ...new Set(plugins.slice(0, Math.max(plugins.indexOf(name), 0))),
  ]
  const first = before(sendEmail)
  const routers = before(getMx)
  const crash = crashText(harakaVersion)
  return [
    ...(crash === undefined ? [] : [crash]),
    ...(isTlsEnabled
      ? []
      : ['outbound.ini has enable_tls=false: mail to domains with DANE will not be delivered']),
    ...(isPkixForced
      ? [
          'tls.ini has mutual_tls and rejectUnauthorized: Haraka then holds every host to a public authority as well, ' +
            'and mail to hosts that only DANE vouches for waits; set rejectUnauthorized=false',
        ]
      : []),
    ...(hasMetrics && !hasHttp
      ? [
          'metrics are counted and cannot be seen: http.ini needs a line listen=127.0.0.1:PORT, and Haraka express',
        ]
      : []),
    // Only who answers both hooks before us can send a message that this plugin never saw.
    ...(first.length > 0 && routers.length > 0
      ? [
          `${first.join(', ')} may answer send_email before this plugin, and ${routers.join(', ')} get_mx: ` +
            `mail that both answer leaves without DANE; put ${name} first in config/plugins`,
        ]
      : []),
  ]
}

export function logWarnings(plugin: Plugin, surroundings: Surroundings): void {
  for (const warning of warnings(plugin.name, surroundings)) plugin.logwarn(warning)
}
