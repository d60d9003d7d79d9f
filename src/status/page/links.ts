/**
 * The addresses of the page's views.
 *
 * All are relative, so that they work behind a proxy that serves the page under another
 * path. Only what differs from the default is in them. Pure.
 */
import { DEFAULT_ROWS } from './page-query.js'
import type { StatusQuery } from '../status-model.js'
import { usualOrder } from '../status-query.js'

/** Where a document is, and what it refers to. */
export type Place = {
  /** The last segment of the page's path, such as `dane`. */
  readonly name: string
  /** What leads from the document to the list: '' or `../`. */
  readonly up: '' | '../'
  /** Changes with the content of style and script. */
  readonly version: string
}

/** The list with `change` applied; it begins at the first row unless `change` says otherwise. */
export function listLink(
  { name, up }: Place,
  query: StatusQuery,
  change: Partial<StatusQuery> = {},
): string {
  return `${up}${name}${parametersOf({ ...query, offset: 0, ...change })}`
}

/** A destination, with the list to return to. */
export function destinationLink(
  { name, up }: Place,
  destination: string,
  query: StatusQuery,
): string {
  return `${up}${name}/${encodeURIComponent(destination)}${parametersOf(query)}`
}

export function jsonLink({ name, up }: Place): string {
  return `${up}${name}.json`
}

/** Style, script and icon. */
export function assetLink({ name, up, version }: Place, extension: 'css' | 'js' | 'svg'): string {
  return `${up}${name}.${extension}?v=${version}`
}

/** What a query differs in from the default, by the names that parseQuery reads. */
export function parameters(query: StatusQuery): readonly (readonly [string, string])[] {
  const { show, sort, order, search, offset, limit } = query
  const given: readonly (readonly [string, string, boolean])[] = [
    ['show', show, show !== 'all'],
    ['sort', sort, sort !== 'waiting'],
    ['order', order === 'ascending' ? 'asc' : 'desc', order !== usualOrder(sort)],
    ['q', search, search !== ''],
    ['from', String(offset), offset !== 0],
    ['limit', String(limit), limit !== DEFAULT_ROWS],
  ]
  return given.filter(([, , isGiven]) => isGiven).map(([key, value]) => [key, value])
}

function parametersOf(query: StatusQuery): string {
  const text = new URLSearchParams(Object.fromEntries(parameters(query))).toString()
  return text === '' ? '' : `?${text}`
}
