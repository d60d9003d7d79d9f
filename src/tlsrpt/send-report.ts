/**
 * Sends the report of one (day, domain) to all places that its record names.
 *
 * Exactly one process does it, by the store's claim, and the state says at any moment what
 * may have left: a POST is noted before its last octet, and a mail leaves Haraka's queue
 * only if the state names its nonce (mail-right.ts). So a kill at any moment neither
 * repeats a report nor loses one; only a POST whose answer no process saw stays unknown.
 *
 * Promises: asks for the record again (RFC 8460 §3), tries every `rua`, and gives up after
 * 24 hours (RFC 8460 §5.5). Rejects if the store does: then the state stays as it was noted,
 * and the report is tried again when the claim has ended.
 */
import type { ReportEvent, ReportOutcome } from '../report-event.js'
import { compress } from './compose-mail.js'
import type { DayCounts } from './counts.js'
import { toEndpoint } from './endpoint.js'
import type { Endpoint } from './endpoint.js'
import type { PostResult } from './post.js'
import { isSettled, progressText, readProgress, targetId, uriText, withTarget } from './progress.js'
import type { Progress, Target, TargetResult } from './progress.js'
import { noteAcceptance, noteOutcome, noteRefusal, whySpared } from './receivers.js'
import { isAcceptable } from './record.js'
import type { FindRecord, ReportUri, TlsrptRecord } from './record.js'
import { hasFailures, toReport } from './report.js'
import type { Reporter } from './report.js'
import { isTooOld, retryAt } from './schedule.js'
import type { Claim, ReportKey, ReportState, ReportStore } from './store.js'

export type QueuedMail = {
  readonly key: ReportKey
  readonly to: string
  readonly nonce: string
  readonly counts: DayCounts
  readonly json: string
}

export type QueueResult =
  | { readonly kind: 'queued' }
  /** The address is not one that mail can be sent to. */
  | { readonly kind: 'refused'; readonly detail: string }
  | { readonly kind: 'failed'; readonly detail: string }

export type SenderParts = {
  readonly store: ReportStore
  readonly findRecord: FindRecord
  readonly reporter: Reporter
  readonly isOnlyFailures: boolean
  /** A record that is not secure names no place that may have the report. */
  readonly isDnssecRequired: boolean
  /** The operator wants no report to this domain. */
  readonly isExcluded: (domain: ReportKey['domain']) => boolean
  readonly post: (
    endpoint: Endpoint,
    body: Buffer,
    beforeLast: () => Promise<boolean>,
  ) => Promise<PostResult>
  /** Hands a mail to Haraka's queue. */
  readonly queue: (mail: QueuedMail) => Promise<QueueResult>
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** A new one each time. */
  readonly nonce: () => string
  readonly report: (event: ReportEvent) => void
}

export type SendResult =
  /** Another process has it, or it is done, or not due. */
  | { readonly kind: 'not-ours' }
  /** @see ReportState: never touched again; `why` is for people. */
  | { readonly kind: 'done'; readonly why: string }
  | { readonly kind: 'later'; readonly at: number; readonly why: string }

export async function sendReport(parts: SenderParts, key: ReportKey): Promise<SendResult> {
  const claim = await parts.store.claim(key, parts.now(), LEASE_MS)
  if (claim === undefined) return { kind: 'not-ours' }
  try {
    return await new Sending(parts, claim).run()
  } catch (error) {
    if (error instanceof LostClaim) return { kind: 'not-ours' }
    // The state is what was noted last; a release that fails ends with the lease.
    await parts.store.release(claim).catch(() => undefined)
    throw error
  }
}

/** Another process has claimed the report: this one must stop. */
class LostClaim extends Error {}

class Sending {
  private readonly parts: SenderParts
  private readonly claim: Claim
  private readonly key: ReportKey
  private progress: Progress
  /** Of the record, once it was asked for. */
  private isSecure: boolean | undefined

  constructor(parts: SenderParts, claim: Claim) {
    this.parts = parts
    this.claim = claim
    this.key = { day: claim.day, domain: claim.domain }
    this.progress = readProgress(claim.state.note)
  }

  async run(): Promise<SendResult> {
    const { parts, key } = this
    if (isTooOld(key, parts.now())) return this.done('older than 48 hours')
    if (parts.isExcluded(key.domain)) return this.done('excluded by dane.ini')
    const counts = await parts.store.read(key)
    if (counts === undefined) return this.done('nothing was counted')
    if (parts.isOnlyFailures && !hasFailures(counts)) return this.done('no failures')
    const { attempts, firstAt } = this.progress
    this.progress = {
      ...this.progress,
      attempts: attempts + 1,
      firstAt: attempts === 0 ? parts.now() : firstAt,
    }
    // RFC 8460 §3: the record of the time of sending decides.
    const lookup = await parts.findRecord(key.domain)
    if (lookup.kind === 'none') return this.done('no TLSRPT record')
    if (lookup.kind === 'failed') return this.later(`no answer from DNS: ${lookup.detail}`, [])
    this.isSecure = lookup.isSecure
    return this.sendTo(lookup.record, counts)
  }

