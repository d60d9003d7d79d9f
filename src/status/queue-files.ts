/**
 * Reads Haraka's queue folder, in slices, without touching a file.
 *
 * Names are read anew for each refresh, heads once per message: they never change. Haraka's
 * own `list_queue` opens all files at once, and loses those beyond the limit of open files
 * (3.3.4) or ends the process (3.0.4).
 *
 * Promises: nothing in the folder is written, renamed, removed or locked. One slice takes
 * the event loop for `SLICE_MS`, then it is free for so long that reading has at most
 * `share` of the time. Exceptions, after which it rests as long in proportion: one head of
 * more than about 400 kB, and one file that the disk is slow to deliver. At most `MAX_FILES`.
 *
 * A file that is renamed while the folder is read may be missed; the next refresh has it.
 * Effects: reads the folder, waits.
 */
import { closeSync, constants, opendirSync, openSync, readSync } from 'node:fs'
import type { Dir } from 'node:fs'
import path from 'node:path'
import { performance } from 'node:perf_hooks'
import { setTimeout as pause } from 'node:timers/promises'
import { errorText } from '../text.js'
import {
  giveUpTimes,
  headLength,
  isUnfinished,
  LENGTH_OCTETS,
  parseHead,
  parseQueueName,
} from './queue-name.js'
import type { QueueHead, QueueName } from './queue-name.js'
import { QueueSums } from './queue-sums.js'
import type { Instant, QueueStatus, Waiting } from './status-model.js'

export type QueueView = {
  readonly status: QueueStatus
  readonly byDestination: ReadonlyMap<string, Waiting>
}

export type QueueReaderParts = {
  readonly folder: string
  /** Of the event loop's time, above 0 and below 1. */
  readonly share: number
  /** Of outbound.ini, in seconds. */
  readonly intervals: () => readonly number[]
  readonly now: () => Instant
}

/** What was read in one go through the folder. */
type Count = {
  readonly at: Instant
  readonly sums: QueueSums
  files: number
  unreadable: number
  /** There are more than MAX_FILES. */
  isCut: boolean
}

/** `head` is undefined if it could not be read. */
type Remembered = { readonly head: QueueHead | undefined; readonly readAt: Instant; round: number }

export class QueueReader {
  private readonly parts: QueueReaderParts
  private readonly remembered = new Map<string, Remembered>()
  private readonly buffer = Buffer.alloc(65_536)
  private round = 0
  private running: Promise<void> | undefined
  private current: Count | undefined
  private complete: Count | undefined
  private fault = ''
  /** No new refresh before this instant of `performance.now()`. */
  private restUntil = 0

  constructor(parts: QueueReaderParts) {
    this.parts = parts
  }

  /**
   * The queue. It is read again if that was some time ago; if that takes longer than
   * `patienceMs`, the previous result is returned, or what has been counted so far.
   */
  async look(patienceMs: number): Promise<QueueView> {
    if (this.running === undefined && performance.now() >= this.restUntil) {
      this.running = this.refresh().finally(() => {
        this.running = undefined
      })
    }
    if (this.running) await Promise.race([this.running, pause(patienceMs, undefined, UNREF)])
    return this.view()
  }

  private view(): QueueView {
    const { complete, current, fault } = this
    const shown = complete ?? current ?? emptyCount(this.parts.now())
    const { files, unreadable, sums, isCut } = shown
    const kind = fault !== '' ? 'unreadable' : complete ? 'counted' : 'counting'
    const { messages, recipients, messagesWithoutRow, oldest, next } = sums
    return {
      byDestination: sums.byDestination,
      status: {
        kind,
        at: complete?.at,
        detail: isCut ? CUT : fault,
        files,
        messages,
        recipients,
        unreadable,
        messagesWithoutRow,
        oldest,
        next,
      },
    }
  }

  /** Never rejects. */
  private async refresh(): Promise<void> {
    const pace = new Pace(this.parts.share)
    try {
      const count = emptyCount(this.parts.now())
      this.current = count
      this.round++
      await this.read(count, pace)
      this.complete = count
      this.fault = ''
      await this.forget(pace)
    } catch (error) {
      this.fault = errorText(error, 200)
    } finally {
      this.current = undefined
      const rest = Math.min(Math.max(pace.worked * REST_FACTOR, MIN_REST_MS), MAX_REST_MS)
      this.restUntil = performance.now() + rest
    }
  }

