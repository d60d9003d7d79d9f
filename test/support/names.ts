/** How do tests write DNS names? Through the one parser there is, or they fail. */
import { parseDomainName } from '../../src/name.js'
import type { DomainName } from '../../src/name.js'

export function name(text: string): DomainName {
  const parsed = parseDomainName(text)
  if (parsed === undefined) throw new Error(`not a domain name: ${text}`)
  return parsed
}
