/**
 * How do the parts fit together?
 *
 * Settings in, a running resolver out. The only file that knows that a cache wraps a
 * pool of stubs, that a stub has sockets, that others may share the cache, and what
 * the time is.
 */
import { randomFillSync } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { performance } from 'node:perf_hooks'
import { createCachingResolver } from './cache/caching-resolver.js'
import { createInspection } from './cache/inspection.js'
import type { Inspection } from './cache/inspection.js'
import { createMemoryStore } from './cache/memory-store.js'
import { openRedis } from './cache/redis-client.js'
import type { RedisClient } from './cache/redis-client.js'
import { createRedisStore } from './cache/redis-store.js'
import type { RedisStore } from './cache/redis-store.js'
import { NO_SHARED_STORE } from './cache/shared-store.js'
import { createClock } from './clock.js'
import { createAsk } from './dns/ask.js'
import { sharedUdpTo, udpTo } from './dns/datagram.js'
import { createPool } from './dns/pool.js'
import type { Member } from './dns/pool.js'
import { createProver } from './dns/probe.js'
import { createSignatureReader } from './dns/signature.js'
import type { ReadSignature } from './dns/signature.js'
import { tcpTo, tlsTo } from './dns/stream.js'
import { createStub } from './dns/stub.js'
import { createEntropy } from './entropy.js'
import type { CachedResolver, LookupObserver } from './lookup.js'
import { SettingsError } from './option-reader.js'
import { areCertificates } from './pem.js'
import type { RedisSettings } from './redis-settings.js'
import { isLoopback, isTrustedChannel, serverText } from './server-address.js'
import type { ResolverAddress } from './server-address.js'
import type { ResolverSettings, Settings } from './settings.js'
import { errorText } from './text.js'

export type RunningResolver = CachedResolver & {
  /** Ends probes and idle connections; lookups that are underway come to their end. */
  readonly close: () => void
}

/** The resolver that these settings describe. Throws a SettingsError for a file that is not what it should be. */
export function assembleResolver(settings: Settings, observe: LookupObserver): RunningResolver {
  const { servers, timeoutMs, probe } = settings.resolver
  const members = servers.map((server) => openMember(server, settings.resolver, observe))
  const shared = settings.redis && openSharedStore(settings.redis, settings, observe)
  const memory = createMemoryStore(settings.cache.entries)
  const forget = (): void => {
    memory.clear()
  }
  const inner = createPool({
    members,
    timeoutMs,
    probeIntervalMs: probe.intervalMs,
    now,
    schedule,
    random: Math.random,
    observe,
    // What went into Redis meanwhile stays there until it expires or somebody removes it.
    forget,
  })
  const stopWatching = shared && watchEpoch(shared.store, forget)
  return {
    ...createCachingResolver({
      inner,
      memory,
      shared: shared?.store ?? NO_SHARED_STORE,
      ...settings.cache,
      now,
      random: Math.random,
      observe,
    }),
    close() {
      inner.close()
      stopWatching?.()
      shared?.client.close()
      for (const { close } of members) close()
    },
  }
}

/** One resolver with its sockets, neither cached nor probed until it is asked to prove itself. */
export function openMember(
  server: ResolverAddress,
  { isNetworkTrusted, caFile, probe }: Omit<ResolverSettings, 'servers' | 'timeoutMs'>,
  observe: LookupObserver,
): Member & { readonly readSignature: ReadSignature; readonly close: () => void } {
  const stream =
    server.tlsName === undefined ? tcpTo(server) : tlsTo(server, readCa('resolver', caFile))
  const shared =
    server.tlsName === undefined && isLoopback(server) ? sharedUdpTo(server) : undefined
  const ask = createAsk({
    server: serverText(server),
    udp: shared?.exchange ?? (server.tlsName === undefined ? udpTo(server) : undefined),
    stream: stream.exchange,
    // Nobody forges what comes over TLS or from this machine, and forwarders there may be confused.
    isCaseMixed: server.tlsName === undefined && !isLoopback(server),
    now,
    entropy,
  })
  return {
    ...createStub({
      server: serverText(server),
      ask,
      isTrusted: isTrustedChannel(server, isNetworkTrusted),
      now,
      observe,
    }),
    prove: createProver(ask, probe, now),
    readSignature: createSignatureReader(ask, probe.name),
    close() {
      shared?.close()
      stream.close()
    },
  }
}

