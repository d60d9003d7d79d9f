/**
 * The commands that the shared cache sends to Redis.
 *
 * Implemented by redis-client.ts, and in tests by a map. Types only; pure.
 */
/** Any of the commands may reject, or never settle. */
export type RedisCommands = {
  /** Whether commands are executed in order: by one server, on one connection. */
  readonly isInOrder: boolean
  /** The stored value, cut to `most` characters. */
  readonly read: (key: string, most: number) => Promise<Stored | undefined>
  /** The remaining life in milliseconds; -1: unlimited, -2: no such key. */
  readonly left: (key: string) => Promise<number>
  /** @param milliseconds undefined: unlimited */
  readonly set: (key: string, value: string, milliseconds: number | undefined) => Promise<unknown>
  /** Whether the key did not exist. */
  readonly setNew: (
    key: string,
    value: string,
    milliseconds: number | undefined,
  ) => Promise<boolean>
  readonly remove: (key: string) => Promise<unknown>
}

export type Stored = {
  /** Empty if the value is not a string. */
  readonly text: string
  /** As returned by `left`. */
  readonly leftMs: number
}
