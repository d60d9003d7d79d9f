/** What a URL may ask for, and which rows it gets. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { DestinationStatus } from '../../../src/status/status-model.js'
import { DEFAULT_QUERY, isQuery, parseQuery, select } from '../../../src/status/status-query.js'
import { SAMPLE } from '../../support/status-sample.js'

const parse = (text: string): object => {
  const query = parseQuery(new URLSearchParams(text))
  return Object.fromEntries(
    Object.entries(query).filter(
      ([key, value]) => value !== new Map<string, unknown>(Object.entries(DEFAULT_QUERY)).get(key),
    ),
  )
}

const urls: readonly (readonly [string, object])[] = [
  ['', {}],
  [
    'show=held&sort=oldest&order=desc&q=MX.Example&from=200&limit=50',
    { show: 'held', sort: 'oldest', search: 'mx.example', offset: 200, limit: 50 },
  ],
  ['sort=oldest', { sort: 'oldest', order: 'ascending' }],
  ['sort=destination', { sort: 'destination', order: 'ascending' }],
  ['sort=success', { sort: 'success' }],
  ['order=asc', { order: 'ascending' }],
  ['show=nothing&sort=__proto__&order=up', {}],
  ['from=-1&limit=0', {}],
  ['from=1e9&limit=1001', {}],
  ['from=999999999999&limit=0x10', {}],
  ['limit=1000', { limit: 1000 }],
  ['q=%00%0a%1b[31m%e2%80%ae%20a b', { search: '[31mab' }],
  [`q=${'a'.repeat(10_000)}`, { search: 'a'.repeat(253) }],
  ['show=held&show=all', { show: 'held' }],
]

for (const [url, wanted] of urls) {
  test(`query: ${url.slice(0, 60)}`, () => {
    assert.deepEqual(parse(url), wanted)
    assert.ok(isQuery(parseQuery(new URLSearchParams(url))))
  })
}

test('a query of another process is within its bounds, or none', () => {
  for (const bad of [
    null,
    'all',
    {},
    { ...DEFAULT_QUERY, limit: 1e9 },
    { ...DEFAULT_QUERY, offset: -1 },
    { ...DEFAULT_QUERY, show: 'x' },
    { ...DEFAULT_QUERY, search: 1 },
  ]) {
    assert.ok(!isQuery(bad), JSON.stringify(bad))
  }
})

const names = (rows: readonly DestinationStatus[]): readonly string[] =>
  rows.map(({ destination }) => destination.replace('.example', ''))
const selected = (text: string): readonly string[] =>
  names(select(SAMPLE.destinations, parseQuery(new URLSearchParams(text))).destinations)

const views: readonly (readonly [string, readonly string[]])[] = [
  ['show=held', ['contoso', 'fabrikam', 'ministry']],
  ['show=verified', ['post', 'club', 'bank']],
  ['show=waiting&limit=2', ['bigmail', 'contoso']],
  ['show=waiting&limit=2&from=6', ['school', 'club']],
  ['q=mx2.contoso', ['contoso']],
  ['q=BANK', ['bank']],
  ['q=nobody', []],
  ['sort=destination&limit=3', ['bank', 'bigmail', 'club']],
  ['sort=destination&order=desc&limit=2', ['xn--bcher-kva', 'school']],
  ['sort=oldest&limit=2', ['contoso', 'fabrikam']],
  ['sort=next&limit=3', ['club', 'fabrikam', 'bigmail']],
  ['sort=dane&limit=4', ['contoso', 'fabrikam', 'ministry', 'xn--bcher-kva']],
  ['sort=success&limit=2', ['bigmail', 'club']],
  // What is missing comes last in either order.
  ['sort=success&order=asc&from=8', ['ministry', 'school']],
  ['sort=success&order=desc&from=8', ['ministry', 'school']],
]

for (const [url, wanted] of views) {
  test(`rows: ${url}`, () => {
    assert.deepEqual(selected(url), wanted)
  })
}

test('counts are of all rows, whatever is searched for', () => {
  const { counts, matching } = select(
    SAMPLE.destinations,
    parseQuery(new URLSearchParams('q=bank&show=held')),
  )
  assert.deepEqual(counts, SAMPLE.counts)
  assert.equal(matching, 0)
})
