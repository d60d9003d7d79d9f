/**
 * What the name and the head of a file in Haraka's queue say, from 3.0.4 to 3.3.4.
 *
 * Name: `arrival_nextattempt_attempts_pid_uid_counter_host`. Haraka renames the file at
 * each deferral and at its start; arrival and uid stay. Names of four parts are from before
 * Haraka 2.8, which Haraka itself still accepts. Head: its length in four octets (big
 * endian), then JSON with `domain` and `rcpt_to`. One file is one message to one domain.
 *
 * Anyone who can write to the folder can choose both, and the sender of a message chooses
 * the domain: everything is checked and bounded here. Pure.
 */
import { parseDomainName } from '../name.js'
import { printable } from '../text.js'
import type { Instant } from './status-model.js'

export type QueueName = {
  /** The same for all names of a message. */
  readonly key: string
  readonly arrivedAt: Instant
  readonly nextAttemptAt: Instant
  /** Failed attempts so far. */
  readonly attempts: number
}

export type QueueHead = {
  /** As `destinationName` writes it. */
  readonly destination: string
  readonly recipients: number
}

/** Undefined if this is not the name of a message. */
export function parseQueueName(name: string): QueueName | undefined {
  const now = /^(\d{1,15})_(\d{1,15})_(\d{1,5})_\d{1,10}_(\w{1,64})_\d{1,10}_[^/]*$/.exec(name)
  const parts = now ?? /^(\d{1,15})_(\d{1,5})_\d{1,10}_\d{1,10}\.[^/]*$/.exec(name)
  if (parts === null) return undefined
  if (now === null) {
    const [, nextAttemptAt = '', attempts = ''] = parts
    // When it arrived is unknown.
    return toName(name, nextAttemptAt, nextAttemptAt, attempts)
  }
  const [, arrivedAt = '', nextAttemptAt = '', attempts = '', uid = ''] = parts
  return toName(`${arrivedAt}_${uid}`, arrivedAt, nextAttemptAt, attempts)
}

function toName(key: string, arrived: string, next: string, attempts: string): QueueName {
  return {
    key,
    arrivedAt: Number(arrived),
    nextAttemptAt: Number(next),
    attempts: Number(attempts),
  }
}

/** A file that is still being written, which Haraka renames when it is complete. */
export function isUnfinished(name: string): boolean {
  return name.startsWith('__tmp__.') || name.startsWith('.')
}

/** Octets before the JSON. */
export const LENGTH_OCTETS = 4

/** The length of the JSON after the first octets; undefined if it cannot be one. */
export function headLength(octets: Buffer): number | undefined {
  if (octets.length < LENGTH_OCTETS) return undefined
  const length = octets.readUInt32BE(0)
  return length > 0 && length <= MAX_HEAD ? length : undefined
}

/** Undefined if this is not what Haraka writes. */
export function parseHead(json: string): QueueHead | undefined {
  let todo: unknown
  try {
    todo = JSON.parse(json)
  } catch {
    return undefined
  }
  if (typeof todo !== 'object' || todo === null) return undefined
  const domain: unknown = Reflect.get(todo, 'domain')
  const recipients: unknown = Reflect.get(todo, 'rcpt_to')
  if (typeof domain !== 'string' || !Array.isArray(recipients)) return undefined
  return { destination: destinationName(domain), recipients: recipients.length }
}

/**
 * How a destination is written everywhere in the status: A-labels, if it is a domain name.
 * Never empty, and never what a browser takes for another folder in a path.
 */
export function destinationName(domain: string): string {
  const name = parseDomainName(domain)
  if (name !== undefined) return name
  const text = printable(domain.slice(0, MAX_NAME + 1).toLowerCase(), MAX_NAME)
  return /^\.{0,2}$/.test(text) ? `[${text}]` : text
}

/**
 * When Haraka returns a message if each attempt until then fails at once: it adds the
 * interval of the failure after each one, and returns the message after the last interval.
 *
 * @param intervals of outbound.ini, in seconds
 */
export function giveUpTimes(intervals: readonly number[]): (name: QueueName) => Instant {
  // left[n]: milliseconds from the attempt after n failures to the last attempt.
  const left = [0]
  for (const seconds of intervals.toReversed()) left.unshift((left[0] ?? 0) + seconds * 1000)
  return ({ nextAttemptAt, attempts }) => nextAttemptAt + (left[attempts] ?? 0)
}

/** Octets: 10,000 recipients. Longer ones, by notes of other plugins, are not read. */
export const MAX_HEAD = 4_194_304

/** No domain name is longer. */
const MAX_NAME = 253
