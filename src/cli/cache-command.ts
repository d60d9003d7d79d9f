/**
 * `haraka-dane cache`: shows or removes what a shared Redis holds of a domain.
 *
 * Follows the names that a delivery would look up: the domain's MX records, then
 * addresses, aliases and TLSA records of each host. It follows both the cached entries
 * and what DNS says now, since an entry may have expired while those that it led to are
 * still there. After a purge a relay queries DNS for the MX records, so only entries that
 * DNS leads to can be used again. Where the plugin validates, the zones that hold these
 * names are among the entries.
 *
 * Limits: TLSA records for the port of dane.ini only. If DNS does not answer, a purge
 * says so: only `--all` is certain then, and it alone removes the root and top-level domains.
 */
import { algorithmText, assembleResolver, openInspection } from '../assemble.js'
import type { StoredZone } from '../assemble.js'
import { RECORD_TYPES } from '../lookup.js'
import type { Fact, RecordType, Resolver } from '../lookup.js'
import { lookupText } from '../lookup-text.js'
import { tlsaOwner } from '../name.js'
import type { DomainName } from '../name.js'
import { redisText } from '../settings/redis-settings.js'
import type { Settings } from '../settings/settings.js'
import { errorText } from '../text.js'
import { redisAdvice } from './redis-advice.js'
import { toDomains, UsageError } from './usage.js'

type Inspection = Awaited<ReturnType<typeof openInspection>>

/** @returns the exit code: 0 entries were found, 1 none, 3 Redis, or DNS for a purge, does not answer */
export async function runCache(
  settings: Settings,
  [action, ...names]: readonly string[],
  isAll: boolean,
): Promise<number> {
  if (action !== 'show' && action !== 'purge')
    throw new UsageError('expected cache show or cache purge')
  if (isAll && (action === 'show' || names.length > 0)) {
    throw new UsageError('--all applies to purge only, without a domain')
  }
  const domains = isAll ? [] : toDomains(names)
  const { redis, port } = settings
  if (redis === undefined) {
    throw new UsageError(
      `dane.ini has no [redis], so there is nothing to ${action}: each worker keeps its own answers, ` +
        'in memory, until their TTL ends or Haraka is restarted',
    )
  }
  const place = redisText(redis)
  const inspection = await openInspection(redis, settings)
  const resolver = assembleResolver({ ...settings, redis: undefined }, () => undefined)
  const sources = { inspection, resolver, port }
  try {
    if (action === 'show') return await show(sources, domains, place)
    const { answers, zones, unknown } = isAll
      ? { ...(await inspection.removeAll()), unknown: [] }
      : await removeOf(sources, domains)
    const what = zones === 0 ? `${answers} answers` : `${answers} answers and ${zones} zones`
    console.log(`${what} purged from ${place}; relays drop their own copies within 10 seconds`)
    for (const question of unknown) {
      console.error(`DNS does not answer (${question}): entries may remain, --all removes them`)
    }
    return unknown.length > 0 ? 3 : 0
  } catch (error) {
    const fault = errorText(error)
    console.error(`cache ${action} at ${place} failed: ${fault}`)
    console.error(`what to do: ${redisAdvice(fault, redis.isTls)}`)
    return 3
  } finally {
    inspection.close()
    resolver.close()
  }
}

async function show(
  sources: Sources,
  domains: readonly DomainName[],
  place: string,
): Promise<number> {
  let code = 0
  for (const domain of domains) {
    let isFound = false
    const names = new Set<DomainName>()
    for await (const { name, type, held } of walk(sources, domain, names, [])) {
      isFound = true
      const what = held.kind === 'fact' ? lookupText(held.fact, Date.now()) : IGNORED
      console.log(`${type} ${name} ${what}`)
    }
    const zones = await sources.inspection.zonesOf(names)
    for (const zone of zones) console.log(`zone ${zone.zone} ${zoneText(zone, Date.now())}`)
    if (isFound || zones.length > 0) continue
    console.log(`${place} has no entries for ${domain}`)
    code = 1
  }
  return code
}

