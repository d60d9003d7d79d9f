/**
 * The methods that replace those by which Haraka settles an hmail.
 *
 * They call the settlement of the current attempt. A method that this release of Haraka
 * does not have remains undefined.
 */
import type { HarakaSteps, Step } from './attempt/haraka-steps.js'
import type { Settlement } from './attempt/settlement.js'
import type { SettlingMethods } from './own-methods.js'

export type SettlingParts = {
  /** Of the current attempt. */
  readonly settlement: () => Settlement
  /** Called before Haraka defers, returns, delivers or discards the message. */
  readonly onEnd: () => void
  /** Called after Haraka has settled a message that a host has accepted. */
  readonly onDelivered: () => void
  readonly onSendEmail: (args: readonly unknown[]) => void
}

export function settlingMethods(steps: HarakaSteps, parts: SettlingParts): SettlingMethods {
  const { settlement, onEnd, onSendEmail } = parts
  const ending =
    (act: (args: readonly unknown[]) => void) =>
    (...args: readonly unknown[]): void => {
      onEnd()
      act(args)
    }
  const where = (name: Step, act: (args: readonly unknown[]) => void) =>
    steps.has(name)
      ? (...args: readonly unknown[]): void => {
          act(args)
        }
      : undefined
  return {
    temp_fail: ending((args) => {
      settlement().tempFail(args)
    }),
    bounce: ending((args) => {
      settlement().bounce(args)
    }),
    delivered: ending((args) => {
      const isFirst = settlement().isOpen
      settlement().delivered(args)
      if (isFirst) parts.onDelivered()
    }),
    discard: ending(() => {
      settlement().discard()
    }),
    send_email_respond: where('send_email_respond', onSendEmail),
    deferred_respond: where('deferred_respond', (args) => {
      settlement().deferredRespond(args)
    }),
    convert_temp_failed_to_bounce: where('convert_temp_failed_to_bounce', (args) => {
      settlement().convertToBounce(args)
    }),
    bounce_respond: where('bounce_respond', (args) => {
      settlement().bounceRespond(args)
    }),
    delivered_respond: where('delivered_respond', (args) => {
      settlement().deliveredRespond(args)
    }),
  }
}
