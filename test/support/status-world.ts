/** A laboratory with a destination in each state of DANE, and a relay whose page is open. */
import { mkdir } from 'node:fs/promises'
import path from 'node:path'
import { destinations } from '../../lab/destination.js'
import type { DestinationOptions } from '../../lab/destination.js'
import { until } from '../../lab/child.js'
import { freePort } from '../../lab/free-port.js'
import type { Haraka } from '../../lab/haraka.js'
import { createAuthority, startLaboratory } from '../../lab/laboratory.js'
import type { Laboratory } from '../../lab/laboratory.js'
import { mint } from '../../lab/certificates.js'
import { PLACE } from '../../lab/rows.js'
import type { Row } from '../../lab/rows.js'
import { writeQueue } from './queue-folder.js'
import { deliver, wantedRelease } from './relays.js'
import { field } from './status.js'

export type StatusWorld = {
  readonly laboratory: Laboratory
  readonly relay: Haraka
  /** Of the page. */
  readonly url: string
  readonly stop: () => Promise<void>
}

/** What the host of `hostile` says and shows; that of `endless` says ten kilobytes more. */
export const HOSTILE = `<script>alert(1)</script><img src=x onerror=alert(2)>"'\u202E\u2066\u200B`

const LABELS: Readonly<Record<string, DestinationOptions>> = {
  verified: {},
  mismatch: { tlsa: 'wrong', hasSecondHost: true },
  bogus: { isTlsaBogus: true },
  fixed: { host: { misbehavior: 'starttls-454' } },
  grey: { host: { misbehavior: 'rcpt-450' } },
  plain: { place: PLACE.unsigned, tlsa: 'none' },
  unusable: {},
  exempt: { place: PLACE.unsigned, tlsa: 'none' },
  strict: { tlsa: 'none' },
}

const ENDLESS = ` ${HOSTILE} ${'x'.repeat(10_000)}`

const DANE_INI = `[domains]
exempt.${PLACE.unsigned} = none
strict.${PLACE.signed} = mandatory
[status]
enabled = yes
host[] = status.example.org
`

export async function startStatusWorld(): Promise<StatusWorld> {
  const authority = await createAuthority()
  const { laboratory } = await startLaboratory(async (port) => [
    ...(await destinations(port, LABELS, authority)).map(withUnusable),
    ...(await destinations(port, { hostile: await hostile() }, authority)),
    ...(await destinations(port, { endless: { host: { words: ENDLESS } } }, authority)),
  ])
  try {
    const http = await freePort()
    const relay = await laboratory.startRelay(
      'dane',
      {
        ...wantedRelease(),
        workers: 2,
        files: {
          'http.ini': `listen=127.0.0.1:${http}`,
          'outbound.ini': 'local_mx_ok=true\nconnect_timeout=60\ntemp_fail_intervals=1h,2h,3h',
        },
      },
      DANE_INI,
    )
    const url = `http://127.0.0.1:${http}/dane`
    laboratory.hosts.get(`mx2-mismatch.${PLACE.signed}`)?.misbehave('starttls-454')
    // Its last attempt was before the start.
    const [arrived, next] = [Date.now() - 3_600_000, Date.now() + 3_600_000]
    const queue = path.join(relay.folder, 'queue')
    await mkdir(queue, { recursive: true })
    writeQueue(queue, { domain: `early.${PLACE.signed}`, arrived, next, attempts: 1 })
    await Promise.all(
      [...Object.keys(LABELS), 'hostile', 'endless'].map((label) =>
        deliver(relay, `user@${label}.${LABELS[label]?.place ?? PLACE.signed}`),
      ),
    )
    await until('all destinations', async () => {
      const status: unknown = await fetch(`${url}.json`)
        .then((response) => response.json())
        .catch(() => undefined)
      const isCounted = field(status, 'queue', 'kind') === 'counted'
      return isCounted && field(status, 'matching') === Object.keys(LABELS).length + 3
    })
    return { laboratory, relay, url, stop: () => laboratory.stop() }
  } catch (error) {
    await laboratory.stop()
    throw error
  }
}

async function hostile(): Promise<DestinationOptions> {
  const subject = `CN=${HOSTILE.replace(/[,+"\\<>;=]/g, '\\$&')}`
  const leaf = await mint({ subject, names: [`mx-hostile.${PLACE.signed}`] })
  return { tlsa: 'wrong', host: { chain: { leaf }, words: ` ${HOSTILE}` } }
}

/** Usage 0 is not for SMTP (RFC 7672 §3.1.3), so none of its records is usable. */
function withUnusable(row: Row): Row {
  if (row.id !== 'unusable') return row
  return { ...row, records: row.records.map((line) => line.replace('TLSA 3 1 1', 'TLSA 0 1 1')) }
}
