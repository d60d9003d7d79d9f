/**
 * Starts TLS reports if dane.ini enables them.
 *
 * Throws a SettingsError if the DKIM key cannot be used: reports that are not signed are
 * ignored by their receivers (RFC 8460 §3). Effects: reads that file.
 */
import path from 'node:path'
import { readDkimKey } from '../../settings/config-folder.js'
import type { Settings } from '../../settings/settings.js'
import type { ReportStore } from '../../tlsrpt/store.js'
import { Reports } from './reports.js'
import type { ReportSettings, ReportsParts } from './reports.js'

/** Undefined: no reports. */
export function readReportSettings({ tlsrpt }: Settings): ReportSettings | undefined {
  if (tlsrpt === undefined) return undefined
  return {
    ...tlsrpt,
    dkimKey: readDkimKey(path.join(harakaFolder(), 'config'), tlsrpt.dkim.keyFile),
  }
}

/**
 * Undefined: no reports, or another process sends them.
 *
 * @param parts with the store of what this process counts; undefined: it delivers no mail
 */
export function startReports(
  parts: Omit<ReportsParts, 'store'> & { readonly store: ReportStore | undefined },
  settings: Settings,
): Reports | undefined {
  // Also where another process sends them: the start says what is missing.
  const reports = readReportSettings(settings)
  const { store } = parts
  if (reports === undefined || store === undefined) return undefined
  return new Reports({ ...parts, store }, reports)
}

function harakaFolder(): string {
  return process.env['HARAKA'] ?? '.'
}
