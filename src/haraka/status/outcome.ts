/**
 * How Haraka's delivery of a message ended, from what it passes to its hooks.
 *
 * For `delivered`, `deferred` and `bounce` of Haraka 3.0.4 to 3.3.4. Addresses in replies
 * are masked: the status shows no recipient. Never throws for any shape of the arguments.
 */
import { printable } from '../../text.js'
import type { Outcome } from '../../status/facts.js'
import { member } from '../host.js'
import type { Hmail } from '../host.js'

/** @param parameters `[host, ip, response, ...]` */
export function acceptedBy(parameters: unknown): Outcome {
  const host = member(parameters, '0') ?? member(parameters, '1')
  return { kind: 'accepted', host: typeof host === 'string' ? printable(host) : 'unknown' }
}

/** @param parameters `{ delay, err }`, from 3.1.2 on with `mx` */
export function deferral(hmail: Pick<Hmail, 'todo'>, parameters: unknown): Outcome {
  return notAccepted(hmail, 'deferred', member(parameters, 'err'), member(parameters, 'mx'))
}

/** @param error an Error, in some releases with `mx` */
export function returning(hmail: Pick<Hmail, 'todo'>, error: unknown): Outcome {
  return notAccepted(hmail, 'returned', member(error, 'message') ?? error, member(error, 'mx'))
}

function notAccepted(
  hmail: Pick<Hmail, 'todo'>,
  outcome: 'deferred' | 'returned',
  error: unknown,
  mx: unknown,
): Outcome {
  const text = typeof error === 'string' ? error : ''
  const recipient: unknown = hmail.todo.rcpt_to[0]
  // Haraka says so in its text; the fields may be of an earlier attempt.
  const isReply = /^(?:Upstream error:|Some recipients (?:temp )?failed)/.test(text)
  const reply = isReply ? replyOf(recipient) : undefined
  const host = isReply ? (named(mx) ?? stringOf(member(recipient, 'dsn_remote_mta'))) : undefined
  return {
    kind: 'not-accepted',
    outcome,
    host,
    phrase: isReply
      ? outcome === 'deferred'
        ? 'deferred by the host'
        : 'rejected by the host'
      : 'not delivered',
    detail: withoutAddresses(reply ?? text.replace(/^Upstream error: /, '')),
  }
}

function replyOf(recipient: unknown): string | undefined {
  const parts = ['dsn_smtp_code', 'dsn_smtp_extc', 'dsn_smtp_response'].flatMap((key) => {
    const part = member(recipient, key)
    return typeof part === 'string' || typeof part === 'number' ? [String(part)] : []
  })
  return parts.length > 0 ? parts.join(' ') : undefined
}

function named(mx: unknown): string | undefined {
  return stringOf(member(mx, 'from_dns')) ?? stringOf(member(mx, 'exchange'))
}

function stringOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}

/** Replies often repeat the recipient. */
export function withoutAddresses(text: string): string {
  return printable(text, MAX_DETAIL).replace(/[^\s<>()",;:]{0,64}@[^\s<>()",;]{1,255}/g, 'ADDRESS')
}

const MAX_DETAIL = 400
