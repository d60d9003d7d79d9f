/**
 * Which entries in Redis are still believed?
 *
 * Those of the current epoch. Every entry carries the epoch in which it was written, so
 * that a single write, the next epoch, invalidates all entries for every relay that shares
 * them. An epoch is an instant and a nonce: later ones compare greater as text, even after
 * the key was lost, and no two processes generate the same one. It is authenticated like
 * entries, at a key that depends on the secret, so that relays with another secret do not
 * interfere.
 *
 * Next to it is a token that changes when the entries of single domains are removed:
 * entries remain valid, but every process clears its own memory. Pure; the nonce is passed in.
 */
import { createHmac } from 'node:crypto'
import { KEY_START, seal, unseal } from './seal.js'
import type { Vault } from './seal.js'

/** 16 digits of milliseconds, a dot, 16 hexadecimal digits. */
export type Epoch = string

export function epochKey({ prefix, secret }: Vault): string {
  const id =
    secret === undefined
      ? ''
      : `:${createHmac('sha256', secret).update('epoch').digest('hex').slice(0, 16)}`
  return `${prefix}${KEY_START}epoch${id}`
}

export function purgeKey({ prefix }: Vault): string {
  return `${prefix}${KEY_START}purge`
}

export function composeEpoch(vault: Vault, epoch: Epoch): string {
  return seal(vault, epochKey(vault), epoch)
}

export function parseEpoch(vault: Vault, text: string): Epoch | undefined {
  if (text.length > MAX_MARK) return undefined
  const content = unseal(vault, epochKey(vault), text)
  return content !== undefined && /^\d{16}\.[0-9a-f]{16}$/.test(content) ? content : undefined
}

/**
 * An epoch later than `before`, whatever the clock reads.
 *
 * @param wall milliseconds since the epoch
 * @param nonce 16 hexadecimal digits
 */
export function nextEpoch(before: Epoch | undefined, wall: number, nonce: string): Epoch {
  const at = Math.max(Math.floor(wall), before === undefined ? 0 : parseInt(before, 10) + 1)
  return `${String(at).padStart(16, '0')}.${nonce}`
}

/** Longest text read where an epoch or a token is expected. */
export const MAX_MARK = 128
