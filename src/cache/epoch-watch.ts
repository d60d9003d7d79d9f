/**
 * Which epoch does this process believe, and when does it advance the epoch?
 *
 * Promises: the epoch never goes back for a running process; if Redis holds an older
 * one, none or garbage, the known one is restored. When a resolver is found not to validate
 * (`lapse`), everything this process may have written is invalidated: advancing the epoch
 * is retried until it succeeds, and until then no entry is believed here. A later epoch of
 * another relay, or a purge, clears this process's memory.
 *
 * A process advances the epoch at most once for what it wrote, and writes nothing for
 * `HOLD_MS` after a lapse: an unstable resolver cannot keep emptying the cache. At its
 * start it counts as the successor of a process that wrote.
 *
 * Limits: another process's lapse is detected when the epoch is read, which is at most
 * `STALE_MS` before an entry is believed. Commands, clock and nonce are passed in.
 */
import { composeEpoch, epochKey, MAX_MARK, nextEpoch, parseEpoch, purgeKey } from './epoch.js'
import type { Epoch } from './epoch.js'
import type { Health } from './redis-health.js'
import type { Vault } from './seal.js'
import type { RedisCommands } from './redis-commands.js'

export type EpochParts = {
  readonly commands: Pick<RedisCommands, 'read' | 'set' | 'setNew'>
  readonly attempt: Health['attempt']
  readonly vault: Vault
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** The same by the wall clock. */
  readonly wall: () => number
  /** 16 random hexadecimal digits. */
  readonly nonce: () => string
  /** Clears the memory of this process. @param isNews another relay may have seen a resolver fail */
  readonly flush: (isNews: boolean) => void
  /** Called after each read of the purge token, and after `flush` if it has changed. */
  readonly noteToken?: (isChanged: boolean) => void
}

export type EpochWatch = {
  /** The epoch of entries that are believed; undefined: none is. Reads it from Redis if necessary. */
  readonly believed: () => Epoch | undefined | Promise<Epoch | undefined>
  /** The same without reading from Redis. */
  readonly current: () => Epoch | undefined
  /** The epoch for new entries; undefined: none are written at present. */
  readonly forWriting: () => Epoch | undefined
  /** Whether writing is suspended after a lapse. */
  readonly isHolding: () => boolean
  /** Reads the epoch, and completes a pending advance. Called every few seconds. */
  readonly look: () => Promise<void>
  readonly lapse: () => void
  /** Whether a lapse has yet to be written to Redis. */
  readonly isPending: () => boolean
}

export function createEpochWatch(parts: EpochParts): EpochWatch {
  const watch = new Watch(parts)
  return {
    believed: () => watch.believed(),
    current: () => watch.current(),
    forWriting: () => watch.forWriting(),
    isHolding: () => watch.isHolding(),
    look: () => watch.look(),
    lapse: () => {
      watch.lapse()
    },
    isPending: () => watch.mustMove,
  }
}

class Watch {
  private readonly parts: EpochParts
  private readonly key: string
  /** The latest ever seen. */
  private known: Epoch | undefined
  private isBelieved = false
  private seenAt = -Infinity
  private triedAt = -Infinity
  /** The first read is over: entries read before may have been invalidated since. */
  private isLate = false
  private mayHaveWritten = true
  private holdUntil = -Infinity
  private purges: string | undefined
  private looking: Promise<void> | undefined
  /** A lapse has yet to be written to Redis. */
  mustMove = false

  constructor(parts: EpochParts) {
    this.parts = parts
    this.key = epochKey(parts.vault)
  }

  current(): Epoch | undefined {
    return this.isBelieved && this.parts.now() - this.seenAt < STALE_MS ? this.known : undefined
  }

  believed(): Epoch | undefined | Promise<Epoch | undefined> {
    const epoch = this.current()
    if (epoch !== undefined) return epoch
    // Not repeatedly, if Redis refuses writes.
    const isSoon = this.parts.now() - this.triedAt < RETRY_MS
    if (this.looking === undefined && isSoon) return undefined
    return this.look().then(() => this.current())
  }

