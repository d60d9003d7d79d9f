/**
 * Adds up the messages of the queue by destination.
 *
 * Bounded: `MAX_DESTINATIONS` have sums of their own, those that were met first; mail for
 * further ones is only counted. Pure.
 */
import { MAX_DESTINATIONS } from './status-model.js'
import type { Instant, OldestMessage, Waiting } from './status-model.js'
import type { QueueHead, QueueName } from './queue-name.js'

type Sums = { -readonly [K in keyof Waiting]: Waiting[K] }

/** A message whose head is known. */
export type QueuedMessage = {
  readonly name: QueueName
  readonly head: QueueHead
  readonly givesUpAt: Instant
}

export class QueueSums {
  messages = 0
  recipients = 0
  messagesWithoutRow = 0
  oldest: OldestMessage | undefined
  next: { readonly at: Instant; readonly destination: string } | undefined
  private readonly sums = new Map<string, Sums>()

  get byDestination(): ReadonlyMap<string, Waiting> {
    return this.sums
  }

  add({ name, head, givesUpAt }: QueuedMessage, now: Instant): void {
    const { arrivedAt, nextAttemptAt } = name
    const { destination, recipients } = head
    this.messages++
    this.recipients += recipients
    if (this.oldest === undefined || arrivedAt < this.oldest.arrivedAt) {
      this.oldest = { destination, arrivedAt, givesUpAt }
    }
    const isDue = nextAttemptAt <= now
    if (!isDue && (this.next === undefined || nextAttemptAt < this.next.at)) {
      this.next = { at: nextAttemptAt, destination }
    }
    const sums = this.sumsFor(destination)
    if (sums === undefined) {
      this.messagesWithoutRow++
      return
    }
    sums.messages++
    sums.recipients += recipients
    sums.oldestAt = earlier(sums.oldestAt, arrivedAt)
    sums.givesUpAt = earlier(sums.givesUpAt, givesUpAt)
    if (isDue) sums.due++
    else sums.nextRetryAt = earlier(sums.nextRetryAt, nextAttemptAt)
  }

  private sumsFor(destination: string): Sums | undefined {
    const known = this.sums.get(destination)
    if (known || this.sums.size >= MAX_DESTINATIONS) return known
    const made = { ...NOTHING_WAITS }
    this.sums.set(destination, made)
    return made
  }
}

function earlier(a: Instant | undefined, b: Instant): Instant {
  return a === undefined || b < a ? b : a
}

export const NOTHING_WAITS: Waiting = {
  messages: 0,
  recipients: 0,
  due: 0,
  oldestAt: undefined,
  givesUpAt: undefined,
  nextRetryAt: undefined,
}
