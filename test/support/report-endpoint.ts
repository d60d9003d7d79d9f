/**
 * An HTTPS endpoint for TLS reports (RFC 8460 §5.4), with a certificate of a CA of its own.
 *
 * It listens on loopback. A relay reaches it only with `onLoopback` and `caFile` of the
 * laboratory: in DNS the host has a public address, which the plugin checks.
 */
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { gunzipSync } from 'node:zlib'
import { createAuthority } from '../../lab/laboratory.js'
import { PLACE } from '../../lab/rows.js'
import type { Report } from '../../src/tlsrpt/report.js'
import { assertReport } from './report-schema.js'

/** Of 2000::/3, and of no network: packets that escaped would reach no one. */
export const ENDPOINT_ADDRESS = '2000::53'
export const ENDPOINT_HOST = `tls-reports.${PLACE.signed}`

export type ReportEndpoint = {
  readonly port: number
  readonly url: string
  /** Zone-file lines of its host. */
  readonly records: readonly string[]
  /** Its CA, in PEM. */
  readonly caFile: string
  /** The reports that have arrived whole, each as often as it came. */
  readonly reports: readonly Report[]
  /** Connections, also those without a request. */
  readonly connections: () => number
  /** The status of answers from now on. */
  answer: (status: number) => void
  readonly stop: () => Promise<void>
}

export async function startEndpoint(folder: string): Promise<ReportEndpoint> {
  const authority = await createAuthority()
  const { pem, keyPem } = await authority.issue(ENDPOINT_HOST)
  const caFile = path.join(folder, 'endpoint-ca.pem')
  await writeFile(caFile, authority.ca.pem)
  const reports: Report[] = []
  let status = 201
  let connections = 0
  const server = createServer({ cert: pem, key: keyPem }, (request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('error', () => undefined)
    response.on('error', () => undefined)
    request.on('end', () => {
      reports.push(assertReport(gunzipSync(Buffer.concat(chunks)).toString()))
      response.writeHead(status).end()
    })
  })
  server.on('connection', () => connections++)
  server.on('tlsClientError', () => undefined)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const port = portOf(server.address())
  return {
    port,
    url: `https://${ENDPOINT_HOST}:${port}/v1/report`,
    records: [`${ENDPOINT_HOST}. AAAA ${ENDPOINT_ADDRESS}`],
    caFile,
    reports,
    connections: () => connections,
    answer: (next) => {
      status = next
    },
    stop: () =>
      new Promise((resolve) => {
        server.closeAllConnections()
        server.close(() => {
          resolve()
        })
      }),
  }
}

function portOf(address: AddressInfo | string | null): number {
  return address !== null && typeof address === 'object' ? address.port : 0
}
