/**
 * Checks that Haraka's HTTP server can serve the metrics and the delivery status which
 * dane.ini enables, and who can read the latter. Effects: looks for a package.
 */
import { createRequire } from 'node:module'
import path from 'node:path'
import { EXPOSURE_REMEDY, exposureText } from '../../haraka-hazards.js'
import { httpListeners, reachableFromElsewhere } from '../../http-listen.js'
import type { HttpIni } from '../../http-listen.js'
import type { StatusSettings } from '../../settings/settings.js'
import { ok, warning } from './finding.js'
import type { Finding } from './finding.js'

/** @param home the folder from which Haraka loads express */
export function metricsFindings(
  metricsPath: string,
  { listen }: HttpIni,
  home: string,
): readonly Finding[] {
  return servedFindings(
    { topic: 'metrics', unserved: 'counted, but not served' },
    listen,
    home,
    metricsPath,
  )
}

export function statusFindings(
  { path: statusPath, isProxied }: StatusSettings,
  http: HttpIni,
  home: string,
): readonly Finding[] {
  const served = servedFindings(
    { topic: 'status', unserved: 'not served' },
    http.listen,
    home,
    statusPath,
  )
  const elsewhere = isProxied ? [] : reachableFromElsewhere(httpListeners(http))
  const exposure = exposureText(elsewhere)
  return [
    ...served,
    ...(exposure === undefined ? [] : [warning('status', exposure, EXPOSURE_REMEDY)]),
  ]
}

function servedFindings(
  { topic, unserved }: { readonly topic: string; readonly unserved: string },
  listen: string | undefined,
  home: string,
  page: string,
): readonly Finding[] {
  if (listen === undefined || listen === '') {
    return [warning(topic, `${unserved}: http.ini has no listen=`, 'set listen=127.0.0.1:PORT')]
  }
  return hasExpress(home)
    ? [ok(topic, `${page} of Haraka's HTTP server (${listen})`)]
    : [warning(topic, `${unserved}: Haraka finds no express`, 'run npm install express')]
}

function hasExpress(home: string): boolean {
  try {
    createRequire(path.join(home, 'server.js')).resolve('express')
    return true
  } catch {
    return false
  }
}
