/**
 * Is there a connection to Redis, and if not, why?
 *
 * Reports each connection and each loss with its cause, and replaces ioredis's messages
 * for a missing connection by that cause.
 */
import { Redis } from 'ioredis'
import type { Cluster } from 'ioredis'
import { withoutSecrets } from '../settings/redis-settings.js'
import type { RedisSettings } from '../settings/redis-settings.js'
import { errorText } from '../text.js'
import { CONNECTION_NAME } from './redis-connection.js'

export type Connection = {
  /** Settles with the first connection, or the first failure to get one. */
  readonly started: Promise<void>
  /** The same command; if it was not sent or not answered, it fails with the reason. */
  readonly withPlainErrors: <T>(command: Promise<T>) => Promise<T>
  /** Reports nothing from now on. */
  readonly end: () => void
}

export function watchConnection(
  client: Redis | Cluster,
  settings: RedisSettings,
  noteConnection: (fault: string | undefined) => void,
): Connection {
  let isEnded = false
  /** Why there is no connection. */
  let fault: string | undefined
  let nodeFault: unknown
  // A server behind a proxy: some close the connection instead of refusing a command.
  let mayBeNamed = client instanceof Redis && settings.place.kind !== 'sentinel'

  client.on('node error', (error: unknown) => {
    // An error that only follows from the actual one is not worth reporting.
    if (!isConnectionLost(error)) nodeFault = error
  })
  const started = new Promise<void>((resolve) => {
    const lost = (text: string): void => {
      resolve()
      if (isEnded) return
      fault = withoutSecrets(settings, text)
      noteConnection(fault)
    }
    client.on('error', (error: unknown) => {
      lost(errorText(nodeFault ?? error))
      nodeFault = undefined
    })
    client.on('close', () => {
      // An error that came before says more.
      if (fault === undefined) lost(CLOSED)
    })
    client.on('ready', () => {
      resolve()
      fault = undefined
      noteConnection(undefined)
      if (!mayBeNamed) return
      client.client('SETNAME', CONNECTION_NAME).catch(() => {
        mayBeNamed = false
      })
    })
  })
  return {
    started,
    async withPlainErrors(command) {
      try {
        return await command
      } catch (error) {
        if (!isConnectionLost(error)) throw error
        const reason = fault ?? (errorText(error).includes("isn't") ? 'not connected yet' : CLOSED)
        throw new Error(`no connection: ${reason}`, { cause: error })
      }
    },
    end() {
      isEnded = true
    },
  }
}

/** Of a command: it was not sent, or the connection was lost before the reply. */
function isConnectionLost(error: unknown): boolean {
  return /isn't (?:writeable|ready)|^Connection is closed|max retries per request/.test(
    errorText(error),
  )
}

const CLOSED = 'the server closed the connection without a reply'
