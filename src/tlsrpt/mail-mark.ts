/**
 * The mark of a mail that carries one of our reports.
 *
 * DANE is not applied to such mail (RFC 8460 §3), so the mark must not fit any other. It is
 * a note that Haraka keeps with the message; a client cannot set notes, but another plugin
 * can, or can copy them. Therefore it is sealed with a key derived from the DKIM key, which
 * all relays of one operator share and no one else has, over everything that makes this one
 * message: recipient, body and time.
 *
 * Promises: `openMark` accepts a mark only for the recipient and the body that it was made
 * for, with a null sender, and only for a day. Limits: a process that has the DKIM key can make
 * marks; so can code inside Haraka, which could read that key. Pure.
 */
import { createHash, createHmac, createPrivateKey, hkdfSync, timingSafeEqual } from 'node:crypto'
import { parseDomainName } from '../name.js'
import type { DomainName } from '../name.js'
import { parseUtcDay } from './day.js'
import type { UtcDay } from './day.js'

/** What the mark says. */
export type MailMark = {
  readonly day: UtcDay
  /** The domain that the report is about. */
  readonly domain: DomainName
  /** The one recipient. */
  readonly to: string
  /** Of this message alone: two messages of the same report have different ones. */
  readonly nonce: string
  /** Milliseconds since the epoch. */
  readonly at: number
  /** SHA-256 of the body, in hex. */
  readonly body: string
}

/** As Haraka keeps it: a plain object. */
export type SealedMark = MailMark & { readonly seal: string }

/** The queue retries a report for this long, in milliseconds (RFC 8460 §5.5). */
export const LIFE_MS = 86_400_000

/** @param dkimKey a private key in PEM; throws if it is none */
export function markKey(dkimKey: string): Buffer {
  const secret = createPrivateKey(dkimKey).export({ type: 'pkcs8', format: 'der' })
  return Buffer.from(hkdfSync('sha256', secret, '', 'haraka-plugin-dane report mail', 32))
}

export function sealMark(key: Buffer, mark: MailMark): SealedMark {
  return { ...mark, seal: sealOf(key, mark) }
}

/** The mark in a note, if it is well-formed and sealed by this key. */
export function openMark(key: Buffer, note: unknown): MailMark | undefined {
  const mark = readMark(note)
  const seal = text(note, 'seal')
  if (mark === undefined || !/^[0-9a-f]{64}$/.test(seal)) return undefined
  const right = Buffer.from(sealOf(key, mark), 'hex')
  return timingSafeEqual(right, Buffer.from(seal, 'hex')) ? mark : undefined
}

/** Hash of the octets after the header section, which Haraka adds a Received field to. */
export function bodyHash(message: Buffer): string {
  const end = message.indexOf('\r\n\r\n')
  return createHash('sha256')
    .update(end === -1 ? '' : message.subarray(end + 4))
    .digest('hex')
}

function sealOf(key: Buffer, { day, domain, to, nonce, at, body }: MailMark): string {
  const sealed = JSON.stringify([day, domain, to, nonce, at, body])
  return createHmac('sha256', key).update(sealed).digest('hex')
}

function readMark(note: unknown): MailMark | undefined {
  const day = parseUtcDay(text(note, 'day'))
  const name = text(note, 'domain')
  const domain = parseDomainName(name)
  const [to, nonce, body] = [text(note, 'to'), text(note, 'nonce'), text(note, 'body')]
  const at: unknown = typeof note === 'object' && note !== null ? Reflect.get(note, 'at') : 0
  if (day === undefined || domain === undefined || domain !== name) return undefined
  if (to === '' || nonce === '' || typeof at !== 'number') return undefined
  return { day, domain, to, nonce, at, body }
}

function text(note: unknown, key: string): string {
  const value: unknown = typeof note === 'object' && note !== null ? Reflect.get(note, key) : ''
  return typeof value === 'string' ? value : ''
}
