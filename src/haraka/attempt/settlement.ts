/**
 * Defers, returns or delivers a message, once per attempt, with Haraka's own methods.
 *
 * They run other plugins' hooks, write to disk and may have been replaced, so each step is
 * checked for its effect. A step that failed is tried once more with the method of
 * Haraka's own class; if that fails too, the message is put back for `HOLD_SECONDS`, and if
 * that is impossible, the log names the file that waits for the next start of Haraka.
 *
 * Promises: nothing thrown or rejected leaves these functions. A message is deferred or
 * returned once per attempt, its failures are counted once, and its place in the delivery
 * queue is freed once. A message whose deferral does not end within `PATIENCE_MS` is put
 * back, so that no place is lost.
 */
import { printable } from '../../text.js'
import { member } from '../host.js'
import type { Hmail, Plugin } from '../host.js'
import { logFault } from '../log/mail-log.js'
import type { HarakaSteps, Step } from './haraka-steps.js'

export type SettlementParts = {
  readonly plugin: Plugin
  readonly hmail: Hmail
  readonly steps: HarakaSteps
  /** Haraka's constant. */
  readonly delay: number
}

export class Settlement {
  private stage: 'open' | 'deferring' | 'returning' | 'delivered' | 'retired' | 'over' = 'open'
  private hasResponded = false
  private hasBounced = false
  private timer: NodeJS.Timeout | undefined
  private readonly failures: number | undefined
  private readonly free: (() => unknown) | undefined
  private readonly custody: () => void
  private readonly parts: SettlementParts

  /** Replaces `next_cb`, which Haraka sets for each attempt. */
  constructor(parts: SettlementParts) {
    this.parts = parts
    const { hmail } = parts
    this.failures = hmail.num_failures
    this.free = typeof hmail.next_cb === 'function' ? hmail.next_cb.bind(hmail) : undefined
    this.custody = () => {
      this.over()
    }
    hmail.next_cb = this.custody
  }

  /** Haraka has begun another attempt: this one is settled, and `next_cb` is a new one. */
  get isPast(): boolean {
    return this.stage !== 'open' && this.parts.hmail.next_cb !== this.custody
  }

  /** Nothing has been decided yet. */
  get isOpen(): boolean {
    return this.stage === 'open'
  }

  /** The message is returned: at once, or because this was the last attempt. */
  get isReturning(): boolean {
    return this.hasBounced
  }

  /** The next attempt has begun: from now on only the place is freed here. */
  retire(): void {
    if (this.stage !== 'over') this.stage = 'retired'
    clearTimeout(this.timer)
  }

  /** Calls `late` unless the attempt makes progress within this time. */
  expect(milliseconds: number, late: () => void): void {
    clearTimeout(this.timer)
    if (this.isSettled()) return
    this.timer = setTimeout(late, milliseconds)
    this.timer.unref()
  }

  /** The attempt has made progress. */
  progress(): void {
    clearTimeout(this.timer)
  }

  /** The send_email hooks are done: Haraka asks for the next hop, or puts the message back. */
  respondToSendEmail(args: readonly unknown[], hasBegun: () => boolean): void {
    this.twice('send_email_respond', args, hasBegun)
  }

  tempFail(args: readonly unknown[]): void {
    if (this.stage !== 'open') return
    this.stage = 'deferring'
    this.awaitEnd(0)
    const { hmail } = this.parts
    const hasBegun = (isThrown: boolean): boolean => {
      if (this.hasResponded || this.isDone() || this.isRunning('deferred')) return true
      return !isThrown && (this.failures === undefined || hmail.num_failures !== this.failures)
    }
    if (!this.twice('temp_fail', args, hasBegun)) this.hold()
  }

  /** The deferred hooks are done: Haraka renames the file. Once an attempt. */
  deferredRespond(args: readonly unknown[]): void {
    if (this.stage !== 'deferring' || this.hasResponded) return
    this.hasResponded = true
    this.countOnce()
    if (!this.twice('deferred_respond', args, (isThrown) => !isThrown)) this.hold()
  }

  /** This was the last attempt, unless Haraka counted its failure twice. */
  convertToBounce(args: readonly unknown[]): void {
    const { num_failures: failures } = this.parts.hmail
    const isCountedTwice =
      this.failures !== undefined && failures !== undefined && failures > this.failures + 1
    if (this.stage !== 'deferring' || this.hasResponded || isCountedTwice) return
    const name = 'convert_temp_failed_to_bounce'
    if (!this.twice(name, args, () => this.isDone())) this.bounce(args)
  }

  bounce(args: readonly unknown[]): void {
    const { hmail } = this.parts
    const before = this.stage
    if (before !== 'open' && before !== 'deferring') return
    this.stage = 'returning'
    this.hasBounced = true
    this.awaitEnd(0)
    hmail.bounce_error = null
    const hasBegun = (isThrown: boolean): boolean =>
      this.isFreed() || this.isRunning('bounce') || (!isThrown && this.hasBounceError())
    if (this.twice('bounce', args, hasBegun)) return
    if (before === 'deferring') {
      this.hold()
      return
    }
    this.stage = 'open'
    this.hasBounced = false
    this.tempFail(args)
  }

  bounceRespond(args: readonly unknown[]): void {
    if (this.stage !== 'returning') return
    if (!this.twice('bounce_respond', args, (isThrown) => !isThrown)) this.hold()
  }

