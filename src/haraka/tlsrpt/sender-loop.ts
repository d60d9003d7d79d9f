/**
 * Tries due reports, in every process that delivers mail.
 *
 * Looks at its list every few seconds, and into the store for new counts every few minutes.
 * With several processes each report is sent by the one that gets the store's claim.
 *
 * Promises: one report at a time, at most `MOST_PER_LOOK` in each look; a store that fails
 * is reported once and tried again; nothing here throws or rejects, or keeps the process
 * from ending. A clock that jumps moves the instants; a day is sent once.
 */
import { errorText } from '../../text.js'
import { createAgenda, reportedDays } from '../../tlsrpt/agenda.js'
import { utcDay } from '../../tlsrpt/day.js'
import { askedForNow } from '../../tlsrpt/send-now.js'
import { sendReport } from '../../tlsrpt/send-report.js'
import type { SenderParts } from '../../tlsrpt/send-report.js'
import type { ReportKey } from '../../tlsrpt/store.js'
import type { ProcessLog } from '../log/process-log.js'

export type SenderLoop = { readonly stop: () => void }

/**
 * @param parts of the settings in force
 * @param retentionMs for how long counts and results are kept after the day
 */
export function startSenderLoop(
  log: Pick<ProcessLog, 'logwarn' | 'lognotice'>,
  parts: SenderParts,
  retentionMs: number,
): SenderLoop {
  const sender = new Sender(parts, retentionMs)
  let hasFailed = false

  async function run(): Promise<void> {
    try {
      await sender.look()
      if (hasFailed) log.lognotice('TLS reports are sent again')
      hasFailed = false
    } catch (error) {
      const fault = errorText(error)
      if (!hasFailed) log.logwarn(`TLS reports wait, mail is not affected: ${fault}`)
      hasFailed = true
    }
  }

  function next(): NodeJS.Timeout {
    const pause = LOOK_MS * (0.5 + Math.random())
    // Processes that started together do not ask at the same time.
    return setTimeout(() => {
      run().then(
        () => {
          if (!sender.isStopped) timer = next()
        },
        () => undefined,
      )
    }, pause).unref()
  }

  let timer = next()
  return {
    stop() {
      sender.isStopped = true
      clearTimeout(timer)
    },
  }
}

class Sender {
  isStopped = false
  private readonly agenda = createAgenda()
  private readonly parts: SenderParts
  private readonly retentionMs: number
  private askedAt: number | undefined
  private listedAt = Number.NEGATIVE_INFINITY

  constructor(parts: SenderParts, retentionMs: number) {
    this.parts = parts
    this.retentionMs = retentionMs
  }

  async look(): Promise<void> {
    const { parts, agenda } = this
    await this.list()
    const asked = await askedForNow(parts.store)
    if (asked !== undefined && asked.at !== this.askedAt) {
      this.askedAt = asked.at
      if (asked.key.day < utcDay(parts.now())) await this.attempt(asked.key)
    }
    for (const key of agenda.due(parts.now(), MOST_PER_LOOK)) {
      if (this.isStopped) return
      await this.attempt(key)
    }
  }

  private async list(): Promise<void> {
    const { agenda, parts } = this
    const { store, now } = parts
    const at = now()
    // Also after a jump of the clock, forwards or back.
    if (Math.abs(at - this.listedAt) < LIST_MS) return
    for (const day of reportedDays(await store.days(), at)) {
      agenda.list(day, await store.domains(day))
    }
    agenda.prune(at)
    await store.forget(utcDay(at - this.retentionMs))
    this.listedAt = at
  }

  private async attempt(key: ReportKey): Promise<void> {
    const { agenda, parts } = this
    // If it fails, the others come first.
    agenda.postpone(key, parts.now() + FAULT_PAUSE_MS)
    const result = await sendReport(parts, key)
    switch (result.kind) {
      case 'done':
        agenda.finish(key)
        return
      case 'later':
        agenda.postpone(key, result.at)
        return
      case 'not-ours': {
        const { kind, notBefore } = await parts.store.state(key)
        if (kind === 'done') agenda.finish(key)
        else agenda.postpone(key, Math.max(notBefore, parts.now() + OTHERS_MS))
      }
    }
  }
}

const LOOK_MS = 5_000
/** Sixty a minute in each process. */
const MOST_PER_LOOK = 5
const LIST_MS = 300_000
const FAULT_PAUSE_MS = 300_000
/** A process that holds a report and ends is followed by another after that. */
const OTHERS_MS = 120_000
