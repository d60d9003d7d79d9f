/**
 * Reads the files of Haraka's config folder.
 *
 * The text of dane.ini, and the defaults from Haraka's redis.ini. A missing file counts as
 * an empty one; an unreadable one is refused. The DKIM key, which must be there. Effects:
 * reads files.
 */
import { createPrivateKey } from 'node:crypto'
import { lstatSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { SettingsError } from './option-reader.js'
import { parseRedisIni } from './redis-ini.js'
import type { RedisDefaults } from './redis-ini.js'
import { errorText } from '../text.js'

/** The text; empty if there is no such file. Throws a SettingsError if it cannot be read. */
export function readConfigFile(folder: string, name: string): string {
  const file = path.join(folder, name)
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    // A dangling symbolic link is not a missing file: one was intended.
    const isAbsent = lstatSync(file, { throwIfNoEntry: false }) === undefined
    if (isAbsent && error instanceof Error && 'code' in error && error.code === 'ENOENT') return ''
    throw new SettingsError(`${name} cannot be read: ${errorText(error)}`)
  }
}

/** Defaults for [redis] from Haraka's redis.ini, or what is wrong with it. */
export function readRedisDefaults(folder: string): RedisDefaults {
  try {
    return parseRedisIni(readConfigFile(folder, 'redis.ini'))
  } catch (error) {
    // Matters only if the shared cache is used.
    return { fault: errorText(error) }
  }
}

/**
 * The private key of `[tlsrpt] dkim_key` in PEM. Throws a SettingsError unless it is an RSA
 * key that receivers accept.
 *
 * @param name relative names are in the folder
 */
export function readDkimKey(folder: string, name: string): string {
  const file = path.resolve(folder, name)
  let pem: string
  try {
    pem = readFileSync(file, 'utf8')
  } catch (error) {
    throw new SettingsError(`[tlsrpt] dkim_key ${name} cannot be read: ${errorText(error)}`)
  }
  const bits = rsaBits(pem)
  if (bits === undefined) {
    const todo = `openssl genrsa -out ${name} 2048 makes one`
    throw new SettingsError(`[tlsrpt] dkim_key ${name} is not an RSA private key in PEM: ${todo}`)
  }
  // RFC 8301 §3.2: verifiers do not accept shorter ones.
  if (bits < MIN_RSA_BITS) {
    throw new SettingsError(`[tlsrpt] dkim_key ${name} has ${bits} bits: expected at least 1024`)
  }
  return pem
}

function rsaBits(pem: string): number | undefined {
  try {
    const { asymmetricKeyType, asymmetricKeyDetails } = createPrivateKey(pem)
    return asymmetricKeyType === 'rsa' ? asymmetricKeyDetails?.modulusLength : undefined
  } catch {
    return undefined
  }
}

const MIN_RSA_BITS = 1024
