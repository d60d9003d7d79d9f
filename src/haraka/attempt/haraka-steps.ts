/**
 * Runs the methods with which Haraka settles a message.
 *
 * Each exists in two forms: as the hmail had it before this plugin replaced it, and as
 * Haraka's class has it.
 *
 * Promises: nothing that such a method throws or rejects leaves `run`.
 */
import { errorText } from '../../text.js'
import type { Hmail, Plugin } from '../host.js'
import { logFault } from '../log/mail-log.js'
import { catchRejection } from '../rejections.js'

export type Step =
  | 'temp_fail'
  | 'deferred_respond'
  | 'convert_temp_failed_to_bounce'
  | 'bounce'
  | 'bounce_respond'
  | 'delivered'
  | 'delivered_respond'
  | 'discard'
  | 'send_email_respond'

type Call = (...args: readonly unknown[]) => unknown

export class HarakaSteps {
  private readonly plugin: Plugin
  private readonly hmail: Hmail
  private readonly original: Readonly<Record<Step, Call | undefined>>

  /** Must be created before the methods of this hmail are replaced. */
  constructor(plugin: Plugin, hmail: Hmail) {
    this.plugin = plugin
    this.hmail = hmail
    const bound = (name: Step): Call | undefined => bind(hmail, hmail[name])
    this.original = {
      temp_fail: bound('temp_fail'),
      deferred_respond: bound('deferred_respond'),
      convert_temp_failed_to_bounce: bound('convert_temp_failed_to_bounce'),
      bounce: bound('bounce'),
      bounce_respond: bound('bounce_respond'),
      delivered: bound('delivered'),
      delivered_respond: bound('delivered_respond'),
      discard: bound('discard'),
      send_email_respond: bound('send_email_respond'),
    }
  }

  /** Whether this release of Haraka has it. */
  has(name: Step): boolean {
    return this.original[name] !== undefined
  }

  /** The hmail's own method, then that of its class: another plugin may have replaced the first. */
  waysTo(name: Step): readonly Call[] {
    const { hmail } = this
    const own: unknown = Reflect.get(Object.getPrototypeOf(hmail) ?? {}, name)
    return [this.original[name], bind(hmail, own)].filter((call) => call !== undefined)
  }

  /**
   * @param onRejected called if what `call` returned is a promise that is rejected later
   * @returns false if `call` threw
   */
  run(name: string, call: () => unknown, onRejected: () => void): boolean {
    const failed = (error: unknown): void => {
      const text = `Haraka's ${name} failed: ${errorText(error)}`
      logFault(this.plugin, this.hmail, 'logerror', text)
    }
    try {
      catchRejection(call(), (error) => {
        failed(error)
        onRejected()
      })
      return true
    } catch (error) {
      failed(error)
      return false
    }
  }
}

function bind(hmail: Hmail, method: unknown): Call | undefined {
  if (typeof method !== 'function') return undefined
  return (...args): unknown => Reflect.apply(method, hmail, args)
}
