/**
 * `haraka-dane tlsrpt`: what was counted for TLS reports, what a report says, where reports
 * went; asks running relays to send one now.
 *
 * Reads the store of the relay (Redis, or files in Haraka's folder). `send` leaves a request
 * there, since mail leaves through Haraka only, and waits for what becomes of it. Effects:
 * files or Redis, network, standard output.
 */
import { existsSync, statSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { assembleResolver } from '../assemble.js'
import { openReportStore } from '../assemble-reports.js'
import type { DomainName } from '../name.js'
import type { Settings } from '../settings/settings.js'
import type { TlsrptSettings } from '../settings/tlsrpt-settings.js'
import { errorText, printable } from '../text.js'
import { DAY_MS, endOf, parseUtcDay, utcDay } from '../tlsrpt/day.js'
import type { UtcDay } from '../tlsrpt/day.js'
import { createFindRecord } from '../tlsrpt/find-record.js'
import { readProgress } from '../tlsrpt/progress.js'
import { outcomeOf } from '../tlsrpt/receivers.js'
import type { FindRecord } from '../tlsrpt/record.js'
import { hasFailures, toReport } from '../tlsrpt/report.js'
import { askForNow } from '../tlsrpt/send-now.js'
import type { ReportKey, ReportStore } from '../tlsrpt/store.js'
import { countsText, outcomeText, recordText, stateText } from './tlsrpt-text.js'
import { toDomains, UsageError } from './usage.js'

/** @returns the exit code: 0 found or sent, 1 there is nothing, 3 the store does not answer */
export async function runTlsrpt(
  settings: Settings,
  folder: string,
  [action, ...rest]: readonly string[],
): Promise<number> {
  const act = ACTIONS.get(action ?? '')
  if (act === undefined) throw new UsageError('expected tlsrpt show, preview, send or log')
  const { tlsrpt } = settings
  if (tlsrpt === undefined)
    throw new UsageError('TLS reports are off: dane.ini needs enabled = yes in [tlsrpt]')
  const [name, day, ...more] = rest
  if (more.length > 0) throw new UsageError('expected one domain and one day')
  if (name === undefined && action !== 'log') throw new UsageError('no domain given')
  const [domain] = name === undefined ? [] : toDomains([name])
  const key = { domain, day: toDay(day) }
  const relay = path.resolve(folder, '..')
  if (settings.redis === undefined) refuseForeignFiles(path.join(relay, 'tlsrpt'))
  const store = openReportStore(settings, relay, tlsrpt.retentionMs)
  const resolver = assembleResolver({ ...settings, redis: undefined }, () => undefined)
  const findRecord = createFindRecord(() => resolver)
  try {
    return await act({ store, findRecord, settings: tlsrpt }, key)
  } catch (error) {
    if (error instanceof UsageError) throw error
    console.error(`the counts of TLS reports cannot be read: ${errorText(error)}`)
    return 3
  } finally {
    store.close()
    resolver.close()
  }
}

type Parts = {
  readonly store: ReportStore
  readonly findRecord: FindRecord
  readonly settings: TlsrptSettings
}

type Asked = { readonly domain: DomainName | undefined; readonly day: UtcDay | undefined }

type Action = (parts: Parts, asked: Asked) => Promise<number>

const ACTIONS: ReadonlyMap<string, Action> = new Map<string, Action>([
  ['show', (parts, asked) => withKey(asked, (key) => show(parts, key))],
  ['preview', (parts, asked) => withKey(asked, (key) => preview(parts, key))],
  ['send', (parts, asked) => withKey(asked, (key) => send(parts, key))],
  ['log', (parts, asked) => log(parts, asked)],
])

function withKey(
  { domain, day }: Asked,
  act: (key: ReportKey) => Promise<number>,
): Promise<number> {
  if (domain === undefined) throw new UsageError('no domain given')
  return act({ domain, day: day ?? utcDay(Date.now() - DAY_MS) })
}

async function show({ store, findRecord, settings }: Parts, key: ReportKey): Promise<number> {
  const counts = await store.read(key)
  if (counts === undefined) return nothing(store, key)
  for (const line of countsText(counts)) console.log(line)
  console.log(recordText(await findRecord(key.domain), settings.isDnssecRequired))
  console.log(stateText(key, await store.state(key), Date.now()))
  return 0
}

async function preview({ store, findRecord, settings }: Parts, key: ReportKey): Promise<number> {
  const counts = await store.read(key)
  if (counts === undefined) return nothing(store, key)
  console.log(JSON.stringify(toReport(counts, settings).report, undefined, 2))
  console.error(recordText(await findRecord(key.domain), settings.isDnssecRequired))
  if (settings.isOnlyFailures && !hasFailures(counts)) {
    console.error('not sent: no session failed, and dane.ini has only_failures = yes')
  }
  return 0
}

async function send({ store }: Parts, key: ReportKey): Promise<number> {
  const now = Date.now()
  if (endOf(key.day) > now) throw new UsageError(`${key.day} has not ended yet (UTC)`)
  if ((await store.read(key)) === undefined) return nothing(store, key)
  const before = await store.state(key)
  if (before.kind === 'done' || before.kind === 'waiting') {
    console.log(stateText(key, before, now))
    for (const line of await outcomes(store, key)) console.log(`  ${line}`)
    return before.kind === 'done' ? 0 : 1
  }
  await askForNow(store, key, now)
  for (let waited = 0; waited < SEND_WAIT_MS; waited += SEND_LOOK_MS) {
    await pause(SEND_LOOK_MS)
    const state = await store.state(key)
    if (state.kind !== 'done' && state.kind !== 'waiting') continue
    console.log(stateText(key, state, Date.now()))
    for (const line of await outcomes(store, key)) console.log(`  ${line}`)
    return state.kind === 'done' ? 0 : 1
  }
  console.error('no relay has taken the report yet: does Haraka run, with this dane.ini?')
  return 1
}

async function log({ store }: Parts, { domain, day }: Asked): Promise<number> {
  const days = day === undefined ? await store.days() : [day]
  let code = 1
  for (const each of days) {
    const domains = await store.domains(each)
    for (const name of domains.filter((one) => domain === undefined || one === domain)) {
      const key = { day: each, domain: name }
      code = 0
      console.log(`${each} ${name}: ${stateText(key, await store.state(key), Date.now())}`)
      for (const line of await outcomes(store, key)) console.log(`  ${line}`)
    }
  }
  if (code === 1) console.log('no counts')
  return code
}

async function outcomes(store: ReportStore, key: ReportKey): Promise<readonly string[]> {
  const { targets } = readProgress((await store.state(key)).note)
  const all = await Promise.all(targets.map(({ id }) => outcomeOf(store, key, id)))
  return all.filter((each) => each !== undefined).map(outcomeText)
}

async function nothing(store: ReportStore, { day, domain }: ReportKey): Promise<number> {
  const days: UtcDay[] = []
  for (const each of await store.days()) {
    if ((await store.domains(each)).includes(domain)) days.push(each)
  }
  const others = days.length > 0 ? `; there are counts of ${days.join(', ')}` : ''
  console.log(`nothing was counted for ${domain} on ${day} (UTC)${others}`)
  return 1
}

function toDay(text: string | undefined): UtcDay | undefined {
  if (text === undefined) return undefined
  if (text === 'today') return utcDay(Date.now())
  if (text === 'yesterday') return utcDay(Date.now() - DAY_MS)
  const day = parseUtcDay(text)
  if (day !== undefined) return day
  throw new UsageError(`not a day such as 2026-03-01: ${printable(text)}`)
}

/** What another user writes there, Haraka could not read. */
function refuseForeignFiles(folder: string): void {
  if (!existsSync(folder)) return
  const { uid } = statSync(folder)
  if (process.getuid === undefined || process.getuid() === uid) return
  throw new UsageError(
    `${folder} belongs to another user: run this as the user of Haraka (uid ${uid})`,
  )
}

/** Relays look for requests every few seconds. */
const SEND_WAIT_MS = 60_000
const SEND_LOOK_MS = 500
