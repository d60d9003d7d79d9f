/**
 * A minimal model of a message in Haraka's outbound: a class with the methods that settle
 * it, as in outbound/hmail.js, and a count of their effects.
 */
import type { Hmail, Plugin } from '../../src/haraka/host.js'

const nothing = (): undefined => undefined

const PLUGIN = {
  name: 'dane',
  config: { get: nothing },
  register_hook: nothing,
  haraka_require: nothing,
  logdebug: nothing,
  loginfo: nothing,
  lognotice: nothing,
  logwarn: nothing,
  logerror: nothing,
  logcrit: nothing,
} satisfies Plugin

export class FakeHmail implements Hmail {
  readonly todo = { domain: 'example.org', rcpt_to: [] }
  readonly filename = 'queue-file'
  readonly events: string[] = []
  readonly log: string[] = []
  num_failures = 0
  refcount = 1
  bounce_error: unknown = null
  mxlist = []
  force_tls = false
  hook: string | null = null
  current_hook: unknown = null
  next_cb: () => unknown = () => this.events.push('freed')
  /** The number of elements in temp_fail_intervals. */
  intervals = 3
  get_mx_respond = nothing
  found_mx = nothing
  try_deliver = nothing
  try_deliver_host_on_socket = nothing
  get_force_tls = (): boolean => false
  loginfo = nothing
  lognotice = nothing
  logwarn = nothing
  logerror = (_: unknown, text: unknown): void => void this.log.push(`error ${String(text)}`)
  logcrit = (_: unknown, text: unknown): void => void this.log.push(`crit ${String(text)}`)

  temp_fail(...args: readonly unknown[]): unknown {
    this.num_failures++
    if (this.num_failures > this.intervals) return this.convert_temp_failed_to_bounce(...args)
    return this.deferred_respond(...args)
  }

  deferred_respond(...args: readonly unknown[]): unknown {
    this.events.push(`deferred ${this.num_failures} ${String(args[0])}`)
    return this.next_cb()
  }

  convert_temp_failed_to_bounce(...args: readonly unknown[]): unknown {
    return this.bounce(...args)
  }

  bounce(...args: readonly unknown[]): unknown {
    this.bounce_error = args[0]
    return this.bounce_respond()
  }

  bounce_respond(): unknown {
    this.events.push(`returned ${String(this.bounce_error)}`)
    return this.discard()
  }

  delivered(): unknown {
    this.events.push('delivered')
    return this.delivered_respond()
  }

  delivered_respond(): unknown {
    return this.discard()
  }

  discard(): unknown {
    this.refcount--
    if (this.refcount === 0) {
      this.events.push('removed')
      this.next_cb()
    }
    return undefined
  }

  send_email_respond(...args: readonly unknown[]): unknown {
    this.events.push(`held ${String(args[1])}`)
    return this.next_cb()
  }
}

export { PLUGIN }