  /** A host has accepted the message: it must not be sent again. */
  delivered(args: readonly unknown[]): void {
    if (this.stage !== 'open') {
      const { plugin, hmail } = this.parts
      const text = 'a host accepted this message after it had been deferred: it may arrive twice'
      logFault(plugin, hmail, 'logerror', text)
      return
    }
    this.stage = 'delivered'
    this.awaitEnd(0)
    const hasBegun = (): boolean =>
      this.hasResponded || this.isFreed() || this.isRunning('delivered')
    if (!this.twice('delivered', args, hasBegun)) this.discard()
  }

  deliveredRespond(args: readonly unknown[]): void {
    if (this.hasResponded) return
    this.hasResponded = true
    const { hmail } = this.parts
    const before = hmail.refcount
    const hasBegun = (isThrown: boolean): boolean =>
      this.isFreed() || (before === undefined ? !isThrown : hmail.refcount !== before)
    if (!this.twice('delivered_respond', args, hasBegun)) this.discard()
  }

  /** Releases one reference to the message; the last release removes its file. */
  discard(): void {
    const { hmail } = this.parts
    const before = hmail.refcount
    const hasBegun = (isThrown: boolean): boolean =>
      this.isFreed() || (before === undefined ? !isThrown : hmail.refcount !== before)
    if (!this.twice('discard', [], hasBegun)) this.giveUp()
  }

  /** Runs this step of Haraka, and once more if that had no effect. */
  private twice(name: Step, args: readonly unknown[], hasBegun: (isThrown: boolean) => boolean) {
    for (const call of this.parts.steps.waysTo(name)) {
      const isThrown = !this.run(name, () => call(...args))
      if (hasBegun(isThrown)) return true
      if (name === 'temp_fail') this.rewind()
    }
    return false
  }

  /** False if it threw. What it rejects later is reported, and the message held. */
  private run(name: string, call: () => unknown): boolean {
    return this.parts.steps.run(name, call, () => {
      this.hold()
    })
  }

  /** As it was before temp_fail, which counts the failure first and refuses to run two hooks. */
  private rewind(): void {
    const { hmail } = this.parts
    if (this.failures !== undefined) hmail.num_failures = this.failures
    Reflect.set(hmail, 'hooks_to_run', [])
  }

  private countOnce(): void {
    const { hmail } = this.parts
    if (this.failures === undefined || hmail.num_failures === undefined) return
    hmail.num_failures = Math.min(hmail.num_failures, this.failures + 1)
  }

  private awaitEnd(waited: number): void {
    this.expect(PATIENCE_MS, () => {
      const isAsking = ['deferred', 'bounce', 'delivered'].some((hook) => this.isRunning(hook))
      // Deferred recipients are first copied to files of their own.
      const isCopying = this.stage === 'delivered' && Number(this.parts.hmail.refcount) > 0
      const isBusy = isAsking || (isCopying && this.hasResponded)
      if (isBusy && waited < MAX_HOOKS_MS) this.awaitEnd(waited + PATIENCE_MS)
      else this.hold()
    })
  }

  /** Back into the queue without counting a failure; never for a message that was accepted. */
  private hold(): void {
    if (this.isSettled()) return
    if (this.stage === 'delivered') {
      this.giveUp()
      return
    }
    const { plugin, hmail, steps, delay } = this.parts
    if (this.failures !== undefined) hmail.num_failures = this.failures
    // The method of Haraka's class, if it has one.
    const call = steps.waysTo('send_email_respond').at(-1)
    const isHeld =
      call !== undefined && this.run('send_email_respond', () => call(delay, HOLD_SECONDS))
    if (isHeld && this.isFreed()) {
      logFault(
        plugin,
        hmail,
        'logerror',
        `message held for ${HOLD_SECONDS} s, Haraka did not defer it`,
      )
    } else this.giveUp()
  }

  /** The last resort: the place is freed, and the file stays in the queue until the next start. */
  private giveUp(): void {
    if (this.isSettled()) return
    const { plugin, hmail } = this.parts
    const { filename } = hmail
    const file = printable(typeof filename === 'string' ? filename : 'unknown')
    const isTaken = this.stage === 'delivered'
    this.over()
    const text = isTaken
      ? `queue file ${file} could not be removed: a host has accepted the message, and Haraka would send it again after its next start`
      : `queue file ${file} waits for the next start of Haraka: the message could not be deferred`
    logFault(plugin, hmail, 'logcrit', text)
  }

  private over(): void {
    if (this.stage === 'over') return
    this.stage = 'over'
    clearTimeout(this.timer)
    const { free } = this
    if (free) this.run('next_cb', free)
  }

  private isFreed(): boolean {
    return this.stage === 'over'
  }

  private isSettled(): boolean {
    return this.stage === 'over' || this.stage === 'retired'
  }

  private isDone(): boolean {
    return this.stage === 'returning' || this.stage === 'over'
  }

  private hasBounceError(): boolean {
    return Boolean(this.parts.hmail.bounce_error ?? !('bounce_respond' in this.parts.hmail))
  }

  /** Whether other plugins' hooks of this name are running. */
  private isRunning(hook: string): boolean {
    const { hmail } = this.parts
    return member(hmail, 'hook') === hook && Boolean(member(hmail, 'current_hook'))
  }
}

/** Seconds until Haraka retries a message that it did not defer. */
export const HOLD_SECONDS = 300
/** Milliseconds for a step without hooks of other plugins. */
const PATIENCE_MS = 30_000
/** Milliseconds for the hooks of other plugins. */
const MAX_HOOKS_MS = 600_000
