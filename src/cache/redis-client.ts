/**
 * How is Redis reached: one server, Sentinels, a Cluster?
 *
 * Turns settings into an ioredis client that never waits, never queues and never
 * throws: without a connection a command fails at once, a lost connection is tried
 * again for as long as the process lives, every error has a listener. Effects:
 * connections and their timers, released by `close`.
 */
import { isIP } from 'node:net'
import type { Writable } from 'node:stream'
import { Cluster, Redis } from 'ioredis'
import type { ClusterOptions, RedisOptions } from 'ioredis'
import DataHandler from 'ioredis/built/DataHandler.js'
import { withoutSecrets } from '../redis-settings.js'
import type { RedisSettings } from '../redis-settings.js'
import { errorText } from '../text.js'
import { MAX_ENTRY } from './entry.js'
import type { RedisCommands } from './redis-store.js'

export type RedisClient = RedisCommands & {
  /** Settles with the first connection, or the first failure to get one. */
  readonly started: Promise<void>
  readonly increment: (key: string) => Promise<unknown>
  /** All keys that begin with this, on every node. */
  readonly keys: (prefix: string) => Promise<readonly string[]>
  readonly close: () => void
}

/**
 * @param ca certificates in PEM to trust in place of Node's own list
 * @param noteConnection told of a connection that is ready (undefined) or lost (why)
 */
export function openRedis(
  settings: RedisSettings,
  ca: string | undefined,
  noteConnection: (fault: string | undefined) => void,
): RedisClient {
  const client =
    settings.place.kind === 'cluster' ? openCluster(settings, ca) : openSingle(settings, ca)
  let isClosed = false
  const started = new Promise<void>((resolve) => {
    client.on('error', (error: unknown) => {
      resolve()
      if (!isClosed) noteConnection(withoutSecrets(settings, errorText(error)))
    })
    client.on('ready', () => {
      resolve()
      noteConnection(undefined)
    })
  })
  /** The client that is about to be told something. */
  const commands = (): Redis | Cluster => {
    if (client instanceof Redis) gather(client.stream)
    return client
  }
  return {
    started,
    isInOrder: client instanceof Redis,
    // What is longer than any entry is not fetched.
    get: async (key) => (await plainly(commands().getrange(key, 0, MAX_ENTRY))) || null,
    set: (key, value, milliseconds) => plainly(commands().set(key, value, 'PX', milliseconds)),
    setNew: async (key, value, milliseconds) =>
      (await plainly(commands().set(key, value, 'PX', milliseconds, 'NX'))) === 'OK',
    remove: (key) => plainly(commands().del(key)),
    increment: (key) => plainly(client.incr(key)),
    async keys(prefix) {
      const nodes = client instanceof Cluster ? client.nodes('master') : [client]
      const found = await Promise.all(nodes.map((node) => scan(node, prefix)))
      return found.flat()
    },
    close: () => {
      isClosed = true
      client.disconnect()
    },
  }
}

/**
 * ioredis throws again, where nobody can catch it, what it stumbles over in a reply, and
 * Haraka would end: replies that nobody asked for, from a broken or hostile server. The
 * connection is given up instead.
 */
Reflect.set(DataHandler.prototype, 'dispatch', function (this: unknown, take: () => void): void {
  try {
    take()
  } catch (error) {
    const { redis } = handlerOf(this)
    redis?.emit('error', new Error(`a reply that is none: ${errorText(error)}`))
    redis?.disconnect(true)
  }
})

function handlerOf(value: unknown): { readonly redis: Redis | undefined } {
  const redis: unknown =
    typeof value === 'object' && value !== null ? Reflect.get(value, 'redis') : undefined
  return { redis: redis instanceof Redis ? redis : undefined }
}

/**
 * To be called before each command: has what is said to the server in this turn of the event
 * loop go out together, a write to the socket costing more than the command in it; but not
 * more than `MAX_HELD` of it, so that a long turn does not keep the server waiting.
 *
 * @param stream none before the client first connects, whatever its types say
 */
