/**
 * Builds the store of TLS reports from the settings.
 *
 * Redis if dane.ini has one, so that all workers and relays come to one report; otherwise
 * files in a folder of Haraka. It has a connection of its own: a day of reports does not
 * delay the answers that mail waits for.
 */
import { randomBytes } from 'node:crypto'
import path from 'node:path'
import { openClient } from './assemble.js'
import { seal, unseal } from './cache/seal.js'
import type { Settings } from './settings/settings.js'
import type { UtcDay } from './tlsrpt/day.js'
import { createFileStore } from './tlsrpt/file-store.js'
import { createRedisReports } from './tlsrpt/redis-reports.js'
import type { ReportStore } from './tlsrpt/store.js'
import type { DomainName } from './name.js'

export type RunningStore = ReportStore & {
  /** Whether counts of days that have ended survive without the process that counted them. */
  readonly isDurable: boolean
  /** Domains whose reports are no longer `open`. */
  readonly begun: (day: UtcDay) => Promise<readonly DomainName[]>
}

/**
 * @param harakaFolder Haraka's folder; files are in its subfolder `tlsrpt`
 * @param retentionMs how long everything about a day is kept after it
 * @param onRestored called when Redis is connected again, and may have lost counts
 */
export function openReportStore(
  { redis }: Pick<Settings, 'redis'>,
  harakaFolder: string,
  retentionMs: number,
  onRestored: () => void = () => undefined,
): RunningStore {
  const writer = randomBytes(8).toString('hex')
  const now = (): number => Date.now()
  if (redis === undefined) {
    const folder = path.join(harakaFolder, FOLDER)
    return {
      ...createFileStore({ folder, writer, now }),
      isDurable: true,
      begun: () => Promise.resolve([]),
    }
  }
  let isFirst = true
  const client = openClient(redis, (fault) => {
    if (fault !== undefined) return
    if (!isFirst) {
      store.restore().catch(() => {
        // The connection is lost again, and this is done once more when it is back.
      })
      onRestored()
    }
    isFirst = false
  })
  // Reports are of all relays, whoever validates for them.
  const { prefix } = redis
  const vault = { prefix, secret: redis.key }
  const store = createRedisReports({
    call: async (...command) => {
      await client.started
      return client.call(...command)
    },
    prefix,
    seal: (place, content) => seal(vault, place, content),
    unseal: (place, text) => unseal(vault, place, text),
    writer,
    now,
    retentionMs,
  })
  return { ...store, isDurable: false, close: client.close }
}

/** In Haraka's folder. */
const FOLDER = 'tlsrpt'
