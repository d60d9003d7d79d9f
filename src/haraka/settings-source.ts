/**
 * Reads dane.ini, at the start and after each change.
 *
 * Reads the file itself: Haraka's reader does not distinguish a file that cannot be read
 * from one that does not exist, and `policy = mandatory` behind a wrong file mode would
 * become the default. Haraka's reader is used only to watch the file.
 *
 * A missing file is accepted at the start, and means the defaults. A file that existed and
 * is missing or empty later is being written or was removed by accident, and is refused. A
 * file that cannot be read is always refused. Effects: reads files.
 */
import { createHash } from 'node:crypto'
import path from 'node:path'
import { readConfigFile, readRedisDefaults } from '../settings/config-folder.js'
import { readFirstOpenPort } from '../settings/open-ports.js'
import { readSystemResolvers } from '../settings/resolv-conf.js'
import { SettingsError } from '../settings/option-reader.js'
import { parseSettings } from '../settings/settings.js'
import type { Settings } from '../settings/settings.js'
import type { Plugin } from './host.js'

export type SettingsSource = {
  /** Throws a SettingsError if the file is not accepted. */
  readonly read: () => Settings
  /** Identifies what the settings that were read last depend on. */
  readonly fingerprint: () => string
}

/** @param changed called by Haraka's watcher, some seconds after the file has changed */
export function createSettingsSource(
  plugin: Pick<Plugin, 'config'>,
  changed: () => void,
): SettingsSource {
  let isBlank: boolean | undefined
  let fingerprint = ''
  return {
    read() {
      // Once is not enough: a watcher that has fired keeps the arguments of the last call.
      plugin.config.get('dane.ini', 'data', changed)
      const folder = path.join(process.env['HARAKA'] ?? '.', 'config')
      const text = readConfigFile(folder, 'dane.ini')
      if (text.trim() === '' && isBlank === false) {
        throw new SettingsError(
          'dane.ini is empty or missing; to use the defaults, restart Haraka without the file',
        )
      }
      const redis = readRedisDefaults(folder)
      const firstOpenPort = readFirstOpenPort()
      const system = readSystemResolvers()
      const settings = parseSettings(text, 'dane.ini', redis, firstOpenPort, system)
      isBlank = text.trim() === ''
      const inputs = JSON.stringify([text, redis, firstOpenPort, settings.resolver.servers])
      fingerprint = createHash('sha256').update(inputs).digest('hex')
      return settings
    },
    fingerprint: () => fingerprint,
  }
}
