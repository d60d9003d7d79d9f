/** The JSON of the status: its schema, its page, and what another process drops on the way. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ALL_REASONS } from '../../../src/reason.js'
import type { ResolverStatus } from '../../../src/status/status-model.js'
import { detailJson, statusJson } from '../../../src/status/status-json.js'
import { pageText } from '../../support/pages.js'
import { fieldsOf } from '../../support/status.js'
import { SAMPLE, SAMPLE_DETAIL } from '../../support/status-sample.js'
import { assertSchema, statusSchema } from '../../support/status-schema.js'

test('list and destination match docs/status.schema.json', () => {
  assertSchema(statusJson(SAMPLE))
  assertSchema(detailJson(SAMPLE_DETAIL))
  assertSchema(detailJson({ ...SAMPLE_DETAIL, plan: undefined }))
})

test('the schema refuses what is no status', () => {
  assert.throws(() => {
    assertSchema({ ...fieldsOf(statusJson(SAMPLE)), queue: null })
  })
})

test('a value that has travelled between processes is the same', () => {
  assert.deepEqual(statusJson(travelled(SAMPLE)), statusJson(SAMPLE))
  assert.deepEqual(detailJson(travelled(SAMPLE_DETAIL)), detailJson(SAMPLE_DETAIL))
})

test('an instant that is no date is not known', () => {
  const queue = { ...SAMPLE.queue, next: { at: 9e15, destination: 'a.example' } }
  assert.match(JSON.stringify(statusJson({ ...SAMPLE, queue })), /"next":\{"at":null,/)
})

test('docs/status.schema.json has every state of a resolver', () => {
  const states = [
    'validating',
    'passing',
    'unusable',
    'not-validating',
    'failing',
    'unknown',
  ] as const
  // The compiler says which one is missing.
  type Missing = Exclude<ResolverStatus['state'], (typeof states)[number]>
  const isComplete: [Missing] extends [never] ? true : Missing = true
  assert.ok(isComplete)
  for (const state of states) {
    const resolvers = [{ server: '127.0.0.1:53', state, detail: '' }]
    assertSchema(statusJson({ ...SAMPLE, relay: { ...SAMPLE.relay, resolvers } }))
  }
})

test('docs/status.schema.json lists every reason, and no other', () => {
  const [, reasons = '[]'] =
    /"reason":\{"enum":(\[[^\]]*\])\}/.exec(JSON.stringify(statusSchema)) ?? []
  assert.deepEqual(JSON.parse(reasons), [...ALL_REASONS])
})

test('docs/status-json.md names every key of the schema, and every word', () => {
  const page = pageText('docs/status-json.md')
  const words = new Set<string>()
  const collect = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return
    for (const [key, inner] of Object.entries(value)) {
      if (key === 'properties') for (const name of Object.keys(fieldsOf(inner))) words.add(name)
      if (key === 'enum' && Array.isArray(inner) && inner.length < ALL_REASONS.length) {
        for (const word of inner) words.add(String(word))
      }
      collect(inner)
    }
  }
  collect(statusSchema)
  const missing = [...words].filter((word) => !page.includes(`\`${word}\``))
  assert.deepEqual(missing, [])
})

/** Without undefined values, as messages between processes are. */
function travelled<T>(value: T): T {
  const isLike = (each: unknown): each is T => typeof each === typeof value
  const arrived: unknown = JSON.parse(JSON.stringify(value))
  assert.ok(isLike(arrived))
  return arrived
}
