/**
 * What stands in the files of Haraka's config folder?
 *
 * The text of dane.ini, and what Haraka's redis.ini gives where dane.ini is silent. A
 * file that is not there is an empty one; one that cannot be read is refused. Effects:
 * reads files.
 */
import { lstatSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { SettingsError } from './option-reader.js'
import { parseRedisIni } from './redis-settings.js'
import type { RedisDefaults } from './redis-settings.js'
import { errorText } from './text.js'

/** The text; empty if there is no such file. Throws a SettingsError where it cannot be read. */
export function readConfigFile(folder: string, name: string): string {
  const file = path.join(folder, name)
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    // A link to nowhere is no absence: somebody meant to have a file there.
    const isAbsent = lstatSync(file, { throwIfNoEntry: false }) === undefined
    if (isAbsent && error instanceof Error && 'code' in error && error.code === 'ENOENT') return ''
    throw new SettingsError(`${name} cannot be read: ${errorText(error)}`)
  }
}

/** Haraka's own redis.ini fills what [redis] leaves open; what cannot be read there fills nothing. */
export function readRedisDefaults(folder: string): RedisDefaults {
  try {
    return parseRedisIni(readConfigFile(folder, 'redis.ini'))
  } catch {
    return {}
  }
}
