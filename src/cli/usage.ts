/** Usage errors, and the checks of arguments that several commands have. */
import { SettingsError } from '../settings/option-reader.js'
import { parseDomainName } from '../name.js'
import type { DomainName } from '../name.js'
import { printable } from '../text.js'

export class UsageError extends Error {}

/** Whether the error is the user's: wrong usage or settings, not a bug. */
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
  if (names.length === 0) throw new UsageError('no domain given')
  return names.map((text) => {
    const domain = parseDomainName(text)
    if (domain === undefined) throw new UsageError(`not a domain name: ${printable(text)}`)
    return domain
  })
}

/** A whole number given to an option. */
export function toWhole(option: string, text: string, least: number, most: number): number {
  const number = /^\d{1,9}$/.test(text) ? Number(text) : NaN
  if (number >= least && number <= most) return number
  throw new UsageError(
    `${option} ${printable(text)}: expected a whole number from ${least} to ${most}`,
  )
}
