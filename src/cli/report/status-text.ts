/**
 * The delivery status as lines for a terminal.
 *
 * From the JSON of docs/status-json.md, as a relay of any version sent it: what is missing
 * or of another type is shown as `-`, and everything is made printable. Pure.
 */
import { span } from '../../status/page/time-text.js'
import { printable } from '../../text.js'

/** The sums, then a table of destinations. */
export function statusLines(status: unknown): readonly string[] {
  const now = instantAt(status, 'at') ?? 0
  const rows = listAt(status, 'destinations')
  const matching = numberAt(status, 'matching')
  const shown =
    rows.length < matching ? [`${rows.length} of ${matching} destinations are shown`] : []
  const table =
    rows.length === 0 ? ['no destination'] : tableOf(rows.map((row) => cellsOf(row, now)))
  return [...headLines(status, now), '', ...table, ...shown]
}

/** One destination, its plan and its hosts. */
export function detailLines(detail: unknown): readonly string[] {
  const now = instantAt(detail, 'at') ?? 0
  const row = valueAt(detail, 'status')
  const plan = valueAt(detail, 'plan')
  const command = listAt(detail, 'command').map((word) => textOf(word))
  return [
    `${textAt(row, 'destination')}: ${daneText(row)}`,
    `  waiting: ${waitingText(row, now)}`,
    `  last success: ${successText(row, now)}`,
    `  last refusal: ${refusalText(row, now)}`,
    ...optional(textAt(row, 'lastRefusal', 'detail'), '    '),
    `  policy: ${policyText(valueAt(detail, 'policy'))}`,
    ...planLines(plan, now),
    ...(command.length > 0 ? [`  by hand: ${command.join(' ')}`] : []),
  ]
}

/** Whether DANE holds mail. */
export function isHolding(status: unknown): boolean {
  return (
    numberAt(status, 'held', 'destinations') > 0 ||
    textAt(status, 'status', 'dane', 'kind') === 'held'
  )
}

function headLines(status: unknown, now: number): readonly string[] {
  const relay = valueAt(status, 'relay')
  const queue = valueAt(status, 'queue')
  const workers = numberAt(relay, 'workers')
  const silent = numberAt(relay, 'silentWorkers')
  const since = textAt(relay, 'since').slice(0, 16).replace('T', ' ')
  const resolvers = listAt(relay, 'resolvers').map(
    (each) =>
      `${textAt(each, 'server')} ${textAt(each, 'state')}${inBrackets(textAt(each, 'detail'))}`,
  )
  const redis = valueAt(relay, 'redis')
  return [
    `${textAt(relay, 'name')}: ${workers === 0 ? 'one process' : `${workers} workers`}` +
      `${silent > 0 ? `, ${silent} of them silent` : ''}; what happened is known since ${since} UTC`,
    `queue: ${queueText(queue, now)}`,
    `held by DANE: ${numberAt(status, 'held', 'destinations')} destinations, ` +
      `${numberAt(status, 'held', 'messages')} messages`,
    `resolvers: ${resolvers.join('; ') || '-'}`,
    ...(redis === null || redis === undefined
      ? []
      : [`redis: ${textAt(redis, 'state')}${inBrackets(textAt(redis, 'detail'))}`]),
    ...optional(textAt(relay, 'tlsrpt', 'detail'), 'TLS reports: '),
  ]
}

function queueText(queue: unknown, now: number): string {
  const kind = textAt(queue, 'kind')
  const counts = `${numberAt(queue, 'messages')} messages, ${numberAt(queue, 'recipients')} recipients`
  const oldest = instantAt(queue, 'oldest', 'arrivedAt')
  const end = instantAt(queue, 'oldest', 'givesUpAt')
  const age =
    oldest === undefined
      ? ''
      : `; the oldest for ${span(now - oldest)}, to ${textAt(queue, 'oldest', 'destination')}` +
        (end === undefined ? '' : `, returned in ${span(end - now)} if nothing helps`)
  const unreadable = numberAt(queue, 'unreadable')
  const others = unreadable > 0 ? `; ${unreadable} unreadable files` : ''
  if (kind === 'unreadable') return `cannot be read${inBrackets(textAt(queue, 'detail'))}`
  const state = kind === 'counting' ? 'still counting: ' : ''
  return `${state}${counts}${age}${others}${inBrackets(textAt(queue, 'detail'))}`
}

function cellsOf(row: unknown, now: number): readonly string[] {
  const oldest = instantAt(row, 'waiting', 'oldestAt')
  return [
    textAt(row, 'destination'),
    textAt(row, 'dane', 'kind'),
    String(numberAt(row, 'waiting', 'messages')),
    oldest === undefined ? '-' : span(now - oldest),
    retryText(row, now),
    refusalText(row, now),
  ]
}

const HEAD = ['DESTINATION', 'DANE', 'WAITING', 'OLDEST', 'NEXT RETRY', 'LAST REFUSAL']

function tableOf(cells: readonly (readonly string[])[]): readonly string[] {
  const lines = [HEAD, ...cells]
  const widths = HEAD.map((_, column) =>
    Math.max(...lines.map((line) => line[column]?.length ?? 0)),
  )
  return lines.map((line) =>
    line
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  )
}

function retryText(row: unknown, now: number): string {
  if (numberAt(row, 'waiting', 'due') > 0) return 'being sent'
  const next = instantAt(row, 'waiting', 'nextRetryAt')
  return next === undefined ? '-' : `in ${span(next - now)}`
}

