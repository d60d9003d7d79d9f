/**
 * Whether a report in Haraka's queue may be sent.
 *
 * A message is put into the queue before the report's state names it, so that a kill in
 * between loses nothing. Such a message is not sent: the next process sends the report
 * again, with another nonce. Rejects if the store does.
 */
import type { MailMark } from './mail-mark.js'
import { LIFE_MS } from './mail-mark.js'
import { isSettled, readProgress, targetId } from './progress.js'
import type { ReportStore } from './store.js'

export type MailRight =
  | 'send'
  /** Not known yet: ask again in some seconds. */
  | 'wait'
  /** Another message carries this report, or no process waits for it anymore. */
  | 'drop'
  /** RFC 8460 §5.5: it has been retried for 24 hours. */
  | 'expired'

export async function rightOf(store: ReportStore, mark: MailMark, at: number): Promise<MailRight> {
  if (at - mark.at >= LIFE_MS) return 'expired'
  const key = { day: mark.day, domain: mark.domain }
  const state = await store.state(key)
  const id = targetId({ kind: 'mailto', address: mark.to })
  const target = readProgress(state.note).targets.find((each) => each.id === id)
  if (target?.nonce === mark.nonce) return 'send'
  if (target !== undefined && isSettled(target)) return 'drop'
  if (state.kind === 'done') return 'drop'
  if (at - mark.at < NOTING_MS) return 'wait'
  // A store that has lost its counts cannot send it again; then this message is the report.
  return (await store.read(key)) === undefined ? 'send' : 'drop'
}

/** A process that has queued a message notes it at once; one that has not by then has ended. */
const NOTING_MS = 1_800_000
