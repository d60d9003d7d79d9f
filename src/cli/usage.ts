/** What may be asked for at the terminal, and what to say to what may not. */
import { SettingsError } from '../option-reader.js'
import { parseDomainName } from '../name.js'
import type { DomainName } from '../name.js'
import { printable } from '../text.js'

export const USAGE = `Usage: haraka-dane verify [options] DOMAIN...
       haraka-dane cache show [options] DOMAIN...
       haraka-dane cache purge [options] DOMAIN...
       haraka-dane cache purge [options] --all

verify does what a delivery would do, up to the certificates, and says what it finds.

  --resolver SERVER          a validating resolver, as in dane.ini; may be given
                             again, the preferred first (127.0.0.1:53)
  --policy POLICY            opportunistic or mandatory (opportunistic)
  --port PORT                port of mail hosts (25)
  --timeout TIME             for one lookup and for one connection (5s)

cache shows what the Redis of dane.ini holds of a domain, with the seconds left, or
takes it out; relays forget what they hold in memory within five seconds.

  --config FOLDER            Haraka's config folder (config)
  --all                      all domains

  --help

Exit code: 0 all verified, shown or purged, 1 some not, 2 bad usage, 3 could not be
determined.`

export class UsageError extends Error {}

/** Whether the person asked for something that there is not, or cannot be meant. */
export function isUsage(error: unknown): error is Error {
  return (
    error instanceof UsageError ||
    error instanceof SettingsError ||
    (error instanceof TypeError &&
      'code' in error &&
      String(error.code).startsWith('ERR_PARSE_ARGS'))
  )
}

export function toDomains(names: readonly string[]): readonly DomainName[] {
  if (names.length === 0) throw new UsageError('a domain is needed')
  return names.map((text) => {
    const domain = parseDomainName(text)
    if (domain === undefined) throw new UsageError(`not a domain name: ${printable(text)}`)
    return domain
  })
}