  private async read(count: Count, pace: Pace): Promise<void> {
    const givesUpAt = giveUpTimes(this.parts.intervals())
    const folder = opendirSync(this.parts.folder, { bufferSize: 256 })
    try {
      for (const { entry, name } of entries(folder)) {
        count.isCut = count.files + count.unreadable >= MAX_FILES
        if (count.isCut) return
        const head = name && entry.isFile() ? this.headOf(entry.name, name) : undefined
        if (head === undefined) count.unreadable++
        else if (head !== 'skip' && name) {
          count.files++
          count.sums.add({ name, head, givesUpAt: givesUpAt(name) }, count.at)
        }
        if (pace.isSpent) await pace.rest()
      }
    } finally {
      folder.closeSync()
    }
  }

  /** `skip`: counted already under another name, or gone. Undefined: unreadable. */
  private headOf(file: string, { key }: QueueName): QueueHead | 'skip' | undefined {
    const known = this.remembered.get(key)
    if (known?.round === this.round) return 'skip'
    const now = this.parts.now()
    if (known && (known.head !== undefined || now - known.readAt < READ_AGAIN_MS)) {
      known.round = this.round
      return known.head
    }
    const head = readHead(path.join(this.parts.folder, file), this.buffer)
    if (head !== 'skip') this.remembered.set(key, { head, readAt: now, round: this.round })
    return head
  }

  /** Messages that were there neither this time nor the time before: one was renamed perhaps. */
  private async forget(pace: Pace): Promise<void> {
    for (const [key, { round }] of this.remembered) {
      if (round < this.round - 1) this.remembered.delete(key)
      if (pace.isSpent) await pace.rest()
    }
  }
}

function* entries(folder: Dir) {
  for (let entry = folder.readSync(); entry !== null; entry = folder.readSync()) {
    if (!isUnfinished(entry.name)) yield { entry, name: parseQueueName(entry.name) }
  }
}

/** `skip`: the file is gone. Undefined: it cannot be read, or is no message. */
function readHead(file: string, buffer: Buffer): QueueHead | 'skip' | undefined {
  try {
    return headIn(openSync(file, READ_ONLY), buffer)
  } catch (error) {
    const code = codeOf(error)
    if (code === 'ENOENT') return 'skip'
    if (OF_ONE_FILE.has(code)) return undefined
    throw error
  }
}

/** Closes the file. */
function headIn(descriptor: number, buffer: Buffer): QueueHead | undefined {
  try {
    const first = buffer.subarray(0, readSync(descriptor, buffer, 0, buffer.length, 0))
    const length = headLength(first)
    if (length === undefined) return undefined
    const end = LENGTH_OCTETS + length
    if (end <= first.length) return parseHead(first.toString('utf8', LENGTH_OCTETS, end))
    const whole = Buffer.alloc(length)
    const isWhole = readSync(descriptor, whole, 0, length, LENGTH_OCTETS) === length
    return isWhole ? parseHead(whole.toString('utf8')) : undefined
  } finally {
    closeSync(descriptor)
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : ''
}

/** Work in slices, and rest in between. */
class Pace {
  private workedBefore = 0
  private begunAt = performance.now()
  private readonly share: number

  constructor(share: number) {
    this.share = share
  }

  get isSpent(): boolean {
    return performance.now() - this.begunAt >= SLICE_MS
  }

  /** Milliseconds of work so far. */
  get worked(): number {
    return this.workedBefore + performance.now() - this.begunAt
  }

  async rest(): Promise<void> {
    const elapsed = performance.now() - this.begunAt
    this.workedBefore += elapsed
    await pause(Math.max(1, elapsed * (1 / this.share - 1)), undefined, UNREF)
    this.begunAt = performance.now()
  }
}

function emptyCount(at: Instant): Count {
  return { at, sums: new QueueSums(), files: 0, unreadable: 0, isCut: false }
}

/** A symbolic link is not followed, and a FIFO does not block. */
const READ_ONLY = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW

/** Errors that say something of one file only; any other one, such as EMFILE, ends the refresh. */
const OF_ONE_FILE: ReadonlySet<string> = new Set([
  'EACCES',
  'EAGAIN',
  'EINVAL',
  'EIO',
  'EISDIR',
  'ELOOP',
  'ENXIO',
  'EPERM',
  'ESPIPE',
])

const UNREF = { ref: false } as const

/** Milliseconds of one slice. */
const SLICE_MS = 5

/** Between two refreshes: nine times what the refresh has worked, within these bounds. */
const REST_FACTOR = 9
const MIN_REST_MS = 1_000
const MAX_REST_MS = 5_000

/** A file that could not be read may be complete later: an operator may have copied it. */
const READ_AGAIN_MS = 60_000

const MAX_FILES = 1_000_000
const CUT = `the queue has more than ${MAX_FILES} files: the others are not counted`
