/**
 * How far the report of one (day, domain) has come at each place that it goes to.
 *
 * Kept as the note of the report's state in the store, so that another process continues
 * where one has ended. Places are named by a hash of their URI, since the note is bounded.
 * Pure.
 */
import { createHash } from 'node:crypto'
import type { ReportUri } from './record.js'

export const TARGET_RESULTS = [
  /** Not accepted yet: tried again. */
  'waiting',
  /** Written before the last octet of a POST: if it stays, the outcome is not known. */
  'sending',
  /** In Haraka's queue, which goes on from here; `nonce` names the one message. */
  'queued',
  'accepted',
  'refused',
  /** The receiver may have it; it is not sent again. */
  'unknown',
] as const

export type TargetResult = (typeof TARGET_RESULTS)[number]

export type Target = {
  readonly id: string
  readonly result: TargetResult
  /** Of the queued message. */
  readonly nonce?: string
}

export type Progress = {
  /** Attempts made so far. */
  readonly attempts: number
  /** The first one, in milliseconds since the epoch. */
  readonly firstAt: number
  readonly targets: readonly Target[]
}

export const NO_PROGRESS: Progress = { attempts: 0, firstAt: 0, targets: [] }

export function uriText(uri: ReportUri): string {
  return uri.kind === 'mailto' ? `mailto:${uri.address}` : uri.url
}

export function targetId(uri: ReportUri): string {
  return createHash('sha256').update(uriText(uri)).digest('hex').slice(0, 16)
}

export function isSettled({ result }: Target): boolean {
  return result !== 'waiting' && result !== 'sending'
}

export function withTarget(progress: Progress, target: Target): Progress {
  const others = progress.targets.filter(({ id }) => id !== target.id)
  return { ...progress, targets: [...others, target] }
}

/** The text that `readProgress` reads, at most 2,048 characters. */
export function progressText({ attempts, firstAt, targets }: Progress): string {
  return JSON.stringify({ attempts, firstAt, targets: targets.slice(-MAX_TARGETS) })
}

/** `NO_PROGRESS` for an empty or foreign note. */
export function readProgress(note: string): Progress {
  let value: unknown
  try {
    value = JSON.parse(note)
  } catch {
    return NO_PROGRESS
  }
  const attempts = field(value, 'attempts')
  const firstAt = field(value, 'firstAt')
  const targets = field(value, 'targets')
  if (!Number.isSafeInteger(attempts) || typeof firstAt !== 'number') return NO_PROGRESS
  return {
    attempts: Number(attempts),
    firstAt,
    targets: (Array.isArray(targets) ? targets : []).flatMap((each: unknown) => {
      const id = field(each, 'id')
      const nonce = field(each, 'nonce')
      const result = TARGET_RESULTS.find((known) => known === field(each, 'result'))
      if (typeof id !== 'string' || result === undefined) return []
      return [{ id, result, ...(typeof nonce === 'string' && { nonce }) }]
    }),
  }
}

function field(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, key) : undefined
}

/** The record may change between attempts; old places are dropped first. */
const MAX_TARGETS = 20
