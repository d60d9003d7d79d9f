/**
 * What does dane.ini say, now and after each change?
 *
 * Reads the file itself: to Haraka's reader a file that cannot be read and one that
 * is not there are the same, and `policy = mandatory` behind a wrong file mode would
 * become the default. Haraka's reader is only asked to watch.
 *
 * A file that is missing is fine at start, and means the defaults. One that was there
 * and is missing or empty later is a file in the middle of being written, or gone by
 * accident; what cannot be read is refused always. Effects: reads one file.
 */
import path from 'node:path'
import { readConfigFile, readRedisDefaults } from '../config-folder.js'
import { SettingsError } from '../option-reader.js'
import { parseSettings } from '../settings.js'
import type { Settings } from '../settings.js'
import type { Plugin } from './host.js'

export type SettingsSource = {
  /** Throws a SettingsError where the file cannot be taken. */
  readonly read: () => Settings
}

/** @param changed called by Haraka's watcher, some seconds after the file has changed */
export function createSettingsSource(
  plugin: Pick<Plugin, 'config'>,
  changed: () => void,
): SettingsSource {
  let isBlank: boolean | undefined
  return {
    read() {
      // Once is not enough: a watcher that has fired keeps the arguments of the last call.
      plugin.config.get('dane.ini', 'data', changed)
      const folder = path.join(process.env['HARAKA'] ?? '.', 'config')
      const text = readConfigFile(folder, 'dane.ini')
      if (text.trim() === '' && isBlank === false) {
        throw new SettingsError('dane.ini is empty or gone; to have the defaults, restart Haraka')
      }
      const settings = parseSettings(text, 'dane.ini', readRedisDefaults(folder))
      isBlank = text.trim() === ''
      return settings
    },
  }
}
