/**
 * Which destinations a view shows: filter, search, order, page.
 *
 * `parseQuery` takes what anyone can send in a URL and returns a bounded query; a value
 * that makes no sense counts as not given. `select` applies it. Both are used where the
 * status is put together, so that of thousands of destinations only one page travels to
 * the process that answers. Pure.
 */
import { MAX_ROWS, SHOWS, SORTS } from './status-model.js'
import type { DestinationStatus, Show, Sort, StatusModel, StatusQuery } from './status-model.js'

export const DEFAULT_LIMIT = 200

export const DEFAULT_QUERY: StatusQuery = {
  show: 'all',
  sort: 'waiting',
  order: 'descending',
  search: '',
  offset: 0,
  limit: DEFAULT_LIMIT,
}

/** `show`, `sort`, `order` (`asc`, `desc`), `q`, `from` and `limit` of a URL. */
export function parseQuery(parameters: URLSearchParams): StatusQuery {
  const sort = SORTS.find((each) => each === parameters.get('sort')) ?? 'waiting'
  const order = parameters.get('order')
  return {
    show: SHOWS.find((each) => each === parameters.get('show')) ?? 'all',
    sort,
    order: order === 'asc' ? 'ascending' : order === 'desc' ? 'descending' : usualOrder(sort),
    search: searchText(parameters.get('q') ?? ''),
    offset: whole(parameters.get('from'), 0, MAX_OFFSET) ?? 0,
    limit: whole(parameters.get('limit'), 1, MAX_ROWS) ?? DEFAULT_LIMIT,
  }
}

/** The order of a column that is asked for without one: most mail, longest wait, latest event first. */
export function usualOrder(sort: Sort): StatusQuery['order'] {
  return sort === 'waiting' || sort === 'refusal' || sort === 'success' ? 'descending' : 'ascending'
}

/** A domain name has at most 253 characters. */
function searchText(text: string): string {
  return text
    .slice(0, 253)
    .replace(/[^!-~]/g, '')
    .toLowerCase()
}

function whole(text: string | null, least: number, most: number): number | undefined {
  const number = /^\d{1,7}$/.test(text ?? '') ? Number(text) : NaN
  return number >= least && number <= most ? number : undefined
}

/** Whether another process has sent a query, within its bounds. */
export function isQuery(value: unknown): value is StatusQuery {
  if (typeof value !== 'object' || value === null) return false
  const of = (key: string): unknown => Reflect.get(value, key)
  const isWithin = (key: string, least: number, most: number): boolean =>
    Number.isInteger(of(key)) && Number(of(key)) >= least && Number(of(key)) <= most
  return (
    SHOWS.some((each) => each === of('show')) &&
    SORTS.some((each) => each === of('sort')) &&
    (of('order') === 'ascending' || of('order') === 'descending') &&
    typeof of('search') === 'string' &&
    isWithin('offset', 0, MAX_OFFSET) &&
    isWithin('limit', 1, MAX_ROWS)
  )
}

export function isShown(show: Show, row: DestinationStatus): boolean {
  switch (show) {
    case 'all':
      return true
    case 'waiting':
      return row.waiting.messages > 0
    case 'held':
      return row.dane.kind === 'held'
    case 'verified':
      return row.dane.kind === 'verified'
  }
}

/** The rows of a view, and the counts of all rows. */
export function select(
  rows: readonly DestinationStatus[],
  query: StatusQuery,
): Pick<StatusModel, 'counts' | 'matching' | 'destinations'> {
  const { show, search, sort, order, offset, limit } = query
  const found = rows.filter(
    (row) =>
      isShown(show, row) && [row.destination, ...row.hosts].some((each) => each.includes(search)),
  )
  const sign = order === 'ascending' ? 1 : -1
  const sorted = found.toSorted(
    (a, b) =>
      compare(keyOf(sort, a), keyOf(sort, b), sign) || compare(a.destination, b.destination, 1),
  )
  const count = (each: Show): number =>
    rows.reduce((sum, row) => sum + (isShown(each, row) ? 1 : 0), 0)
  return {
    counts: {
      all: rows.length,
      waiting: count('waiting'),
      held: count('held'),
      verified: count('verified'),
    },
    matching: found.length,
    destinations: sorted.slice(offset, offset + limit),
  }
}

type Key = number | string | undefined

function keyOf(
  sort: Sort,
  { destination, dane, waiting, lastRefusal, lastSuccess }: DestinationStatus,
): Key {
  switch (sort) {
    case 'destination':
      return destination
    case 'dane':
      return DANE_ORDER.indexOf(dane.kind)
    case 'waiting':
      return waiting.messages
    case 'oldest':
      return waiting.oldestAt
    case 'next':
      return waiting.due > 0 ? 0 : waiting.nextRetryAt
    case 'refusal':
      return lastRefusal?.at
    case 'success':
      return lastSuccess?.at
  }
}

/** What is missing comes last in either order. */
function compare(a: Key, b: Key, sign: number): number {
  if (a === b) return 0
  if (a === undefined) return 1
  if (b === undefined) return -1
  return a < b ? -sign : sign
}

/** What needs attention first. */
const DANE_ORDER: readonly DestinationStatus['dane']['kind'][] = [
  'held',
  'encrypted',
  'unknown',
  'not-enforced',
  'no-dane',
  'verified',
]

const MAX_OFFSET = 1_000_000
