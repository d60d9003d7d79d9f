/** Reads the JSON of the delivery status without knowing its types, as another program would. */
import assert from 'node:assert/strict'
import { assertSchema } from './status-schema.js'

export type StatusAnswer = {
  readonly relay: object
  readonly queue: object
  readonly counts: object
  readonly destinations: readonly object[]
}

export async function getJson(url: string): Promise<unknown> {
  const response = await fetch(url)
  const text = await response.text()
  assert.equal(response.status, 200, text)
  assert.match(response.headers.get('content-type') ?? '', /^application\/json/)
  const value: unknown = JSON.parse(text)
  return value
}

/** Held to the schema. */
export async function getStatus(url: string): Promise<StatusAnswer> {
  const value = await getJson(url)
  assertSchema(value)
  const destinations = field(value, 'destinations')
  assert.ok(Array.isArray(destinations))
  return {
    relay: fieldsOf(field(value, 'relay')),
    queue: fieldsOf(field(value, 'queue')),
    counts: fieldsOf(field(value, 'counts')),
    destinations: destinations.map(fieldsOf),
  }
}

/** The value at the end of these keys; undefined if one is missing. */
export function field(value: unknown, ...keys: readonly string[]): unknown {
  const [key, ...rest] = keys
  if (key === undefined) return value
  if (typeof value !== 'object' || value === null) return undefined
  const inner: unknown = Reflect.get(value, key)
  return field(inner, ...rest)
}

export function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  assert.ok(typeof value === 'object' && value !== null)
  return Object.fromEntries(Object.entries(value))
}
