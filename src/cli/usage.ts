/** What may be asked for at the terminal, and what to say to what may not. */
import { SettingsError } from '../option-reader.js'
import { parseDomainName } from '../name.js'
import type { DomainName } from '../name.js'
import { printable } from '../text.js'

export const USAGE = `Usage: haraka-dane verify [options] DOMAIN...
       haraka-dane verify [options] --file LIST
       haraka-dane check [--config FOLDER]
       haraka-dane policy [--config FOLDER] DOMAIN...
       haraka-dane cache show [--config FOLDER] DOMAIN...
       haraka-dane cache purge [--config FOLDER] DOMAIN... | --all

verify does what a delivery would do, up to the certificates, at every address of every
mail host, and says what it finds. Needs no Haraka.

  --config FOLDER            the settings of this relay (its config folder): resolver,
                             port, policies, insecure_mx; options go before them
  --resolver SERVER          a validating resolver, as in dane.ini; may be given
                             again, the preferred first (127.0.0.1:53)
  --policy POLICY            opportunistic or mandatory (opportunistic)
  --port PORT                port of mail hosts (25)
  --timeout TIME             for one connection (30s); also for one lookup, which
                             takes at most 10s (5s)
  --no-connect               DNS only: whether certificates match is not looked at
  --file LIST                domains, one a line, # before comments; - is the standard
                             input. Prints a table, sorted, with totals
  --concurrency NUMBER       domains of a list at the same time, 1 to 500 (50)
  --json                     an object a line for each domain, see docs/verify-json.md
  --debug                    queries, responses and TTLs, to the standard error

check looks at the relay's set-up: settings, resolvers, Redis, clock, outbound.ini,
other plugins, Haraka's version. policy says which policy holds for a domain, and which
line says so. cache shows what the Redis of dane.ini holds of a domain, with the seconds
left, or takes it out; relays forget what they hold in memory within five seconds.

  --config FOLDER            Haraka's config folder (config)
  --all                      all domains

  --help

Exit code: 0 all verified, fine, shown or purged; 1 some not; 2 bad usage; 3 could not
be determined. Where some are not and others could not be determined, it is 1.`

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
