/**
 * The format of entries in Redis, and how long they are believed.
 *
 * In addition to the fact an entry carries its epoch, when its writer looked the fact up,
 * and for how long it was valid from then on. With a secret all of this is authenticated
 * by a MAC, together with the key: an entry copied to another name, type, port, prefix or
 * epoch is not believed.
 *
 * `openEntry` validates. An entry is never used for longer than its expiry in Redis, its
 * own life, or `SKEW_MS` after its end by the reader's clock; so a replayed old entry is
 * not believed after that. Limit: it is believed until then. Pure.
 */
import { createHmac, timingSafeEqual } from 'node:crypto'
import type { RecordType } from '../lookup.js'
import type { DomainName } from '../name.js'

/** The key prefix and the secret of entries. */
export type Vault = {
  /** Before every key. */
  readonly prefix: string
  /** Undefined: entries are not authenticated. */
  readonly secret: string | undefined
}

export type Entry = {
  readonly epoch: string
  /** When the writer looked it up, in milliseconds since the epoch by its wall clock. */
  readonly askedAt: number
  /** How long it is valid from then on, in milliseconds; whole. */
  readonly lifeMs: number
  /** The fact, as entry.ts writes it. */
  readonly body: string
}

/** The reader's circumstances. */
export type Reading = {
  /** The current epoch. */
  readonly epoch: string
  /** Milliseconds since the epoch, by the wall clock. */
  readonly wall: number
  /** The remaining life of the entry in Redis, in milliseconds; negative: unlimited. */
  readonly leftMs: number
  /** No fact is used for longer than this after it was looked up. */
  readonly maxTtlMs: number
}

export function factKey({ prefix }: Vault, name: DomainName, type: RecordType): string {
  return `${prefix}${KEY_START}${type}:${name}`
}

/** The key that exists while its owner queries DNS. No type or name makes it the key of a fact. */
export function claimKey({ prefix }: Vault, name: DomainName, type: RecordType): string {
  return `${prefix}${KEY_START}claim:${type}:${name}`
}

/** The key of a DNSSEC zone; `zone` is no type, so it is never the key of a fact. */
export function zoneKey({ prefix }: Vault, id: string): string {
  return `${prefix}${KEY_START}zone:${id}`
}

export function composeEntry(vault: Vault, key: string, entry: Entry): string {
  const { epoch, askedAt, lifeMs, body } = entry
  return seal(vault, key, `${epoch} ${Math.floor(askedAt)} ${lifeMs} ${body}`)
}

/** The fact's text and how long it may still be used; undefined if it may not. */
export function openEntry(
  vault: Vault,
  key: string,
  text: string,
  { epoch, wall, leftMs, maxTtlMs }: Reading,
): { readonly body: string; readonly leftMs: number } | undefined {
  if (text.length > MAX_ENTRY) return undefined
  const content = unseal(vault, key, text)
  const [said = '', asked = '', life = ''] = content?.split(' ', 3) ?? []
  if (content === undefined || said !== epoch || !isWhole(asked) || !isWhole(life)) return undefined
  const askedAt = Number(asked)
  const lifeMs = Number(life)
  // If clocks differ by more, the age of an entry is unknown.
  if (askedAt > wall + SKEW_MS) return undefined
  // The reader's limit applies, whatever the writer's was.
  const tooLong = Math.max(0, lifeMs - maxTtlMs)
  const left = Math.min(
    Math.min(leftMs, lifeMs) - tooLong,
    askedAt + lifeMs - tooLong + SKEW_MS - wall,
  )
  // A negative remaining life means no expiry in Redis: not written by a relay.
  const body = content.slice(said.length + asked.length + life.length + 3)
  return left > 0 ? { body, leftMs: left } : undefined
}

/** Authenticates `content` for this key with the secret. */
export function seal(vault: Vault, key: string, content: string): string {
  return `${mac(vault, key, content)} ${content}`
}

/** The content that was sealed for this key; undefined for anything else. */
export function unseal(vault: Vault, key: string, text: string): string | undefined {
  const space = text.indexOf(' ')
  if (space === -1) return undefined
  const content = text.slice(space + 1)
  return isSame(text.slice(0, space), mac(vault, key, content)) ? content : undefined
}

/** Longest entry in characters; longer ones are not shared. */
export const MAX_ENTRY = 256 * 1024

/** Version of the format, so that relays of different versions do not share entries. */
export const KEY_START = '2:'

/** How far the clocks of two relays may differ, in milliseconds. */
export const SKEW_MS = 300_000

/** `-` without a secret, so that authenticated and plain entries are never confused. */
function mac({ secret }: Vault, key: string, content: string): string {
  if (secret === undefined) return '-'
  return createHmac('sha256', secret).update([key, content].join('\n')).digest('base64url')
}

function isSame(a: string, b: string): boolean {
  if (a === '-' || b === '-') return a === b // no secret that timing could reveal
  const [one, other] = [Buffer.from(a), Buffer.from(b)]
  return one.length === other.length && timingSafeEqual(one, other)
}

function isWhole(text: string): boolean {
  return /^\d{1,15}$/.test(text)
}