/** `SECURE ttl=300 key 12345 13 ECDSAP256SHA256`, `INSECURE ttl=300 example.org has no DS` */
function zoneText({ kind, detail, keys, expiresAt }: StoredZone, now: number): string {
  if (kind === 'ignored') return IGNORED
  const ttl = Math.max(0, Math.ceil((expiresAt - now) / 1000))
  const shown = keys.map(({ keyTag, algorithm }) => `key ${keyTag} ${algorithmText(algorithm)}`)
  return `${kind.toUpperCase()} ttl=${ttl} ${kind === 'secure' ? shown.join(', ') : detail}`
}

const IGNORED =
  'is present but ignored: damaged, of another version, invalidated by a purge or not authentic'

async function removeOf(
  sources: Sources,
  domains: readonly DomainName[],
): Promise<{
  readonly answers: number
  readonly zones: number
  readonly unknown: readonly string[]
}> {
  const { inspection } = sources
  const unknown: string[] = []
  const names = new Set<DomainName>()
  const entries: Entry[] = []
  for (const domain of domains) {
    for await (const entry of walk(sources, domain, names, unknown)) entries.push(entry)
  }
  const removed = await Promise.all(entries.map(({ name, type }) => inspection.remove(name, type)))
  const answers = removed.filter(Boolean).length
  const zones = await inspection.removeZonesOf(names)
  await inspection.tellRelays()
  // Relays withdraw what they write from now on, until they notice. What they have written
  // in the meantime is removed here, whether there was an entry before or not.
  await Promise.all(
    [...names].flatMap((name) => RECORD_TYPES.map((type) => inspection.remove(name, type))),
  )
  await inspection.removeZonesOf(names)
  return { answers, zones, unknown }
}

type Sources = {
  readonly inspection: Inspection
  readonly resolver: Resolver
  readonly port: number
}

type Entry = {
  readonly name: DomainName
  readonly type: RecordType
  readonly held: NonNullable<Awaited<ReturnType<Inspection['look']>>>
}

/**
 * Every answer that a delivery to the domain would use.
 *
 * @param names receives the names that it would look up
 * @param unknown receives the questions that DNS did not answer
 */
async function* walk(
  { inspection, resolver, port }: Sources,
  domain: DomainName,
  names: Set<DomainName>,
  unknown: string[],
): AsyncGenerator<Entry> {
  /** The entry in Redis, and the facts to follow: its own and that of DNS. */
  const look = async <T extends RecordType>(
    name: DomainName,
    type: T,
  ): Promise<{ readonly entries: readonly Entry[]; readonly facts: readonly Fact<T>[] }> => {
    const [held, answer] = await Promise.all([
      inspection.look(name, type),
      resolver.lookup(name, type),
    ])
    if (answer.kind === 'failed') unknown.push(`${type} ${name}: ${answer.cause}`)
    const facts = [
      ...(held?.kind === 'fact' ? [held.fact] : []),
      ...(answer.kind === 'failed' ? [] : [answer]),
    ]
    names.add(name)
    for (const { aliases, canonicalName } of facts) {
      for (const each of [...aliases, canonicalName]) names.add(each)
    }
    return { entries: held ? [{ name, type, held }] : [], facts }
  }

  const mx = await look(domain, 'MX')
  yield* mx.entries
  const exchanges = mx.facts
    .flatMap((fact) => (fact.kind === 'found' ? fact.records : []))
    .flatMap(({ exchange }) => (exchange.kind === 'host' ? [exchange.name] : []))
  // RFC 5321 §5.1: without MX records the domain is its own host, now or earlier.
  for (const host of new Set([...exchanges, domain])) {
    const bases = new Set([host])
    const dnames = new Set<DomainName>()
    for (const { entries, facts } of await Promise.all([look(host, 'A'), look(host, 'AAAA')])) {
      yield* entries
      for (const { canonicalName, dname } of facts) {
        bases.add(canonicalName)
        if (dname !== undefined) dnames.add(dname)
      }
    }
    const alias = await inspection.look(host, 'CNAME')
    if (alias) yield { name: host, type: 'CNAME', held: alias }
    for (const dname of dnames) {
      names.add(dname)
      const entry = await inspection.look(dname, 'DNAME')
      if (entry) yield { name: dname, type: 'DNAME', held: entry }
    }
    for (const base of bases) {
      const name = tlsaOwner(port, base)
      if (name === undefined) continue
      names.add(name)
      const held = await inspection.look(name, 'TLSA')
      if (held) yield { name, type: 'TLSA', held }
    }
  }
}