  forWriting(): Epoch | undefined {
    const epoch = this.isHolding() ? undefined : this.current()
    if (epoch !== undefined) this.mayHaveWritten = true
    return epoch
  }

  isHolding(): boolean {
    return this.parts.now() < this.holdUntil
  }

  look(): Promise<void> {
    this.looking ??= this.examine().finally(() => {
      this.looking = undefined
      this.isLate = true
    })
    return this.looking
  }

  lapse(): void {
    this.holdUntil = this.parts.now() + HOLD_MS
    if (!this.mayHaveWritten) return
    this.mustMove = true
    this.isBelieved = false
    const again = (): void => {
      if (this.mustMove) this.look().catch(nothing)
    }
    if (this.looking === undefined) again()
    else this.looking.then(again, again)
  }

  private adopt(epoch: Epoch, at: number, isOwn: boolean): void {
    const isNew = epoch !== this.known
    const isFirst = this.known === undefined
    // A lapse occurred while the same epoch was being restored.
    if (!isNew && this.mustMove) return
    this.known = epoch
    this.isBelieved = true
    this.mustMove = false
    this.seenAt = at
    if (!isNew) return
    if (isOwn || !isFirst) this.mayHaveWritten = false
    if (!isFirst || this.isLate) this.parts.flush(!isOwn && !isFirst)
  }

  private async examine(): Promise<void> {
    const { commands, attempt, vault, now } = this.parts
    const at = now()
    this.triedAt = at
    const reply = await attempt('read', async () => {
      const [epoch, token] = await Promise.all([
        commands.read(this.key, MAX_MARK),
        commands.read(purgeKey(vault), MAX_MARK),
      ])
      return { epoch, token }
    })
    if (reply === undefined) return
    this.notePurge(reply.token?.text ?? '')
    const seen = reply.epoch?.text === undefined ? undefined : parseEpoch(vault, reply.epoch.text)
    const { known, mustMove } = this
    const isLater = seen !== undefined && (known === undefined || seen > known)
    // Another process has advanced it: that invalidates what this one wrote, too.
    if (isLater && !(mustMove && known === undefined)) {
      this.adopt(seen, at, false)
      return
    }
    if (seen !== undefined && seen === known && !mustMove) {
      this.adopt(seen, at, false)
      return
    }
    await this.publish(reply.epoch === undefined, latest(seen, known), at)
  }

  /** The epoch in Redis is missing, damaged, older than the known one, or to be advanced. */
  private async publish(isAbsent: boolean, before: Epoch | undefined, at: number): Promise<void> {
    const { commands, attempt, vault, wall, nonce } = this.parts
    const isMoving = this.mustMove || this.known === undefined
    const epoch = isMoving ? nextEpoch(before, wall(), nonce()) : (this.known ?? '')
    const text = composeEpoch(vault, epoch)
    // If it is missing, another process may be about to restore the same or a later one.
    const isDone = await attempt('write', async () => {
      if (isAbsent && !this.mustMove) return commands.setNew(this.key, text, undefined)
      await commands.set(this.key, text, undefined)
      return true
    })
    if (isDone === true) this.adopt(epoch, at, true)
    else if (isDone === false) await this.examine()
  }

  private notePurge(token: string): void {
    const { flush, noteToken } = this.parts
    const isChanged = token !== this.purges && (this.purges !== undefined || this.isLate)
    this.purges = token
    if (isChanged) flush(false)
    noteToken?.(isChanged)
  }
}

function latest(one: Epoch | undefined, other: Epoch | undefined): Epoch | undefined {
  if (one === undefined || other === undefined) return one ?? other
  return one > other ? one : other
}

function nothing(): void {
  // it does not reject; if it did, the next read would do the same
}

/** The oldest reading of the epoch by which an entry is believed. */
const STALE_MS = 10_000
/** Between two reads that are caused by lookups. */
const RETRY_MS = 1_000
/** How long nothing is written after a resolver was found not to validate. */
const HOLD_MS = 600_000
