/**
 * What do the relays that share a Redis know of this domain, and make them forget it.
 *
 * Follows the names a delivery would follow: the domain's MX records, then addresses,
 * aliases and TLSA records of each host, as far as they are held. Asks no DNS.
 */
import { openInspection } from '../assemble.js'
import type { RecordType } from '../lookup.js'
import { lookupText } from '../lookup-text.js'
import { tlsaOwner } from '../name.js'
import type { DomainName } from '../name.js'
import { redisText } from '../redis-settings.js'
import type { Settings } from '../settings.js'
import { errorText } from '../text.js'
import { toDomains, UsageError } from './usage.js'

type Inspection = Awaited<ReturnType<typeof openInspection>>

/** @returns the exit code: 0 something was there, 1 nothing, 3 Redis does not say */
export async function runCache(
  { redis, cache, port }: Settings,
  [action, ...names]: readonly string[],
  isAll: boolean,
): Promise<number> {
  if (action !== 'show' && action !== 'purge') throw new UsageError('cache show, or cache purge?')
  if (isAll && (action === 'show' || names.length > 0)) {
    throw new UsageError('--all goes with purge, and with no domain')
  }
  const domains = isAll ? [] : toDomains(names)
  if (redis === undefined) {
    throw new UsageError('dane.ini has no [redis]: each worker remembers for itself')
  }
  const place = redisText(redis)
  const inspection = await openInspection(redis, cache)
  try {
    if (action === 'show') return await show(inspection, domains, port, place)
    const removed = isAll ? await inspection.removeAll() : await removeOf(inspection, domains, port)
    await inspection.tellRelays()
    console.log(`${removed} answers purged from ${place}; relays forget theirs within 5 seconds`)
    return 0
  } catch (error) {
    console.error(`${place}: ${errorText(error)}`)
    return 3
  } finally {
    inspection.close()
  }
}

async function show(
  inspection: Inspection,
  domains: readonly DomainName[],
  port: number,
  place: string,
): Promise<number> {
  let code = 0
  for (const domain of domains) {
    let isAnything = false
    for await (const { name, type, held } of walk(inspection, domain, port)) {
      isAnything = true
      const what =
        held.kind === 'fact'
          ? lookupText(held.fact, Date.now())
          : 'is there and not believed: damaged, of another version or not authentic'
      console.log(`${type} ${name} ${what}`)
    }
    if (isAnything) continue
    console.log(`nothing of ${domain} is held in ${place}`)
    code = 1
  }
  return code
}

async function removeOf(
  inspection: Inspection,
  domains: readonly DomainName[],
  port: number,
): Promise<number> {
  let removed = 0
  for (const domain of domains) {
    for await (const { name, type } of walk(inspection, domain, port)) {
      if (await inspection.remove(name, type)) removed++
    }
  }
  return removed
}

type Entry = {
  readonly name: DomainName
  readonly type: RecordType
  readonly held: NonNullable<Awaited<ReturnType<Inspection['look']>>>
}

/** Every entry that a delivery to the domain would use. */
async function* walk(
  inspection: Inspection,
  domain: DomainName,
  port: number,
): AsyncGenerator<Entry> {
  const mx = await inspection.look(domain, 'MX')
  if (mx) yield { name: domain, type: 'MX', held: mx }
  const records = mx?.kind === 'fact' && mx.fact.kind === 'found' ? mx.fact.records : []
  const exchanges = records.flatMap((record) =>
    record.type === 'MX' && record.exchange !== '.' && record.exchange !== ''
      ? [record.exchange]
      : [],
  )
  // RFC 5321 §5.1: without MX records the domain is its own host.
  for (const host of exchanges.length > 0 ? new Set(exchanges) : [domain]) {
    const bases = new Set([host])
    for (const type of ['A', 'AAAA', 'CNAME'] as const) {
      const held = await inspection.look(host, type)
      if (held === undefined) continue
      yield { name: host, type, held }
      if (held.kind === 'fact') bases.add(held.fact.canonicalName)
    }
    for (const base of bases) {
      const name = tlsaOwner(port, base)
      const held = name && (await inspection.look(name, 'TLSA'))
      if (held) yield { name, type: 'TLSA', held }
    }
  }
}
