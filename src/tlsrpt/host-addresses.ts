/**
 * The IP addresses of a host that reports are posted to, through the resolver that mail
 * uses. Rejects if DNS does not answer for either family. The resolver is passed in.
 */
import { failureText } from '../lookup.js'
import type { Resolver } from '../lookup.js'
import type { DomainName } from '../name.js'

export async function hostAddresses(
  resolver: Pick<Resolver, 'lookup'>,
  host: DomainName,
): Promise<readonly string[]> {
  const both = await Promise.all([resolver.lookup(host, 'A'), resolver.lookup(host, 'AAAA')])
  const found = both.flatMap((each) =>
    each.kind === 'found' ? each.records.map(({ address }) => address) : [],
  )
  const failed = both.find((each) => each.kind === 'failed')
  if (found.length === 0 && failed?.kind === 'failed') throw new Error(failureText(failed))
  return found
}
