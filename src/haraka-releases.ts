/**
 * What is known of Haraka's releases?
 *
 * The oldest one that has what the plugin takes hold of, and those that do harm by
 * themselves. Pure.
 */

export const OLDEST_HARAKA = '3.0.4'

/** Haraka's issue 3553. */
export function crashText(version: string): string | undefined {
  return version === '3.1.5'
    ? 'Haraka 3.1.5 ends when a mail host breaks off a TLS handshake, with or without this plugin: ' +
        'install 3.1.6 or later'
    : undefined
}

/** Whether a release is too old; undefined for what is no version. */
export function isTooOld(version: string): boolean | undefined {
  const parts = numbers(version)
  const oldest = numbers(OLDEST_HARAKA)
  if (parts === undefined || oldest === undefined) return undefined
  const index = parts.findIndex((part, at) => part !== oldest[at])
  return index !== -1 && (parts[index] ?? 0) < (oldest[index] ?? 0)
}

function numbers(version: string): readonly number[] | undefined {
  const match = /^(\d{1,4})\.(\d{1,4})\.(\d{1,4})/.exec(version)
  return match?.slice(1).map(Number)
}
