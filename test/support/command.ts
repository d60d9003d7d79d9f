/** Runs `haraka-dane` as an operator does, from the installed package. */
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { ROOT } from '../../lab/root.js'

export const COMMAND = path.join(ROOT, 'build/relay/node_modules/.bin/haraka-dane')

export type Ran = {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
  /** Of standard output. */
  readonly lines: readonly string[]
}

export function runCommand(
  args: readonly string[],
  {
    input,
    env = {},
    program = COMMAND,
    cwd = process.cwd(),
  }: { input?: string; env?: Record<string, string>; program?: string; cwd?: string } = {},
): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd, env: { ...process.env, ...env } })
    const out: string[] = []
    const err: string[] = []
    child.stdout.setEncoding('utf8').on('data', (text: string) => out.push(text))
    child.stderr.setEncoding('utf8').on('data', (text: string) => err.push(text))
    child.on('error', reject)
    child.on('close', (code) => {
      const stdout = out.join('')
      resolve({ code, stdout, stderr: err.join(''), lines: stdout.trimEnd().split('\n') })
    })
    child.stdin.on('error', () => undefined)
    child.stdin.end(input ?? '')
  })
}

/** A `--json` report, validated against docs/verify.schema.json; unknown keys are errors. */
export function parseReport(line: string): JsonReport {
  const value: unknown = JSON.parse(line)
  if (isReport(value)) return value
  throw new Error(`${JSON.stringify(isReport.errors, null, 2)}\n${line}`)
}

type JsonCause = {
  readonly reason: string
  readonly meaning: string
  readonly at: string | null
  readonly detail: string
}

type JsonOutcome = {
  readonly action: string
  readonly host: string | null
  readonly cause: JsonCause | null
  readonly exposure: JsonCause | null
}

/** The parts that tests use. */
export type JsonReport = {
  readonly domain: string
  readonly verdict: string
  readonly cause: JsonCause | null
  readonly policy: {
    readonly inForce: string
    readonly judgedAs: 'opportunistic' | 'mandatory'
    readonly source: string
    readonly line: number | null
  }
  readonly mail: Readonly<Record<'opportunistic' | 'mandatory', JsonOutcome>>
  readonly hosts: readonly {
    readonly name: string
    readonly standing: string
    readonly tlsa: {
      readonly status: string
      readonly records: readonly { readonly usable: boolean; readonly unusable: string | null }[]
    }
    readonly addresses: readonly {
      readonly address: string
      readonly outcome: string
      readonly reason: string | null
      readonly tls: { readonly protocol: string; readonly cipher: string } | null
      readonly matched: { readonly depth: number } | null
    }[]
  }[]
}

export const schema: unknown = JSON.parse(
  readFileSync(path.join(ROOT, 'docs/verify.schema.json'), 'utf8'),
)

const isReport = new Ajv2020({ allowUnionTypes: true }).compile<JsonReport>(closed(schema))

/** The schema with unknown keys forbidden, so that a test notices them. */
export function closed(value: unknown): object {
  const change = (each: unknown): unknown => {
    if (Array.isArray(each)) return each.map(change)
    if (typeof each !== 'object' || each === null) return each
    const changed = Object.fromEntries(
      Object.entries(each).map(([key, inner]) => [key, change(inner)]),
    )
    return changed['properties'] === undefined
      ? changed
      : { ...changed, additionalProperties: false }
  }
  const whole = change(value)
  return typeof whole === 'object' && whole !== null ? whole : {}
}