  private async sendTo({ rua }: TlsrptRecord, counts: DayCounts): Promise<SendResult> {
    const { json } = toReport(counts, this.parts.reporter)
    for (const uri of rua) await this.tryPlace(uri, counts, json)
    const ids = new Set(rua.map(targetId))
    const places = this.progress.targets.filter(({ id }) => ids.has(id))
    if (places.every(isSettled)) return this.done('all places were tried')
    const waiting = rua.filter((uri) =>
      places.some((place) => place.id === targetId(uri) && !isSettled(place)),
    )
    return this.later('not accepted everywhere yet', waiting)
  }

  private async tryPlace(uri: ReportUri, counts: DayCounts, json: string): Promise<void> {
    const { parts } = this
    const known = this.progress.targets.find(({ id }) => id === targetId(uri))
    if (known?.result === 'sending') {
      // The process that sent it has ended before it knew. RFC 8460 has no way to ask.
      const detail = 'the sender ended before the answer came'
      await this.settle(uri, { result: 'unknown', outcome: 'unknown', detail })
      return
    }
    if (known !== undefined && isSettled(known)) return
    const spared = this.whyUnsigned() ?? (await whySpared(parts.store, uri, parts.now()))
    if (spared !== undefined) {
      await this.settle(uri, { result: 'refused', outcome: 'spared', detail: spared })
      return
    }
    if (uri.kind === 'mailto') await this.mail(uri, counts, json)
    else await this.post(uri, json)
  }

  private whyUnsigned(): string | undefined {
    const { isSecure = false } = this
    return isAcceptable({ isSecure }, this.parts.isDnssecRequired)
      ? undefined
      : 'the record is not signed, and dane.ini has require_dnssec = yes'
  }

  private async mail(
    uri: Extract<ReportUri, { kind: 'mailto' }>,
    counts: DayCounts,
    json: string,
  ): Promise<void> {
    const { parts, key } = this
    const nonce = parts.nonce()
    const result = await parts.queue({ key, to: uri.address, nonce, counts, json })
    switch (result.kind) {
      case 'queued': {
        // Only now may the message leave the queue: with this nonce.
        const settled = { result: 'queued', outcome: 'queued', detail: '', nonce } as const
        await this.settle(uri, settled)
        return
      }
      case 'refused':
      case 'failed':
        await this.missed(uri, result)
    }
  }

  private async post(uri: Extract<ReportUri, { kind: 'https' }>, json: string): Promise<void> {
    const check = toEndpoint(uri.url)
    if (check.kind === 'refused') {
      await this.missed(uri, check)
      return
    }
    const result = await this.parts.post(check.endpoint, compress(json), async () => {
      this.progress = withTarget(this.progress, { id: targetId(uri), result: 'sending' })
      await this.note('sending')
      return true
    })
    if (result.kind === 'accepted') {
      await this.settle(uri, { result: 'accepted', outcome: 'accepted', detail: result.detail })
      await noteAcceptance(this.parts.store, uri)
    } else if (result.kind === 'unknown') {
      await this.settle(uri, { result: 'unknown', outcome: 'unknown', detail: result.detail })
    } else await this.missed(uri, result)
  }

  private async missed(
    uri: ReportUri,
    { kind, detail }: { readonly kind: 'refused' | 'failed'; readonly detail: string },
  ): Promise<void> {
    const { store, now } = this.parts
    if (kind === 'failed') {
      await this.settle(uri, { result: 'waiting', outcome: 'failed', detail })
      return
    }
    const days = await noteRefusal(store, uri, now())
    const left = `${detail}; left alone for ${days} days`
    await this.settle(uri, { result: 'refused', outcome: 'refused', detail: left })
  }

  /** Notes what became of the report at this place; the claim goes on. */
  private async settle(
    uri: ReportUri,
    settled: {
      readonly result: TargetResult
      readonly outcome: ReportOutcome
      readonly detail: string
      readonly nonce?: string
    },
  ): Promise<void> {
    const { result, outcome, detail, nonce } = settled
    const target: Target = { id: targetId(uri), result, ...(nonce !== undefined && { nonce }) }
    this.progress = withTarget(this.progress, target)
    await this.note('open')
    await this.tell(uri, outcome, detail)
  }

  private async tell(uri: ReportUri, outcome: ReportOutcome, detail: string): Promise<void> {
    const { parts, key } = this
    const way = uri.kind === 'mailto' ? 'mail' : 'https'
    const { isSecure } = this
    parts.report({
      kind: 'report',
      ...key,
      way,
      uri: uriText(uri),
      outcome,
      detail,
      ...(isSecure !== undefined && { isSecure }),
    })
    await noteOutcome(parts.store, key, uri, { kind: outcome, detail, at: parts.now() })
  }

  private async done(why: string): Promise<SendResult> {
    await this.note('done')
    return { kind: 'done', why }
  }

  private async later(why: string, waiting: readonly ReportUri[]): Promise<SendResult> {
    const { attempts, firstAt } = this.progress
    const at = retryAt(attempts, firstAt, this.parts.now())
    if (at !== undefined) {
      await this.note('waiting', at)
      return { kind: 'later', at, why }
    }
    await this.note('done')
    for (const uri of waiting) await this.tell(uri, 'given-up', why)
    return { kind: 'done', why: `given up after 24 hours: ${why}` }
  }

  private async note(kind: ReportState['kind'], notBefore = 0): Promise<void> {
    const { store } = this.parts
    const note = progressText(this.progress)
    if (!(await store.note(this.claim, { kind, notBefore, note }))) throw new LostClaim()
  }
}

/** One POST may take a minute; each note renews the lease. */
const LEASE_MS = 180_000
