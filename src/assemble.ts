/**
 * Builds a running resolver from the settings.
 *
 * The composition root of the DNS side: only this file and open-member.ts connect a cache
 * with a pool of stubs, stubs with sockets and the validator, the memory with Redis, and
 * all of them with the system clock.
 */
import { randomBytes } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { createCachingResolver } from './cache/caching-resolver.js'
import { createInspection } from './cache/inspection.js'
import type { Inspection } from './cache/inspection.js'
import { createMemoryStore } from './cache/memory-store.js'
import { missingGuards } from './cache/ioredis-guards.js'
import { openRedis } from './cache/redis-client.js'
import type { RedisClient } from './cache/redis-client.js'
import { createRedisStore } from './cache/redis-store.js'
import type { RedisStore } from './cache/redis-store.js'
import type { Vault } from './cache/seal.js'
import { NO_SHARED_STORE } from './cache/shared-store.js'
import { createPool } from './dns/pool.js'
import type { CachedResolver, LookupObserver } from './lookup.js'
import { SettingsError } from './settings/option-reader.js'
import { openMember, readCa, rulesOf } from './open-member.js'
import type { RedisSettings } from './settings/redis-settings.js'
import type { Settings } from './settings/settings.js'
import { now, schedule, wall } from './system.js'
import { BUILT_IN_ANCHORS } from './trust-anchor.js'
import { provenUnder } from './validate/proven-under.js'
import { createSharedZones } from './validate/shared-zones.js'
import { createZoneInspection } from './validate/zone-inspection.js'
import type { ZoneInspection } from './validate/zone-inspection.js'
import { createMemoryZones } from './validate/zone-store.js'

export { openMember, readAnchors } from './open-member.js'
export { typeText } from './validate/scene.js'
export { algorithmText, digestOf, keyTagOf } from './validate/key.js'
export type { StoredZone } from './validate/zone-inspection.js'
export type { ChainReport, SignatureReport, ZoneReport } from './validate/chain-report.js'

export type RunningResolver = CachedResolver & {
  /** Ends probes and idle connections; pending lookups finish. */
  readonly close: () => void
}

/** The resolver that the settings describe. Throws a SettingsError if a CA file is invalid. */
export function assembleResolver(settings: Settings, observe: LookupObserver): RunningResolver {
  const { servers, timeoutMs, probe } = settings.resolver
  // Zones are proven from the same anchors, whatever the resolver.
  const known = createMemoryZones()
  const memory = createMemoryStore(settings.cache.entries)
  const shared =
    settings.redis &&
    openSharedStore(settings.redis, settings, observe, (isNews) => {
      memory.clear()
      known.clear()
      // Another relay may have been the first to detect that a resolver does not validate.
      if (isNews) inner.probe()
    })
  const zones =
    shared === undefined
      ? known
      : createSharedZones({
          memory: known,
          texts: shared.store.zones,
          policy: { sha1: settings.resolver.isSha1Allowed },
          now: wall,
        })
  const members = servers.map((server) => openMember(server, settings.resolver, observe, zones))
  const inner = createPool({
    members,
    timeoutMs,
    probeIntervalMs: probe.intervalMs,
    now,
    schedule,
    random: Math.random,
    observe,
    flush: () => {
      memory.clear()
      known.clear()
      shared?.store.lapse()
    },
  })
  return {
    ...createCachingResolver({
      inner,
      memory,
      shared: shared?.store ?? NO_SHARED_STORE,
      ...settings.cache,
      now,
      random: Math.random,
      observe,
      pause,
    }),
    close() {
      inner.close()
      shared?.close()
      for (const { close } of members) close()
    },
  }
}

/**
 * The store that is shared with other processes, and its client.
 *
 * @param flush discards cached answers; with true, resolvers have to be probed as well
 */
