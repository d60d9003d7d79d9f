/**
 * The delivery status of this Haraka, if dane.ini enables it.
 *
 * Each process records what happens to its mail (recorder.ts). The primary process, or the
 * only one, reads the queue and puts the status together; a worker asks it.
 *
 * Reading the queue takes at most a quarter of the event loop of a primary process, which
 * delivers nothing, and a tenth where mail is delivered too; nothing while nobody looks.
 */
import cluster from 'node:cluster'
import type { LookupEvent } from '../../lookup.js'
import type { MailEvent } from '../../mail-event.js'
import { parseDomainName } from '../../name.js'
import { policyByLine } from '../../settings/settings.js'
import type { Settings } from '../../settings/settings.js'
import { assembleStatus } from '../../status/assemble-status.js'
import type { PolicyStatus } from '../../status/destination-detail.js'
import { mergeHealth } from '../../status/health.js'
import { MergedFacts } from '../../status/merged-facts.js'
import { QueueReader } from '../../status/queue-files.js'
import type { RelayStatus } from '../../status/status-model.js'
import type { StatusSource } from '../../status/status-source.js'
import { printable } from '../../text.js'
import { member } from '../host.js'
import type { Hmail, Plugin } from '../host.js'
import type { ProcessLog } from '../log/process-log.js'
import { ownVersion } from '../own-version.js'
import { livingWorkers } from '../worker-messages.js'
import { answerWorkers, askPrimary } from './asking.js'
import { acceptedBy, deferral, returning } from './outcome.js'
import { Recorder } from './recorder.js'
import { answerPrimary, Gatherer } from './workers.js'

export type Status = {
  /** The settings at the start, and after each reload. */
  readonly settings: (settings: Settings) => void
  /** An attempt begins. */
  readonly begin: (hmail: Hmail) => void
  readonly mail: (hmail: Hmail, event: MailEvent) => void
  readonly lookup: (event: LookupEvent) => void
  readonly outcomes: Outcomes
  readonly source: StatusSource
}

/** For Haraka's hooks of these names, with what it passes to them. None of these throws. */
export type Outcomes = Readonly<
  Record<'delivered' | 'deferred' | 'bounce', (hmail: Hmail, parameters: unknown) => void>
>

/** @param current the settings in force */
export function startStatus(plugin: Plugin, log: ProcessLog, current: () => Settings): Status {
  const version = ownVersion()
  const recorder = new Recorder(log)
  const { source } = cluster.isWorker
    ? startInWorker(recorder, version)
    : startInPrimary({ plugin, current, recorder, version })
  return {
    settings: (settings) => {
      recorder.settings(settings)
    },
    begin: (hmail) => {
      recorder.begin(hmail)
    },
    mail: (hmail, event) => {
      recorder.mail(hmail, event)
    },
    lookup: (event) => {
      recorder.lookup(event)
    },
    outcomes: {
      delivered: (hmail, parameters) => {
        recorder.outcome(hmail, () => acceptedBy(parameters))
      },
      deferred: (hmail, parameters) => {
        recorder.outcome(hmail, () => deferral(hmail, parameters))
      },
      bounce: (hmail, parameters) => {
        recorder.outcome(hmail, () => returning(hmail, parameters))
      },
    },
    source,
  }
}

function startInWorker(recorder: Recorder, version: string): Pick<Status, 'source'> {
  answerPrimary(recorder, version)
  return { source: askPrimary(version) }
}

type Parts = {
  readonly plugin: Plugin
  readonly current: () => Settings
  readonly recorder: Recorder
  readonly version: string
}

function startInPrimary({ plugin, current, recorder, version }: Parts): Pick<Status, 'source'> {
  const since = Date.now()
  const facts = new MergedFacts()
  const gatherer = new Gatherer(recorder, facts, version)
  let reader: QueueReader | undefined
  const source = assembleStatus({
    facts,
    queue: () => (reader ??= openQueue(plugin)).look(PATIENCE_MS),
    gather: () => gatherer.gather(),
    plans: (destination) => gatherer.plans(destination),
    policies: policiesOf(current),
    relay: () => ({
      name: printable(String(plugin.config.get('me')), 255),
      version,
      workers: livingWorkers().length,
      silentWorkers: gatherer.silentWorkers,
      since,
      ...mergeHealth(recorder.watch.health, gatherer.health),
      tlsrpt: reportsOf(current()),
    }),
    now: () => Date.now(),
  })
  answerWorkers(() => source, version)
  return { source }
}

function reportsOf({ tlsrpt }: Settings): RelayStatus['tlsrpt'] {
  return tlsrpt && { detail: `reports are sent as ${tlsrpt.submitter}` }
}

/** When somebody looks for the first time: only then is it known whether there are workers. */
function openQueue(plugin: Plugin): QueueReader {
  const outbound = plugin.haraka_require('outbound/queue')
  return new QueueReader({
    folder: String(member(outbound, 'queue_dir')),
    share: livingWorkers().length > 0 ? SHARE_OF_PRIMARY : SHARE_BESIDE_MAIL,
    intervals: () => intervalsOf(plugin),
    now: () => Date.now(),
  })
}

/** As Haraka has read them from outbound.ini, in seconds. */
function intervalsOf(plugin: Plugin): readonly number[] {
  const cfg = member(plugin.haraka_require('outbound/config'), 'cfg')
  const intervals = member(cfg, 'temp_fail_intervals')
  if (!Array.isArray(intervals)) return []
  return intervals.map(Number).filter((seconds) => seconds >= 0 && seconds < Infinity)
}

/** Policies by destination; another object after each reload. */
function policiesOf(
  current: () => Settings,
): () => { readonly of: (destination: string) => PolicyStatus } {
  const made = new WeakMap<Settings, ReturnType<ReturnType<typeof policiesOf>>>()
  return () => {
    const settings = current()
    const policies = made.get(settings) ?? {
      of: (destination) => policyByLine(settings, parseDomainName(destination)),
    }
    made.set(settings, policies)
    return policies
  }
}

const SHARE_OF_PRIMARY = 0.25
const SHARE_BESIDE_MAIL = 0.1

/** How long a view waits for the queue to be read; a small one is read in that time. */
const PATIENCE_MS = 250
