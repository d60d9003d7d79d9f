/**
 * The subcommands and their options.
 *
 * One table for the parser, the help and the completion of shells, so that they cannot
 * disagree. Pure.
 */
import type { ParseArgsConfig } from 'node:util'

type Options = NonNullable<ParseArgsConfig['options']>

const CONFIG = { config: { type: 'string' } } as const

export const OPTIONS = {
  verify: {
    ...CONFIG,
    resolver: { type: 'string', multiple: true },
    policy: { type: 'string' },
    port: { type: 'string' },
    timeout: { type: 'string' },
    file: { type: 'string' },
    host: { type: 'string', multiple: true },
    concurrency: { type: 'string' },
    chain: { type: 'boolean', default: false },
    watch: { type: 'boolean', default: false },
    interval: { type: 'string' },
    'no-connect': { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    debug: { type: 'boolean', default: false },
  },
  check: {
    ...CONFIG,
    json: { type: 'boolean', default: false },
    knock: { type: 'string' },
  },
  status: { ...CONFIG, show: { type: 'string' }, json: { type: 'boolean', default: false } },
  policy: CONFIG,
  tlsa: { from: { type: 'string' }, host: { type: 'string' }, port: { type: 'string' } },
  completion: {},
  tlsrpt: CONFIG,
  cache: { ...CONFIG, all: { type: 'boolean', default: false } },
} as const satisfies Readonly<Record<string, Options>>

export type Command = keyof typeof OPTIONS

export const COMMANDS: readonly Command[] = [
  'verify',
  'check',
  'status',
  'policy',
  'tlsa',
  'cache',
  'tlsrpt',
  'completion',
]

export function toCommand(word: string): Command | undefined {
  return COMMANDS.find((command) => command === word)
}

/** The command that was probably meant: one that differs by a letter or two. */
export function similarCommand(word: string): Command | undefined {
  return COMMANDS.find((command) => word.length > 2 && distance(command, word) <= 2)
}

/** Letters to insert, remove or replace (Levenshtein). */
function distance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index)
  for (const [index, letter] of from.split('').entries()) {
    const next = [index + 1]
    for (const [at, other] of to.split('').entries()) {
      const replaced = (row[at] ?? 0) + (letter === other ? 0 : 1)
      next.push(Math.min(replaced, (row[at + 1] ?? 0) + 1, (next[at] ?? 0) + 1))
    }
    row = next
  }
  return row.at(-1) ?? 0
}
