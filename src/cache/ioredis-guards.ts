/**
 * Keeps ioredis from ending the process over a malformed or hostile reply.
 *
 * ioredis trusts replies in places where no caller can catch the resulting error: it
 * rethrows in the next tick, parses CLUSTER SLOTS in its own callback and drops the
 * promise of ASKING. There is no public hook for any of these, so three methods are
 * wrapped.
 *
 * Promise: any reply of a server becomes an error of the connection or of the command.
 * Limit: the wrapped methods are private to ioredis, so package.json pins it to one minor
 * release; if one of them is missing, `missingGuards` names it and [redis] is refused.
 * Effects: changes ioredis for the whole process when it is loaded.
 */
import { createRequire } from 'node:module'
import { Cluster, Redis } from 'ioredis'
import type { Callback, RedisOptions } from 'ioredis'
import { isPort } from '../server-address.js'
import { errorText } from '../text.js'
import { guardSetup } from './redis-setup.js'

/** Private methods of ioredis that the guards need but did not find; empty if all exist. */
export function missingGuards(): readonly string[] {
  return [
    ...(isDispatchGuarded ? [] : ['DataHandler.dispatch']),
    ...['getInfoFromNode', 'handleError']
      .filter((method) => !isMethod(Cluster.prototype, method))
      .map((method) => `Cluster.${method}`),
  ]
}

/** Call before the cluster connects. */
export function guardCluster(cluster: Cluster): void {
  guardSlots(cluster)
  guardRedirections(cluster)
}

/**
 * An unsolicited reply makes ioredis throw, and `dispatch` rethrows that in the next tick.
 * The connection is closed instead.
 *
 * @returns whether the method exists
 */
function guardDispatch(): boolean {
  const prototype = dataHandler()
  if (prototype === undefined || !isMethod(prototype, 'dispatch')) return false
  return Reflect.set(prototype, 'dispatch', function (this: unknown, take: () => void): void {
    try {
      take()
    } catch (error) {
      const redis = redisOf(this)
      redis?.emit('error', new Error(`unexpected reply: ${errorText(error)}`))
      redis?.disconnect(true)
    }
  })
}

/** Undefined if this release has it elsewhere. */
function dataHandler(): object | undefined {
  try {
    const module: unknown = createRequire(__filename)('ioredis/built/DataHandler.js')
    const handler = property(module, 'default')
    const prototype = typeof handler === 'function' ? property(handler, 'prototype') : undefined
    return typeof prototype === 'object' && prototype !== null ? prototype : undefined
  } catch {
    return undefined
  }
}

function redisOf(handler: unknown): Redis | undefined {
  const redis = property(handler, 'redis')
  return redis instanceof Redis ? redis : undefined
}

/**
 * ioredis does not check the reply to CLUSTER SLOTS: a malformed one would end the process,
 * a long one block it. Such a reply becomes an error.
 */
function guardSlots(cluster: Cluster): void {
  const read = property(cluster, 'getInfoFromNode')
  if (typeof read !== 'function') return
  Reflect.set(cluster, 'getInfoFromNode', (node: Redis | undefined, callback: unknown) => {
    const asked = node && {
      duplicate(options: Partial<RedisOptions>): Redis {
        const copy = node.duplicate(options)
        guardSetup(copy)
        const ask = copy.cluster.bind(copy)
        Reflect.set(copy, 'cluster', (word: 'SLOTS', take: Callback<unknown[]>) =>
          ask(word, (error, reply) => {
            take(error ?? (areSlots(reply) ? undefined : new Error('malformed slots')), reply)
          }),
        )
        return copy
      },
    }
    Reflect.apply(read, cluster, [asked, callback])
  })
}

/**
 * ioredis connects to whatever follows the slot in MOVED and ASK, and does not handle the
 * failure of the ASKING that it sends there. A malformed redirection fails the command.
 */
function guardRedirections(cluster: Cluster): void {
  const handle = property(cluster, 'handleError')
  if (typeof handle !== 'function') return
  Reflect.set(cluster, 'handleError', (error: Error, ttl: unknown, handlers: Handlers): void => {
    if (isMalformedRedirection(error.message)) handlers.defaults()
    else Reflect.apply(handle, cluster, [error, ttl, handlers])
  })
  cluster.on('+node', (node: Redis) => {
    guardSetup(node)
    const asking = node.asking.bind(node)
    Reflect.set(node, 'asking', () => {
      asking().catch(nothing)
    })
  })
}

/** `defaults` fails the command with the error that the server sent. */
type Handlers = { readonly defaults: () => void }

function isMalformedRedirection(message: string): boolean {
  const [word, slot = '', place = ''] = message.split(' ')
  if (word !== 'MOVED' && word !== 'ASK') return false
  const [, host = '', port] = /^(.*):(\d{1,5})$/.exec(place) ?? []
  const isSlot = /^\d{1,5}$/.test(slot) && Number(slot) <= MAX_SLOT
  return !isSlot || !HOST.test(host) || !isPort(Number(port))
}

/** `[first, last, [host, port, ...], ...]` of each range. */
function areSlots(reply: unknown): boolean {
  let slots = 0
  const nodes = new Set<string>()
  if (!isList(reply)) return false
  return reply.every((range) => {
    if (!isList(range)) return false
    const [first, last, ...places] = range
    if (!isUpTo(MAX_SLOT, first) || !isUpTo(MAX_SLOT, last)) return false
    slots += Math.max(1, last - first + 1)
    if (slots > MAX_SLOT + 1 || !places.every(isPlace)) return false
    for (const [host, port] of places) nodes.add(`${host}:${port}`)
    return nodes.size <= MAX_NODES
  })
}

function isPlace(place: unknown): place is readonly [string | null, number] {
  if (!isList(place)) return false
  const [host, port] = place
  // A node that does not know its own address says null.
  return (host === null || typeof host === 'string') && isUpTo(65535, port)
}

function isList(value: unknown): value is readonly unknown[] {
  return Array.isArray(value)
}

function isUpTo(most: number, value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= most
}

function isMethod(value: object | undefined, name: string): boolean {
  return typeof property(value, name) === 'function'
}

function property(value: unknown, name: string): unknown {
  const isObject = (typeof value === 'object' && value !== null) || typeof value === 'function'
  return isObject ? Reflect.get(value, name) : undefined
}

function nothing(): void {
  // the command that follows fails as well, and reports it
}

/** A name or an address. */
const HOST = /^[\w.:%[\]-]{1,255}$/
const MAX_SLOT = 16383
/** The largest Cluster that Redis recommends. */
const MAX_NODES = 1_000

const isDispatchGuarded = guardDispatch()
