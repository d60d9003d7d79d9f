/** docs/tlsrpt.schema.json, made from the text of RFC 8460 §4.4. */
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { Ajv } from 'ajv'
import { ROOT } from '../../lab/root.js'
import type { Report } from '../../src/tlsrpt/report.js'

const schema: unknown = JSON.parse(readFileSync(path.join(ROOT, 'docs/tlsrpt.schema.json'), 'utf8'))
const isReport = new Ajv({ allErrors: true, strict: false }).compile<Report>(
  typeof schema === 'object' && schema !== null ? schema : {},
)

/** The report; throws what the schema says against it. */
export function assertReport(json: string): Report {
  const value: unknown = JSON.parse(json)
  if (!isReport(value)) throw new Error(`${JSON.stringify(isReport.errors)}\n${json}`)
  return value
}
