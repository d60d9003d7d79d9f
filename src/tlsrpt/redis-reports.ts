/**
 * The store that all workers and relays share: Redis.
 *
 * Counts are a hash for each day and domain, with one field for each process and counter
 * that holds that process's total, so that writing the same again changes nothing. A
 * report's last step (claims.ts) is one value, replaced only if it has not changed since it
 * was read. What Redis has lost, with a server that does not keep its data, the processes
 * write again when they are connected again: `restore`, and the totals by `add`.
 *
 * Promises: a step is not made twice by what one server has executed; the key of a Cluster
 * slot is alone in its command. Where the server has an append-only file (Redis 7.2 or
 * later), `sending` is in it before the first octet is sent. Limits: a fail-over can lose the last
 * steps. With a secret, what is not authenticated is ignored.
 *
 * Commands, clock and the seal of values are passed in.
 */
import { parseDomainName } from '../name.js'
import type { DomainName } from '../name.js'
import { createClaims } from './claims.js'
import { LIMITS, sumOf } from './counter.js'
import type { Tally } from './counts.js'
import { parseUtcDay } from './day.js'
import type { UtcDay } from './day.js'
import { createSteps, keysOf, lifeOf } from './redis-steps.js'
import type { Keys, RedisReportsParts } from './redis-steps.js'
import type { ReportKey, ReportStore } from './store.js'
import { counterText, detailText, parseCounter, policyText } from './tally-text.js'

export type RedisReports = ReportStore & {
  /** Called when the connection is up again: writes what this process knows of its steps. */
  readonly restore: () => Promise<void>
  /** Domains whose reports are no longer `open`: what is counted for them now is too late. */
  readonly begun: (day: UtcDay) => Promise<readonly DomainName[]>
}

export function createRedisReports(parts: RedisReportsParts): RedisReports {
  const { call, now, writer } = parts
  const keys = keysOf(parts.prefix)
  const steps = createSteps(parts, keys)
  const counts = createCounts(parts, keys)
  const claims = createClaims(steps, writer, now)
  const { quietMs = QUIET_MS } = parts
  let quietUntil = now() + quietMs

  return {
    ...counts,
    ...claims,
    async claim(key, at, leaseMs) {
      // Others may be about to restore what Redis has lost.
      const left = quietUntil - now()
      return left > 0 && left <= quietMs ? undefined : claims.claim(key, at, leaseMs)
    },
    begun: async (day) => domainsIn(await call('SMEMBERS', keys.begun(day))),
    async restore() {
      quietUntil = now() + quietMs
      await steps.restore()
    },
    async recall(name) {
      const key = keys.memo(name)
      const text = await call('GET', key)
      return typeof text === 'string' ? parts.unseal(key, text) : undefined
    },
    async remember(name, value, lifeMs) {
      const key = keys.memo(name)
      await call('SET', key, parts.seal(key, value), 'PX', Math.ceil(lifeMs))
    },
    async tally(name, lifeMs) {
      const sum = await call('EVAL', TALLY, 1, keys.tally(name), Math.ceil(lifeMs))
      if (typeof sum !== 'number') throw new Error('reply of Redis is not a number')
      return sum
    },
    async forget(before) {
      steps.forget(before)
      // Keys of a day end by themselves.
      for (const day of await counts.days()) {
        if (day < before) await call('SREM', keys.days, day)
      }
    },
    close() {
      // The connection is closed by whoever opened it.
    },
  }
}

function createCounts(
  parts: RedisReportsParts,
  keys: Keys,
): Pick<ReportStore, 'add' | 'days' | 'domains' | 'read'> {
  const { call, seal, unseal, writer } = parts

  async function addDomain(key: ReportKey, tallies: readonly Tally[]): Promise<void> {
    const { day, domain } = key
    const life = lifeOf(day, parts)
    const listed = keys.domains(day)
    const isAccepted = await call('EVAL', ACCEPT, 1, listed, domain, LIMITS.domains, life)
    if (isAccepted !== 1) return
    const place = keys.counts(key)
    const fields = tallies.flatMap(({ policy, detail, sessions }) => {
      const text = counterText(policyText(policy), detailText(detail))
      const id = keys.digest(text)
      const [named, total] = [`=${id}`, `${writer}.${id}`]
      return [
        [named, seal(`${place}\n${named}`, text)],
        [total, seal(`${place}\n${total}`, String(sessions))],
      ].flat()
    })
    await Promise.all([call('HSET', place, ...fields), call('PEXPIRE', place, life)])
  }

  return {
    async add(tallies) {
      const byDomain = new Map<string, { readonly key: ReportKey; readonly those: Tally[] }>()
      for (const tally of tallies) {
        const place = `${tally.day} ${tally.domain}`
        const group = byDomain.get(place) ?? { key: tally, those: [] }
        group.those.push(tally)
        byDomain.set(place, group)
      }
      const days = [...new Set(tallies.map(({ day }) => day))]
      await Promise.all(days.map((day) => call('SADD', keys.days, day)))
      const groups = [...byDomain.values()]
      for (let at = 0; at < groups.length; at += AT_ONCE) {
        const some = groups.slice(at, at + AT_ONCE)
        await Promise.all(some.map(({ key, those }) => addDomain(key, those)))
      }
    },
    async days() {
      const list = textsOf(await call('SMEMBERS', keys.days)).toSorted()
      return list.flatMap((text) => parseUtcDay(text) ?? [])
    },
    domains: async (day) => domainsIn(await call('SMEMBERS', keys.domains(day))).toSorted(),
    async read(key) {
      const place = keys.counts(key)
      const reply = textsOf(await call('HGETALL', place))
      const fields = new Map<string, string>()
      for (let at = 0; at + 1 < reply.length; at += 2) {
        const [field = '', text = ''] = reply.slice(at, at + 2)
        const content = unseal(`${place}\n${field}`, text)
        if (content !== undefined) fields.set(field, content)
      }
      const tallies = [...fields].flatMap(([field, content]) => {
        const id = /^[A-Za-z0-9]+\.(.+)$/.exec(field)?.[1]
        const counter = id === undefined ? undefined : parseCounter(fields.get(`=${id}`) ?? '')
        return counter && /^[1-9]\d{0,14}$/.test(content)
          ? [{ ...counter, sessions: Number(content) }]
          : []
      })
      return sumOf(key.day, key.domain, tallies)
    },
  }
}

function domainsIn(reply: unknown): readonly DomainName[] {
  return textsOf(reply).flatMap((text) => parseDomainName(text) ?? [])
}

/** A server may send any reply. */
function textsOf(reply: unknown): readonly string[] {
  return Array.isArray(reply) ? reply.map(String) : []
}

/** Domains written at the same time. */
const AT_ONCE = 200
/** Milliseconds without claims after a connection, in which other processes restore their steps. */
const QUIET_MS = 5_000
/** Lists a domain unless there are too many. */
const ACCEPT = `if redis.call('SISMEMBER', KEYS[1], ARGV[1]) == 0 then
  if redis.call('SCARD', KEYS[1]) >= tonumber(ARGV[2]) then return 0 end
  redis.call('SADD', KEYS[1], ARGV[1])
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
end
return 1`

/** Counts up; the life begins with the first. */
const TALLY = `local sum = redis.call('INCR', KEYS[1])
if sum == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
return sum`