/** The store that others share, and the client under it. */
export function openSharedStore(
  redis: RedisSettings,
  { resolver, cache }: Pick<Settings, 'resolver' | 'cache'>,
  observe: LookupObserver,
): { readonly store: RedisStore; readonly client: RedisClient } {
  const client = openRedis(redis, readCa('redis', redis.caFile), (fault) => {
    store.noteConnection(fault)
  })
  const store = createRedisStore({
    commands: client,
    started: client.started,
    prefix: redis.prefix,
    secret: redis.key,
    timeoutMs: redis.timeoutMs,
    patienceMs: Math.min(resolver.timeoutMs, PATIENCE_MS),
    maxTtlMs: cache.maxTtlMs,
    now,
    lead,
    schedule: scheduleBehindWrites,
    observe,
  })
  return { store, client }
}

/** Redis for people. Settles when the first attempt to connect has come to an end. */
export async function openInspection(
  redis: RedisSettings,
  cache: Settings['cache'],
): Promise<Inspection & { readonly close: () => void }> {
  const client = openRedis(redis, readCa('redis', redis.caFile), () => undefined)
  let cancel = (): void => undefined
  const late = new Promise<void>((resolve) => {
    cancel = schedule(CONNECT_MS, resolve)
  })
  await Promise.race([client.started, late])
  cancel()
  const { prefix, key } = redis
  return {
    ...createInspection({ client, prefix, secret: key, maxTtlMs: cache.maxTtlMs, now }),
    close: client.close,
  }
}

/** What somebody has purged from Redis is not to live on in here. */
function watchEpoch(store: RedisStore, forget: () => void): () => void {
  let known: string | undefined
  const look = (): void => {
    store
      .epoch()
      .then((epoch) => {
        if (epoch === undefined) return
        // At the first look too: what was found before it may have been purged since.
        if (epoch !== known) forget()
        known = epoch
      })
      .catch(() => {
        // It does not reject; and if it did, the next look would do.
      })
  }
  look()
  const timer = setInterval(look, EPOCH_MS).unref()
  return () => {
    clearInterval(timer)
  }
}

/** One for the process: what is held in one place goes by the same time in all. */
const { now, lead } = createClock(
  () => Date.now(),
  () => performance.now(),
)

const entropy = createEntropy(randomFillSync)

/**
 * A timer that does not keep the process alive. Where the process was too busy to be in
 * time, what has arrived meanwhile is heard first: the other side was not late.
 */
function schedule(milliseconds: number, action: () => void): () => void {
  let immediate: NodeJS.Immediate | undefined
  const timer = setTimeout(() => {
    immediate = setImmediate(action)
  }, milliseconds).unref()
  return () => {
    clearTimeout(timer)
    clearImmediate(immediate)
  }
}

/** As `schedule`, from the end of this turn of the event loop on, which is when commands go out to Redis. */
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

function readCa(section: string, file: string | undefined): string | undefined {
  if (file === undefined) return undefined
  const text = readText(section, file)
  if (areCertificates(text)) return text
  throw new SettingsError(
    `[${section}] ca_file = ${file}: expected certificates in PEM, each whole`,
  )
}

function readText(section: string, file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    throw new SettingsError(`[${section}] ca_file = ${file}: ${errorText(error)}`)
  }
}

/** Longer than that nobody waits for what another process is about to find out. */
const PATIENCE_MS = 2_000

/** How soon a purge is noticed; also how soon a Redis that is back is, without any mail. */
const EPOCH_MS = 5_000

/** How long a person waits for Redis. */
const CONNECT_MS = 2_000
