/**
 * Options of ioredis for one server, Sentinels or a Cluster.
 *
 * No command is queued or sent twice, every wait is bounded, and a lost connection is
 * retried for the life of the process. Certificates are verified. Effects: the clients
 * created here connect at once.
 */
import { isIP } from 'node:net'
import { Cluster, Redis } from 'ioredis'
import type { ClusterOptions, RedisOptions } from 'ioredis'
import type { RedisSettings } from '../settings/redis-settings.js'
import { guardCluster } from './ioredis-guards.js'
import { allowWithoutInfo, guardSetup } from './redis-setup.js'

export function openSingle(settings: RedisSettings, ca: string | undefined): Redis {
  const { place, db } = settings
  const common = { ...commonOptions(settings, ca, hostOf(settings)), db }
  switch (place.kind) {
    case 'single':
    case 'socket': {
      const where =
        place.kind === 'socket'
          ? { path: place.path }
          : { host: place.node.host, port: place.node.port }
      const redis = new Redis({ ...common, ...where })
      guardSetup(redis)
      return redis
    }
    case 'sentinel': {
      const redis = new Redis({
        ...common,
        connectionName: CONNECTION_NAME,
        // The Sentinels may name a server that is no longer the master.
        enableReadyCheck: true,
        sentinels: place.sentinels.map((node) => ({ ...node })),
        name: place.master,
        ...(place.sentinelPassword !== undefined && { sentinelPassword: place.sentinelPassword }),
        enableTLSForSentinelMode: settings.isTls,
        ...(settings.isTls && { sentinelTLS: tlsOptions(ca, undefined) }),
        sentinelRetryStrategy: pause,
        sentinelMaxConnections: 1,
      })
      guardSetup(redis)
      allowWithoutInfo(redis)
      return redis
    }
    case 'cluster':
      throw new Error('openSingle was called for a Cluster')
  }
}

export function openCluster(settings: RedisSettings, ca: string | undefined): Cluster {
  const nodes = settings.place.kind === 'cluster' ? settings.place.nodes : []
  const options = {
    clusterRetryStrategy: pause,
    enableOfflineQueue: false,
    enableReadyCheck: false,
    // One attempt, and one retry at the node that the slot has moved to (MOVED, ASK).
    maxRedirections: 4,
    retryDelayOnFailover: 50,
    retryDelayOnClusterDown: 50,
    slotsRefreshTimeout: 2_000,
    // Node names are not resolved here, so that they can be compared with certificates.
    ...(settings.isTls && { dnsLookup: identity }),
    redisOptions: {
      ...commonOptions(settings, ca, undefined),
      connectionName: CONNECTION_NAME,
    },
  } satisfies ClusterOptions
  const cluster = new Cluster(
    nodes.map((node) => ({ ...node })),
    options,
  )
  guardCluster(cluster)
  return cluster
}

function commonOptions(
  { username, password, isTls }: RedisSettings,
  ca: string | undefined,
  serverName: string | undefined,
) {
  return {
    // RESP2: every release of Redis has it.
    protocol: 2,
    disableClientInfo: true,
    // It needs INFO, which proxies do not have. A server that is not ready says so.
    enableReadyCheck: false,
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    ...(isTls && { tls: tlsOptions(ca, serverName) }),
    connectTimeout: 2_000,
    // A connection that leaves a command unanswered for this long is considered dead.
    socketTimeout: 5_000,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    retryStrategy: createPauses(),
    // The master has become a replica: the name resolves to another server now, or will soon.
    reconnectOnError: atMostEvery(30_000, (error) => error.message.startsWith('READONLY')),
  } satisfies RedisOptions
}

function tlsOptions(
  ca: string | undefined,
  serverName: string | undefined,
): NonNullable<RedisOptions['tls']> {
  return {
    minVersion: 'TLSv1.2',
    rejectUnauthorized: true,
    ...(ca !== undefined && { ca }),
    // RFC 6066 §3: an address is not a server name.
    ...(serverName !== undefined && isIP(serverName) === 0 && { servername: serverName }),
  }
}

function hostOf({ place }: RedisSettings): string | undefined {
  return place.kind === 'single' ? place.node.host : undefined
}

/** Milliseconds before the next attempt to connect. */
export function pause(times: number): number {
  return Math.min(50 * 2 ** Math.min(times, 10), 2_000)
}

/**
 * Pauses that grow from one failure to the next, also where a server accepts connections
 * and closes them: ioredis starts counting again with each connection.
 */
function createPauses(): () => number {
  let failures = 0
  let last = -Infinity
  return () => {
    const now = performance.now()
    failures = now - last < STEADY_MS ? failures + 1 : 1
    last = now
    return pause(failures)
  }
}

/** The same predicate, true at most once in `milliseconds`. */
function atMostEvery(
  milliseconds: number,
  predicate: (error: Error) => boolean,
): (error: Error) => boolean {
  let last = -Infinity
  return (error) => {
    if (performance.now() - last < milliseconds || !predicate(error)) return false
    last = performance.now()
    return true
  }
}

function identity(address: string, callback: (error: null, address: string) => void): void {
  callback(null, address)
}

/** Shown by CLIENT LIST. */
export const CONNECTION_NAME = 'haraka-dane'

/** A connection that lasts longer was a success. */
const STEADY_MS = 15_000
