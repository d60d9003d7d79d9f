/** A fake Redis: a map on a simulated clock, shared by several processes, with faults on demand. */
import type { RedisCommands } from '../../src/cache/redis-commands.js'
import type { Clock } from './clock.js'

type Value = { readonly text: string; readonly endsAt: number }

export function createRedisMap(clock: Clock, isInOrder = true) {
  const values = new Map<string, Value>()
  const said: string[] = []
  let trouble: ((command: keyof RedisCommands) => Promise<never> | undefined) | undefined
  let delayMs = 0

  const alive = (key: string): Value | undefined => {
    const value = values.get(key)
    if (value === undefined || value.endsAt > clock.now()) return value
    values.delete(key)
    return undefined
  }
  const put = (key: string, text: string, milliseconds: number | undefined): void => {
    values.set(key, { text, endsAt: clock.now() + (milliseconds ?? Infinity) })
  }
  const left = (key: string): number => {
    const value = alive(key)
    if (value === undefined) return -2
    return value.endsAt === Infinity ? -1 : Math.round(value.endsAt - clock.now())
  }
  const run = <T>(command: keyof RedisCommands, key: string, work: () => T): Promise<T> => {
    said.push(`${command} ${key}`)
    const failing = trouble?.(command)
    if (failing) return failing
    const reply = work()
    return delayMs === 0 ? Promise.resolve(reply) : clock.after(delayMs, reply)
  }
  const commands: RedisCommands = {
    isInOrder,
    read: (key, most) =>
      run('read', key, () => {
        const value = alive(key)
        return value && { text: value.text.slice(0, most), leftMs: left(key) }
      }),
    left: (key) => run('left', key, () => left(key)),
    set: (key, value, milliseconds) => run('set', key, () => put(key, value, milliseconds)),
    setNew: (key, value, milliseconds) =>
      run('setNew', key, () => {
        if (alive(key)) return false
        put(key, value, milliseconds)
        return true
      }),
    remove: (key) => run('remove', key, () => (values.delete(key) ? 1 : 0)),
  }
  const rejecting = (message: string) => () => Promise.reject(new Error(message))
  return {
    commands,
    /** Every command received, and its key. */
    said,
    put,
    left,
    text: (key: string): string | undefined => alive(key)?.text,
    drop: (key: string): boolean => values.delete(key),
    flush: (): void => values.clear(),
    keys: (): readonly string[] => [...values.keys()].filter((key) => alive(key) !== undefined),
    /** From now on, until it recovers. */
    isGone: () => (trouble = rejecting('no connection')),
    isSilent: () => (trouble = () => new Promise<never>(() => undefined)),
    isFull: () =>
      (trouble = (command) =>
        command === 'read' || command === 'left'
          ? undefined
          : Promise.reject(new Error('OOM command not allowed'))),
    throws: () =>
      (trouble = () => {
        throw new Error('a bug')
      }),
    isWell: () => (trouble = undefined),
    /** The delay of every reply. */
    takes: (milliseconds: number) => (delayMs = milliseconds),
  }
}

export type RedisMap = ReturnType<typeof createRedisMap>
