/**
 * Replaces methods of one hmail.
 *
 * Promises: if one method cannot be replaced, all others still are; those that could not be
 * replaced are returned.
 */
import { errorText } from '../text.js'
import type { Step } from './attempt/haraka-steps.js'
import { member } from './host.js'
import type { Hmail, Plugin } from './host.js'
import { logFault } from './log/mail-log.js'
import { catchRejection } from './rejections.js'

/** Some of an hmail's methods; those that some releases lack may be undefined. */
type MayLack<Name extends keyof Hmail> = {
  readonly [K in Name]: Hmail[K] | (undefined extends Hmail[K] ? undefined : never)
}

/** The methods through which Haraka routes and delivers a message. */
export type RoutingMethods = MayLack<
  'get_mx_respond' | 'found_mx' | 'try_deliver' | 'try_deliver_host_on_socket' | 'get_force_tls'
>

/** The methods through which Haraka settles a message. */
export type SettlingMethods = MayLack<Step>

/** Methods that Haraka calls without awaiting what they return. */
type UnawaitedMethods = MayLack<
  | 'loginfo'
  | 'lognotice'
  | 'logwarn'
  | 'logerror'
  | 'logcrit'
  | 'get_mx'
  | 'sort_mx'
  | 'extend_rcpt_with_dsn'
  | 'data_stream'
  | 'populate_bounce_message'
  | 'double_bounce'
  | 'split_to_new_recipients'
>

/**
 * Puts these methods on the hmail. Methods that Haraka does not await are wrapped: where
 * another plugin replaced one by a function that rejects, the process would end.
 *
 * @returns the names of the routing and settling methods that cannot be replaced
 */
export function putOwnMethods(
  plugin: Plugin,
  hmail: Hmail,
  routing: RoutingMethods,
  settling: SettlingMethods,
): readonly string[] {
  const contained = containedMethods(plugin, hmail)
  try {
    assignRouting(hmail, routing)
    assignSettling(hmail, settling)
    assignUnawaited(hmail, contained)
  } catch {
    // One of them is read-only: each is tried by itself below.
  }
  putEach(hmail, contained)
  return [...putEach(hmail, routing), ...putEach(hmail, settling)]
}

/** @returns the names of those that cannot be replaced */
function putEach(
  hmail: Hmail,
  methods: RoutingMethods | SettlingMethods | UnawaitedMethods,
): readonly string[] {
  const isPut = (name: string, method: unknown): boolean => {
    if (method === undefined || member(hmail, name) === method) return true
    try {
      return Reflect.set(hmail, name, method) && member(hmail, name) === method
    } catch {
      // Another plugin has put a setter there that throws.
      return false
    }
  }
  return Object.entries(methods)
    .filter(([name, method]) => !isPut(name, method))
    .map(([name]) => name)
}

// One assignment by name for each method: V8 turns an object that gets as many properties
// by computed keys into a hash table, which makes each later access of Haraka slower.

function assignRouting(hmail: Hmail, own: RoutingMethods): void {
  hmail.get_mx_respond = own.get_mx_respond
  hmail.found_mx = own.found_mx
  hmail.try_deliver = own.try_deliver
  hmail.try_deliver_host_on_socket = own.try_deliver_host_on_socket
  hmail.get_force_tls = own.get_force_tls
}

function assignSettling(hmail: Hmail, own: SettlingMethods): void {
  hmail.temp_fail = own.temp_fail
  hmail.bounce = own.bounce
  hmail.delivered = own.delivered
  hmail.discard = own.discard
  // These are not in every release.
  if (own.send_email_respond) hmail.send_email_respond = own.send_email_respond
  if (own.deferred_respond) hmail.deferred_respond = own.deferred_respond
  if (own.bounce_respond) hmail.bounce_respond = own.bounce_respond
  if (own.delivered_respond) hmail.delivered_respond = own.delivered_respond
  if (own.convert_temp_failed_to_bounce) {
    hmail.convert_temp_failed_to_bounce = own.convert_temp_failed_to_bounce
  }
}

function assignUnawaited(hmail: Hmail, own: UnawaitedMethods): void {
  hmail.loginfo = own.loginfo
  hmail.lognotice = own.lognotice
  hmail.logwarn = own.logwarn
  hmail.logerror = own.logerror
  hmail.logcrit = own.logcrit
  if (own.get_mx) hmail.get_mx = own.get_mx
  if (own.sort_mx) hmail.sort_mx = own.sort_mx
  if (own.extend_rcpt_with_dsn) hmail.extend_rcpt_with_dsn = own.extend_rcpt_with_dsn
  if (own.data_stream) hmail.data_stream = own.data_stream
  if (own.populate_bounce_message) hmail.populate_bounce_message = own.populate_bounce_message
  if (own.double_bounce) hmail.double_bounce = own.double_bounce
  if (own.split_to_new_recipients) hmail.split_to_new_recipients = own.split_to_new_recipients
}

function containedMethods(plugin: Plugin, hmail: Hmail): UnawaitedMethods {
  function contained<T>(name: keyof UnawaitedMethods, method: T): T | Method {
    if (typeof method !== 'function') return method
    return (...args) => {
      const result: unknown = Reflect.apply(method, hmail, args)
      catchRejection(result, (error) => {
        const text = `unexpected error in ${name}: ${errorText(error)}`
        logFault(plugin, hmail, 'logerror', text)
      })
      return result
    }
  }
  return {
    loginfo: contained('loginfo', hmail.loginfo),
    lognotice: contained('lognotice', hmail.lognotice),
    logwarn: contained('logwarn', hmail.logwarn),
    logerror: contained('logerror', hmail.logerror),
    logcrit: contained('logcrit', hmail.logcrit),
    get_mx: contained('get_mx', hmail.get_mx),
    sort_mx: contained('sort_mx', hmail.sort_mx),
    extend_rcpt_with_dsn: contained('extend_rcpt_with_dsn', hmail.extend_rcpt_with_dsn),
    data_stream: contained('data_stream', hmail.data_stream),
    populate_bounce_message: contained('populate_bounce_message', hmail.populate_bounce_message),
    double_bounce: contained('double_bounce', hmail.double_bounce),
    split_to_new_recipients: contained('split_to_new_recipients', hmail.split_to_new_recipients),
  }
}

type Method = (...args: readonly unknown[]) => unknown
