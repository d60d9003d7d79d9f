/**
 * Connects to Redis: one server, Sentinels or a Cluster.
 *
 * Creates an ioredis client that never waits, never queues and never throws: without a
 * connection a command fails at once, a lost connection is retried for the life of the
 * process, every error has a listener. Effects: connections and their timers, released by
 * `close`.
 */
import type { Writable } from 'node:stream'
import { Cluster, Redis } from 'ioredis'
import type { RedisSettings } from '../settings/redis-settings.js'
import { errorText } from '../text.js'
import { openCluster, openSingle, pause } from './redis-connection.js'
import type { RedisCommands } from './redis-commands.js'
import { watchConnection } from './redis-watch.js'

export type RedisClient = RedisCommands & {
  /** Settles with the first connection, or the first failure to get one. */
  readonly started: Promise<void>
  /** Any command; the key decides about the node of a Cluster. */
  readonly call: (command: string, ...args: readonly (string | number)[]) => Promise<unknown>
  /** All keys with this prefix, on every node, in batches; a key may be listed twice. */
  readonly keys: (prefix: string) => AsyncGenerator<readonly string[]>
  readonly close: () => void
}

/**
 * @param ca certificates in PEM to trust instead of Node's own list
 * @param noteConnection called when a connection is ready (undefined) or lost (the error)
 */
export function openRedis(
  settings: RedisSettings,
  ca: string | undefined,
  noteConnection: (fault: string | undefined) => void,
): RedisClient {
  const client =
    settings.place.kind === 'cluster' ? openCluster(settings, ca) : openSingle(settings, ca)
  const connection = watchConnection(client, settings, noteConnection)
  const { withPlainErrors } = connection
  let isClosed = false
  let retry: NodeJS.Timeout | undefined
  // ioredis gives up if a Sentinel returns an address that does not accept connections.
  client.on('end', () => {
    if (isClosed) return
    retry = setTimeout(() => {
      client.connect().catch(() => {
        // reported by an `error` event
      })
    }, pause(RETRIES))
  })
  /** The client, prepared for a command. */
  const commands = (): Redis | Cluster => {
    if (client instanceof Redis) gather(client.stream)
    return client
  }
  return {
    started: connection.started,
    isInOrder: client instanceof Redis,
    async read(key, most) {
      // In one turn, so that they are sent together: one round trip.
      const [text, leftMs] = await Promise.all([
        withPlainErrors(commands().getrange(key, 0, most - 1)).catch(emptyIfNoString),
        withPlainErrors(commands().pttl(key)).then(toCount),
      ])
      if (typeof text !== 'string') throw new Error('reply is not a string')
      return leftMs === GONE ? undefined : { text, leftMs }
    },
    left: (key) => withPlainErrors(commands().pttl(key)).then(toCount),
    set: (key, value, milliseconds) =>
      withPlainErrors(
        milliseconds === undefined
          ? commands().set(key, value)
          : commands().set(key, value, 'PX', milliseconds),
      ),
    setNew: async (key, value, milliseconds) =>
      (await withPlainErrors(
        milliseconds === undefined
          ? commands().set(key, value, 'NX')
          : commands().set(key, value, 'PX', milliseconds, 'NX'),
      )) === 'OK',
    remove: (key) => withPlainErrors(commands().del(key)),
    call: (command, ...args) => withPlainErrors(commands().call(command, ...args)),
    async *keys(prefix) {
      const nodes = client instanceof Cluster ? client.nodes('master') : [client]
      for (const node of nodes) {
        yield* scan(prefix, (cursor, pattern) =>
          withPlainErrors(node.scan(cursor, 'MATCH', pattern, 'COUNT', KEYS_AT_ONCE)),
        )
      }
    },
    close: () => {
      isClosed = true
      clearTimeout(retry)
      connection.end()
      client.disconnect()
    },
  }
}

/**
 * Called before each command: commands of one turn of the event loop are written together,
 * since a write to the socket costs more than the command in it; at most `MAX_HELD` octets
 * are held back, so that a long turn does not keep the server waiting.
 *
 * @param stream undefined before the first connection, contrary to its type
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

/** The longest pause between two attempts to connect. */
const RETRIES = 10

/** Octets: a hundred commands or so. */
const MAX_HELD = 16 * 1024

/** A key of another type is not an entry, and not a failure of Redis. */
function emptyIfNoString(error: unknown): string {
  if (errorText(error).startsWith('WRONGTYPE')) return ''
  throw error
}

/** A server may send any reply, whatever the types say. */
function toCount(reply: unknown): number {
  if (typeof reply !== 'number') throw new Error('reply is not a number')
  return reply
}

async function* scan(
  prefix: string,
  next: (cursor: string, pattern: string) => Promise<[cursor: string, keys: string[]]>,
): AsyncGenerator<readonly string[]> {
  let cursor = '0'
  do {
    // The prefix has no characters that are special in a pattern.
    const [after, keys] = await next(cursor, `${prefix}*`)
    yield keys
    cursor = after
  } while (cursor !== '0')
}

/** Approximate number of keys held in memory at a time. */
const KEYS_AT_ONCE = 500
/** PTTL of a missing key. */
const GONE = -2
