/**
 * How many views a process answers: enough for a hundred watchers, few enough that they
 * never take more than a small part of it from mail.
 *
 * Pure; the instant is passed in.
 */
import type { Instant } from '../status-model.js'

export class Admission {
  private left = BURST
  private at: Instant = 0
  private open = 0

  /** True: the view may be made, and `leave` has to be called when it is done. */
  enter(now: Instant): boolean {
    const passed = Math.max(0, now - this.at)
    this.left = Math.min(BURST, this.left + (passed / 1_000) * PER_SECOND)
    this.at = now
    if (this.left < 1 || this.open >= AT_ONCE) return false
    this.left--
    this.open++
    return true
  }

  leave(): void {
    this.open--
  }
}

/** A browser asks every five seconds. */
const PER_SECOND = 20
const BURST = 40
export const AT_ONCE = 20

/** When a refused browser may come again. */
export const RETRY_AFTER_SECONDS = 10