export function openSharedStore(
  redis: RedisSettings,
  { resolver, cache }: Pick<Settings, 'resolver' | 'cache'>,
  observe: LookupObserver,
  flush: (isNews: boolean) => void,
): { readonly store: RedisStore; readonly client: RedisClient; readonly close: () => void } {
  const client = openClient(redis, (fault) => {
    store.noteConnection(fault)
  })
  const store = createRedisStore({
    commands: client,
    started: client.started,
    vault: vaultOf(redis, resolver),
    timeoutMs: redis.timeoutMs,
    patienceMs: Math.min(resolver.timeoutMs, PATIENCE_MS),
    maxTtlMs: cache.maxTtlMs,
    now,
    wall,
    nonce,
    schedule: scheduleBehindWrites,
    observe,
    flush,
  })
  let isClosing = false
  const look = (): void => {
    store
      .look()
      .catch(() => {
        // It does not reject; if it did, the next one would follow anyway.
      })
      .finally(endIfDone)
  }
  const timer = setInterval(look, EPOCH_MS).unref()
  // A reload must not leave entries in Redis that have been invalidated.
  const endIfDone = (): void => {
    if (!isClosing || store.isPending()) return
    clearInterval(timer)
    client.close()
  }
  // The epoch is first read when the connection is up, or with the first lookup.
  return {
    store,
    client,
    close() {
      isClosing = true
      endIfDone()
    },
  }
}

/** Redis for the command line. Settles when the first attempt to connect has ended. */
export async function openInspection(
  redis: RedisSettings,
  { resolver, cache }: Pick<Settings, 'resolver' | 'cache'>,
): Promise<Inspection & ZoneInspection & { readonly close: () => void }> {
  const rules = rulesOf(resolver)
  const client = openClient(redis, () => undefined)
  let cancel = (): void => undefined
  const late = new Promise<void>((resolve) => {
    cancel = schedule(CONNECT_MS, resolve)
  })
  await Promise.race([client.started, late])
  cancel()
  const vault = vaultOf(redis, resolver)
  const inspection = createInspection({ client, vault, maxTtlMs: cache.maxTtlMs, wall, nonce })
  const zones = createZoneInspection({
    texts: inspection,
    under: provenUnder(rules),
    policy: { sha1: rules.isSha1Allowed },
    now: wall,
  })
  return { ...inspection, ...zones, close: client.close }
}

/**
 * Where the answers of this relay are in Redis: together with those of the relays that would
 * have come to the same. With `own` no resolver is believed, so what other relays have
 * believed is not either. What is secure by other trust anchors, or insecure by this
 * relay's own settings, is not for others, nor for itself once these change. No `prefix` of
 * dane.ini has a slash, so none is that of others with such a mark.
 */
export function vaultOf(redis: RedisSettings, resolver: Settings['resolver']): Vault {
  const { validation } = resolver
  const own = validation === 'own' ? 'own/' : ''
  const rules = validation === 'resolver' ? USUAL_RULES : provenUnder(rulesOf(resolver))
  const apart = rules === USUAL_RULES ? '' : `${rules.slice(0, 8)}/`
  return { prefix: redis.prefix + own + apart, secret: redis.key }
}

const USUAL_RULES = provenUnder({
  anchors: BUILT_IN_ANCHORS,
  insecureZones: [],
  isSha1Allowed: false,
})

/** Throws a SettingsError if the installed ioredis could end the process over a reply. */
export function openClient(
  redis: RedisSettings,
  noteConnection: (fault: string | undefined) => void,
): RedisClient {
  const missing = missingGuards()
  if (missing.length > 0) {
    throw new SettingsError(
      `[redis] cannot be used with the installed ioredis: it lacks ${missing.join(' and ')}, ` +
        'so a reply from Redis could crash Haraka; install a release in the range of package.json',
    )
  }
  return openRedis(redis, readCa('redis', redis.caFile), noteConnection)
}

function nonce(): string {
  return randomBytes(8).toString('hex')
}

/** As `schedule`, starting at the end of this turn of the event loop, when commands are sent to Redis. */
function scheduleBehindWrites(milliseconds: number, action: () => void): () => void {
  let isCanceled = false
  let cancel = (): void => {
    isCanceled = true
  }
  process.nextTick(() => {
    if (!isCanceled) cancel = schedule(milliseconds, action)
  })
  return () => {
    cancel()
  }
}

/** The longest wait for an answer that another process is looking up. */
const PATIENCE_MS = 2_000

/**
 * Interval at which the epoch is read: detects a purge, and a recovered Redis even without
 * mail.
 */
const EPOCH_MS = 5_000

/** How long the command line waits for Redis: longer than one attempt to connect. */
const CONNECT_MS = 3_000
