/**
 * The steps of reports (claims.ts) in Redis, and the names of all keys of reports.
 *
 * A report's last step is one value, replaced only if it has not changed since it was read.
 * A process keeps the steps that it has made, and writes them again where Redis has lost
 * them. Commands, clock and the seal of values are passed in.
 */
import { createHash } from 'node:crypto'
import { NO_STEP } from './claims.js'
import type { Step, Steps } from './claims.js'
import { endOf } from './day.js'
import type { UtcDay } from './day.js'
import { composeState, parseState } from './state-text.js'
import type { ReportKey } from './store.js'

export type RedisReportsParts = {
  /** A command of Redis; rejects if it fails or is not answered in time. */
  readonly call: (command: string, ...args: readonly (string | number)[]) => Promise<unknown>
  /** Before every key. */
  readonly prefix: string
  /** Authenticates `content` for this place. */
  readonly seal: (place: string, content: string) => string
  /** The content; undefined if it is not authentic. */
  readonly unseal: (place: string, text: string) => string | undefined
  /** A name for this process that no other has, now or earlier: letters and digits. */
  readonly writer: string
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** Milliseconds without claims after a connection, in which others restore their steps. */
  readonly quietMs?: number
  /** How long everything about a day is kept after it, in milliseconds. */
  readonly retentionMs: number
}

export type Keys = ReturnType<typeof keysOf>

export function keysOf(prefix: string) {
  const start = `${prefix}${KEY_START}`
  const digest = (text: string): string =>
    createHash('sha256').update(text).digest('base64url').slice(0, 22)
  return {
    days: `${start}days`,
    domains: (day: UtcDay) => `${start}domains:${day}`,
    counts: ({ day, domain }: ReportKey) => `${start}counts:${day}:${domain}`,
    step: ({ day, domain }: ReportKey) => `${start}step:${day}:${domain}`,
    begun: (day: UtcDay) => `${start}begun:${day}`,
    memo: (name: string) => `${start}memo:${digest(name)}`,
    tally: (name: string) => `${start}tally:${digest(name)}`,
    digest,
  }
}

/** Milliseconds that keys of a day are kept. */
export function lifeOf(
  day: UtcDay,
  { now, retentionMs }: Pick<RedisReportsParts, 'now' | 'retentionMs'>,
): number {
  return Math.max(MIN_LIFE_MS, Math.ceil(endOf(day) + retentionMs - now()))
}

/** Steps, and what this process has made of them. */
export function createSteps(
  parts: RedisReportsParts,
  keys: Keys,
): Steps & {
  readonly restore: () => Promise<void>
  readonly forget: (before: UtcDay) => void
} {
  const { call, seal, unseal } = parts
  const made = new Map<
    string,
    { readonly key: ReportKey; readonly step: Step; readonly text: string }
  >()

  async function get(key: ReportKey): Promise<{ readonly text: string; readonly step: Step }> {
    const place = keys.step(key)
    const reply = await call('GET', place)
    if (reply === null || reply === undefined) return { text: '', step: NO_STEP }
    const text = typeof reply === 'string' ? reply : ''
    // What cannot be read may have been sent: there is no second report.
    return { text, step: parseStep(unseal(place, text)) ?? UNREADABLE }
  }

  async function keep({ day, domain }: ReportKey, life: number): Promise<void> {
    await Promise.all([
      call('SADD', keys.begun(day), domain),
      call('PEXPIRE', keys.begun(day), life),
    ])
  }

  return {
    current: async (key) => (await get(key)).step,
    async advance(key, next) {
      const { text: before, step: current } = await get(key)
      const chosen = next(current)
      if (chosen === undefined || current === UNREADABLE) return undefined
      const step = { ...chosen, number: current.number + 1 }
      const place = keys.step(key)
      const text = seal(place, composeStep(step))
      const life = lifeOf(key.day, parts)
      if (step.state.kind !== 'open') await keep(key, life)
      if ((await call('EVAL', REPLACE, 1, place, before, text, life)) !== 1) return undefined
      if (step.state.kind !== 'open') made.set(place, { key, step, text })
      if (step.state.kind === 'sending') await call('WAITAOF', 1, 0, AOF_MS).catch(nothing)
      return step
    },
    async restore() {
      for (const [place, { key, step, text }] of made) {
        const life = lifeOf(key.day, parts)
        await keep(key, life)
        await call('EVAL', RESTORE, 1, place, step.number, text, life)
      }
    },
    forget(before) {
      for (const [place, { key }] of made) if (key.day < before) made.delete(place)
    },
  }
}

function composeStep({ number, token, heldUntil, state }: Step): string {
  return `${number} ${token} ${Math.ceil(heldUntil)} ${composeState(state)}`
}

function parseStep(text: string | undefined): Step | undefined {
  const [, number, token = '', held, rest = ''] =
    /^(\d{1,9}) ([A-Za-z0-9]+) (\d{1,16}) (.+)$/.exec(text ?? '') ?? []
  const state = parseState(rest)
  return state && { number: Number(number), token, heldUntil: Number(held), state }
}

function nothing(): void {
  // An older Redis, or one without an append-only file.
}

const UNREADABLE: Step = { ...NO_STEP, state: { kind: 'done', notBefore: 0, note: '' } }

/** Version of the format. */
const KEY_START = 'report1:'
/** Milliseconds: keys of a day long past that is written to. */
const MIN_LIFE_MS = 60_000
/** Milliseconds for an append-only file to be on the disk. */
const AOF_MS = 2_000

/** Replaces a value that is as it was read. */
const REPLACE = `if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1`

/** Replaces a step by a later one; the number follows the seal. */
const RESTORE = `local number = string.match(redis.call('GET', KEYS[1]) or '', '^%S+ (%d+) ')
if tonumber(number or '0') >= tonumber(ARGV[1]) then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1`
