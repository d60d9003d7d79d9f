/** DNS names for tests, through the project's parser; an invalid name throws. */
import { parseDomainName } from '../../src/name.js'
import type { DomainName } from '../../src/name.js'

export function name(text: string): DomainName {
  const parsed = parseDomainName(text)
  if (parsed === undefined) throw new Error(`not a domain name: ${text}`)
  return parsed
}