export function gather(
  stream: Pick<Writable, 'cork' | 'uncork' | 'writableCorked' | 'writableLength'> | undefined,
): void {
  if (stream === undefined) return
  if (stream.writableCorked > 0) {
    if (stream.writableLength < MAX_HELD) return
    stream.uncork()
    stream.cork()
    return
  }
  stream.cork()
  process.nextTick(() => {
    stream.uncork()
  })
}

/** Octets: a hundred commands or so. */
const MAX_HELD = 16 * 1024

/** With ioredis's words for having no connection put into an operator's. */
async function plainly<T>(command: Promise<T>): Promise<T> {
  try {
    return await command
  } catch (error) {
    if (!/isn't (writeable|ready)/.test(errorText(error))) throw error
    throw new Error('no connection', { cause: error })
  }
}

function openSingle(settings: RedisSettings, ca: string | undefined): Redis {
  const { place, db } = settings
  const common = { ...commonOptions(settings, ca, hostOf(settings)), db }
  switch (place.kind) {
    case 'single':
      return new Redis({ ...common, host: place.node.host, port: place.node.port })
    case 'sentinel':
      return new Redis({
        ...common,
        sentinels: place.sentinels.map((node) => ({ ...node })),
        name: place.master,
        ...(place.sentinelPassword !== undefined && { sentinelPassword: place.sentinelPassword }),
        enableTLSForSentinelMode: settings.isTls,
        ...(settings.isTls && { sentinelTLS: tlsOptions(ca, undefined) }),
        sentinelRetryStrategy: pause,
        sentinelMaxConnections: 1,
      })
    case 'cluster':
      throw new Error('a Cluster is no single server')
  }
}

function openCluster(settings: RedisSettings, ca: string | undefined): Cluster {
  const nodes = settings.place.kind === 'cluster' ? settings.place.nodes : []
  const options = {
    clusterRetryStrategy: pause,
    enableOfflineQueue: false,
    // One attempt, and the next where a slot has moved to (MOVED, ASK).
    maxRedirections: 4,
    retryDelayOnFailover: 50,
    retryDelayOnClusterDown: 50,
    slotsRefreshTimeout: 2_000,
    // Names of nodes are left as they are, so that they can be compared with certificates.
    ...(settings.isTls && { dnsLookup: asItIs }),
    redisOptions: commonOptions(settings, ca, undefined),
  } satisfies ClusterOptions
  return new Cluster(
    nodes.map((node) => ({ ...node })),
    options,
  )
}

function commonOptions(
  { username, password, isTls }: RedisSettings,
  ca: string | undefined,
  serverName: string | undefined,
) {
  return {
    // Understood by every Redis there is.
    protocol: 2,
    disableClientInfo: true,
    connectionName: 'haraka-dane',
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    ...(isTls && { tls: tlsOptions(ca, serverName) }),
    connectTimeout: 2_000,
    // A connection on which a command has waited that long is dead.
    socketTimeout: 5_000,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    retryStrategy: pause,
    // The master became a replica: another one may be behind the name now, or is soon.
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
    // RFC 6066 §3: an address is no server name.
    ...(serverName !== undefined && isIP(serverName) === 0 && { servername: serverName }),
  }
}

function hostOf({ place }: RedisSettings): string | undefined {
  return place.kind === 'single' ? place.node.host : undefined
}

/** Milliseconds before the next attempt to connect. */
function pause(times: number): number {
  return Math.min(50 * 2 ** Math.min(times, 10), 2_000)
}

/** The same predicate, but not again within `milliseconds` of having been true. */
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

function asItIs(address: string, callback: (error: null, address: string) => void): void {
  callback(null, address)
}

async function scan(node: Redis, prefix: string): Promise<readonly string[]> {
  const found: string[] = []
  let cursor = '0'
  do {
    // The prefix is letters, digits and marks that mean nothing in a pattern, but for a dot.
    const [next, keys] = await node.scan(cursor, 'MATCH', `${prefix}*`, 'COUNT', 1000)
    found.push(...keys)
    cursor = next
  } while (cursor !== '0')
  return found
}
