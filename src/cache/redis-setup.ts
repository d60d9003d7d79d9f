/**
 * Ends a connection to Redis whose setup fails.
 *
 * ioredis logs a refused SELECT and some refusals of AUTH and goes on, so that entries
 * would be read and written in database 0, or at a server that does not know the user.
 * Here a refused step is an error of the connection that names the step and the reply; the
 * connection is closed before it is used, and opened again later.
 *
 * Limit: AUTH and SELECT only. A refused CLIENT SETNAME or INFO changes nothing about what
 * is read or written where. Effects: replaces methods of the given client.
 */
import type { Redis } from 'ioredis'
import { errorText } from '../text.js'

/** To be called before the client has connected. */
export function guardSetup(redis: Redis): void {
  let failed: unknown
  for (const step of ['auth', 'select'] as const) {
    const send: unknown = Reflect.get(redis, step)
    if (typeof send !== 'function') continue
    const refuse = (error: unknown): Promise<never> => {
      // The connection was lost, which ioredis handles.
      if (!isReply(error)) return Promise.reject(asError(error))
      // Of one connection only the first refusal is reported; the next ones follow from it.
      if (failed !== redis.stream) {
        failed = redis.stream
        redis.emit('error', new Error(`${nameOf(step, redis)} was refused: ${errorText(error)}`))
        redis.disconnect(true)
      }
      // A step that does not end: ioredis never considers this connection ready.
      return new Promise(() => undefined)
    }
    Reflect.set(redis, step, (...args: readonly unknown[]): unknown => {
      const sent: unknown = Reflect.apply(send, redis, args)
      return sent instanceof Promise ? sent.catch(refuse) : sent
    })
  }
}

/**
 * Behind Sentinels ioredis looks at INFO whether the server is the master. A server that
 * refuses INFO is used without that check; it then refuses writes if it is a replica.
 */
export function allowWithoutInfo(redis: Redis): void {
  const info = redis.info.bind(redis)
  Reflect.set(redis, 'info', (take: (error: unknown, reply?: string) => void) =>
    info((error, reply) => {
      if (error && isMissing(error)) take(null, '')
      else take(error, reply)
    }),
  )
}

/** The server does not have the command, or does not allow it to this user. */
export function isMissing(error: unknown): boolean {
  return isReply(error) && /^(?:ERR|NOPERM)\b/.test(errorText(error))
}

/** What the server said, as opposed to a lost connection. */
function isReply(error: unknown): boolean {
  return error instanceof Error && error.name === 'ReplyError'
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(errorText(error))
}

function nameOf(step: 'auth' | 'select', { options }: Redis): string {
  if (step === 'select') return `SELECT ${options.db}`
  // ioredis defaults to null, contrary to its types.
  return options.username ? `AUTH of user ${options.username}` : 'AUTH'
}
