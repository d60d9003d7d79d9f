/** What the queue folder holds, read in the plainest way: to compare the delivery status with. */
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'

export type QueueTruth = {
  readonly messages: number
  readonly recipients: number
  readonly destinations: Readonly<Record<string, DestinationTruth>>
}

export type DestinationTruth = {
  readonly messages: number
  readonly recipients: number
  readonly oldestAt: string
  readonly nextRetryAt: string
}

/** Again, if a file was renamed or removed in the meantime. */
export function readQueueTruth(folder: string, patience = 50): QueueTruth {
  try {
    return readOnce(folder)
  } catch (error) {
    if (patience === 0) throw error
    return readQueueTruth(folder, patience - 1)
  }
}

function readOnce(folder: string): QueueTruth {
  const destinations: Record<string, DestinationTruth> = {}
  let messages = 0
  let recipients = 0
  for (const name of readdirSync(folder).filter((each) => !each.startsWith('__tmp__'))) {
    const [arrived = '', next = ''] = name.split('_')
    const octets = readFileSync(path.join(folder, name))
    const todo: unknown = JSON.parse(octets.toString('utf8', 4, 4 + octets.readUInt32BE(0)))
    const { domain, rcpt_to } = toTodo(todo)
    const known = destinations[domain]
    messages++
    recipients += rcpt_to.length
    destinations[domain] = {
      messages: (known?.messages ?? 0) + 1,
      recipients: (known?.recipients ?? 0) + rcpt_to.length,
      oldestAt: least(known?.oldestAt, new Date(Number(arrived)).toISOString()),
      nextRetryAt: least(known?.nextRetryAt, new Date(Number(next)).toISOString()),
    }
  }
  return { messages, recipients, destinations }
}

function least(a: string | undefined, b: string): string {
  return a === undefined || b < a ? b : a
}

function toTodo(value: unknown): { readonly domain: string; readonly rcpt_to: readonly unknown[] } {
  if (typeof value === 'object' && value !== null && 'domain' in value && 'rcpt_to' in value) {
    const { domain, rcpt_to } = value
    if (typeof domain === 'string' && Array.isArray(rcpt_to)) return { domain, rcpt_to }
  }
  throw new Error('not the head of a queue file')
}