function waitingText(row: unknown, now: number): string {
  const messages = numberAt(row, 'waiting', 'messages')
  if (messages === 0) return 'nothing'
  const oldest = instantAt(row, 'waiting', 'oldestAt')
  const end = instantAt(row, 'waiting', 'givesUpAt')
  return [
    `${messages} messages, ${numberAt(row, 'waiting', 'recipients')} recipients`,
    ...(oldest === undefined ? [] : [`the oldest for ${span(now - oldest)}`]),
    `next retry: ${retryText(row, now)}`,
    ...(end === undefined ? [] : [`first return in ${span(end - now)}`]),
  ].join('; ')
}

function daneText(row: unknown): string {
  const reason = textAt(row, 'dane', 'reason')
  const why = reason === '-' ? '' : `, ${reason} (${textAt(row, 'dane', 'phrase')})`
  return `${textAt(row, 'dane', 'kind')}${why}`
}

function successText(row: unknown, now: number): string {
  const at = instantAt(row, 'lastSuccess', 'at')
  if (at === undefined) return 'none known'
  const verified = valueAt(row, 'lastSuccess', 'isVerified') === true ? ', verified' : ''
  return `${textAt(row, 'lastSuccess', 'host')}${verified}, ${span(now - at)} ago`
}

function refusalText(row: unknown, now: number): string {
  const at = instantAt(row, 'lastRefusal', 'at')
  if (at === undefined) return '-'
  const reason = textAt(row, 'lastRefusal', 'reason')
  const what = reason === '-' ? textAt(row, 'lastRefusal', 'phrase') : reason
  return `${what} at ${textAt(row, 'lastRefusal', 'host')}, ${span(now - at)} ago`
}

function policyText(policy: unknown): string {
  const line = numberAt(policy, 'line')
  const source = line > 0 ? `dane.ini line ${line} (${textAt(policy, 'text')})` : 'the default'
  return `${textAt(policy, 'policy')}, by ${source}`
}

function planLines(plan: unknown, now: number): readonly string[] {
  const at = instantAt(plan, 'at')
  if (at === undefined) return ['  plan: none known']
  const omitted = numberAt(plan, 'omittedHosts')
  const isRelay = textAt(plan, 'route') === 'relay'
  const from = isRelay
    ? `next hops that another plugin chose, policy ${textAt(plan, 'policy')}`
    : `${textAt(plan, 'route')}, ${textAt(plan, 'security')}`
  return [
    `  plan of ${span(now - at)} ago: ${from}`,
    ...listAt(plan, 'hosts').flatMap((host) => hostLines(host, isRelay, now)),
    ...(omitted > 0 ? [`    and ${omitted} more hosts`] : []),
  ]
}

function hostLines(host: unknown, isRelay: boolean, now: number): readonly string[] {
  const reason = textAt(host, 'requires', 'reason')
  const port = numberAt(host, 'port')
  const name = textAt(host, 'host')
  const place = isRelay
    ? `${name}${port > 0 ? ` port ${port}` : ''}, policy ${textAt(host, 'policy')}`
    : `${numberAt(host, 'preference')} ${name}`
  const phrase = textAt(host, 'requires', 'phrase')
  const records = listAt(host, 'requires', 'records').map((each) => textOf(each))
  const more = numberAt(host, 'requires', 'omittedRecords')
  const attempted = instantAt(host, 'lastAttempt', 'at')
  return [
    `    ${place}: ${textAt(host, 'requires', 'kind')}${inBrackets(reason === '-' ? phrase : reason)}`,
    ...records.map((record) => `      TLSA ${record}`),
    ...(more > 0 ? [`      and ${more} more`] : []),
    `      addresses: ${
      listAt(host, 'addresses')
        .map((each) => textOf(each))
        .join(', ') || '-'
    }`,
    ...(attempted === undefined
      ? []
      : [`      ${attemptText(host)}, ${span(now - attempted)} ago`]),
    ...optional(textAt(host, 'lastAttempt', 'detail'), '        '),
  ]
}

function attemptText(host: unknown): string {
  const kind = textAt(host, 'lastAttempt', 'kind')
  if (kind === 'unreached') return textAt(host, 'lastAttempt', 'phrase')
  if (kind === 'refused') return `refused: ${textAt(host, 'lastAttempt', 'reason')}`
  const record = textAt(host, 'lastAttempt', 'record')
  return `${kind} over ${textAt(host, 'lastAttempt', 'protocol')}${record === '-' ? '' : ` by ${record}`}`
}

function inBrackets(text: string): string {
  return text === '-' || text === '' ? '' : ` (${text})`
}

function optional(text: string, before: string): readonly string[] {
  return text === '-' || text === '' ? [] : [`${before}${text}`]
}

function valueAt(value: unknown, ...keys: readonly string[]): unknown {
  return keys.reduce<unknown>(
    (inner, key) =>
      typeof inner === 'object' && inner !== null ? Reflect.get(inner, key) : undefined,
    value,
  )
}

function textAt(value: unknown, ...keys: readonly string[]): string {
  return textOf(valueAt(value, ...keys))
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? printable(value, 400) : '-'
}

function numberAt(value: unknown, ...keys: readonly string[]): number {
  const number = valueAt(value, ...keys)
  return typeof number === 'number' && Number.isFinite(number) ? number : 0
}

function listAt(value: unknown, ...keys: readonly string[]): readonly unknown[] {
  const list = valueAt(value, ...keys)
  return Array.isArray(list) ? list.slice(0, MAX_LIST) : []
}

/** Milliseconds since the epoch. */
function instantAt(value: unknown, ...keys: readonly string[]): number | undefined {
  const text = valueAt(value, ...keys)
  const instant = typeof text === 'string' ? Date.parse(text) : NaN
  return Number.isFinite(instant) ? instant : undefined
}

const MAX_LIST = 1_000
