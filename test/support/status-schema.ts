/** docs/status.schema.json, with unknown keys forbidden, so that a test notices them. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { ROOT } from '../../lab/root.js'
import { closed } from './command.js'

export const statusSchema: unknown = JSON.parse(
  readFileSync(path.join(ROOT, 'docs/status.schema.json'), 'utf8'),
)

const isStatus = new Ajv2020({ allowUnionTypes: true }).compile(closed(statusSchema))

export function assertSchema(value: unknown): void {
  assert.ok(
    isStatus(value),
    `${JSON.stringify(isStatus.errors, null, 1)}\n${JSON.stringify(value)}`,
  )
}
