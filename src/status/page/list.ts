/**
 * The list of destinations: search, filter, table, pages.
 *
 * Search is a form, everything else is links, so that all of it works without a script.
 * Pure.
 */
import { MAX_ROWS } from '../status-model.js'
import type { Show, Sort, StatusModel, StatusQuery } from '../status-model.js'
import { usualOrder } from '../status-query.js'
import { figures, parts } from './figures.js'
import { documentOf, footerOf, relayText } from './frame.js'
import { html } from './html.js'
import type { Html } from './html.js'
import { listLink, parameters } from './links.js'
import type { Place } from './links.js'
import { EVERYTHING } from './page-query.js'
import { rowOf } from './row.js'
import { count, number } from './words.js'

export type View = { readonly place: Place; readonly query: StatusQuery }

export function listPage(model: StatusModel, view: View): string {
  const { place } = view
  const { relay, at } = model
  return documentOf({
    place,
    title: `Delivery status · ${relay.name}`,
    heading: html`<h1 id="h" tabindex="-1">Delivery status</h1>`,
    subheading: html`<p>${relayText(relay)}</p>`,
    at,
    main: html`${figures(model)} ${finder(model, view)}
    ${model.destinations.length === 0 ? nothing(model, view) : table(model, view)}
    ${pages(model, view)} ${parts(relay)}`,
    footer: footerOf(place, model),
  })
}

/** Search and filter. */
function finder(model: StatusModel, { place, query }: View): Html {
  const kept = parameters({ ...query, search: '', offset: 0 })
  return html`<div class="find">
    <form id="find" role="search" method="get" action="${listLink(place, EVERYTHING)}">
      ${kept.map(([key, value]) => html`<input type="hidden" name="${key}" value="${value}" />`)}
      <input
        id="q"
        name="q"
        type="search"
        value="${query.search}"
        maxlength="253"
        placeholder="Find a destination or MX host"
        aria-label="Find a destination or MX host"
        autocomplete="off"
        autocapitalize="none"
        spellcheck="false"
      /><button>Find</button>
    </form>
    <nav id="show" aria-label="Show">
      <ul>
        ${FILTERS.map(([show, name]) => filter(show, name, model, { place, query }))}
      </ul>
    </nav>
    <p class="count" id="count">${summary(model, query)}</p>
  </div>`
}

function filter(show: Show, name: string, { counts }: StatusModel, { place, query }: View): Html {
  const current = query.show === show ? html` aria-current="true"` : undefined
  return html`<li>
    <a href="${listLink(place, query, { show })}" ${current}
      >${name} <span class="num">${number(counts[show])}</span></a
    >
  </li>`
}

function summary({ matching, counts, destinations }: StatusModel, { offset }: StatusQuery): string {
  const first = matching === 0 ? 0 : offset + 1
  const range =
    destinations.length === matching
      ? number(matching)
      : `${number(first)} to ${number(offset + destinations.length)} of ${number(matching)}`
  return matching === counts.all
    ? `${range} ${counts.all === 1 ? 'destination' : 'destinations'}`
    : `${range} of ${count(counts.all, 'destination')}`
}

function table(model: StatusModel, view: View): Html {
  const { query } = view
  const column = COLUMNS.find(({ sort }) => sort === query.sort)
  const filterName = FILTERS.find(([show]) => show === query.show)?.[1].toLowerCase() ?? ''
  return html`<div class="scroll" id="list" tabindex="0" role="region" aria-label="Destinations">
    <table class="main">
      <caption>
        Destinations, ${filterName}, by ${column?.name.toLowerCase()}, ${query.order}
      </caption>
      <thead>
        <tr>
          ${COLUMNS.map((each) => head(each, view))}
        </tr>
      </thead>
      <tbody>
        ${model.destinations.map((row) => rowOf(row, { ...view, at: model.at }))}
      </tbody>
    </table>
  </div>`
}

function head({ sort, name, isNumber }: Column, { place, query }: View): Html {
  const isSorted = query.sort === sort
  const order = isSorted ? opposite(query.order) : usualOrder(sort)
  const link = listLink(place, query, { sort, order })
  const arrow = query.order === 'ascending' ? '↑' : '↓'
  const sorted = isSorted ? html` aria-sort="${query.order}"` : undefined
  const mark = isSorted ? html`<span aria-hidden="true">${arrow}</span>` : undefined
  return html`<th scope="col" ${isNumber ? html` class="n"` : undefined}${sorted}>
    <a href="${link}">${name}${mark}</a>
  </th>`
}

function opposite(order: StatusQuery['order']): StatusQuery['order'] {
  return order === 'ascending' ? 'descending' : 'ascending'
}

function nothing({ counts, matching }: StatusModel, { place, query }: View): Html {
  const all = html`<a href="${listLink(place, EVERYTHING)}">Show all destinations</a>`
  if (counts.all === 0) {
    return empty(
      'No mail waits',
      html`Nothing has been sent since Haraka was started. Destinations appear here with their first
      message.`,
    )
  }
  if (matching > 0)
    return empty(
      'This page is past the end',
      html`<a href="${listLink(place, query)}">Go to the first page</a>`,
    )
  if (query.search !== '') {
    return empty(
      'Nothing found',
      html`No destination and no MX host contains
        <q>${query.search}</q>${query.show === 'all' ? '' : ' in this view'}. ${all}`,
    )
  }
  return empty(EMPTY[query.show], html`${all}`)
}

function empty(title: string, text: Html): Html {
  return html`<div class="empty" id="list">
    <h2>${title}</h2>
    <p>${text}</p>
  </div>`
}

function pages({ matching, destinations }: StatusModel, { place, query }: View): Html | undefined {
  const { offset, limit } = query
  const hasNext = destinations.length > 0 && offset + destinations.length < matching
  if (offset === 0 && !hasNext) return undefined
  const previous = Math.max(0, offset - limit)
  const link = (to: number, name: string): Html =>
    html`<li><a href="${listLink(place, query, { offset: to })}">${name}</a></li>`
  return html`<nav class="pages" id="pages" aria-label="Pages">
    <ul>
      ${offset > 0 ? link(previous, 'Previous') : undefined}
      ${hasNext ? link(offset + limit, 'Next') : undefined}
      ${hasNext && limit < MAX_ROWS ? html`<li><a href="${listLink(place, query, { limit: MAX_ROWS })}">Up to ${number(MAX_ROWS)} at once</a></li>` : undefined}
    </ul>
  </nav>`
}

type Column = { readonly sort: Sort; readonly name: string; readonly isNumber?: true }

const COLUMNS: readonly Column[] = [
  { sort: 'destination', name: 'Destination' },
  { sort: 'dane', name: 'DANE' },
  { sort: 'waiting', name: 'Waiting', isNumber: true },
  { sort: 'oldest', name: 'Oldest' },
  { sort: 'next', name: 'Next retry' },
  { sort: 'refusal', name: 'Last refusal' },
  { sort: 'success', name: 'Last success' },
]

const FILTERS: readonly (readonly [Show, string])[] = [
  ['all', 'All'],
  ['waiting', 'Waiting'],
  ['held', 'Held by DANE'],
  ['verified', 'Verified'],
]

const EMPTY: Readonly<Record<Show, string>> = {
  all: 'No destinations',
  waiting: 'No mail waits',
  held: 'DANE holds no mail',
  verified: 'No destination is verified yet',
}
