/**
 * What did the person at the terminal ask for?
 *
 * Reads the arguments, each command's own and no others, runs the command, and ends
 * with its code: 0 all went well, 1 some not, 2 bad usage, 3 could not be determined.
 */
import { parseArgs } from 'node:util'
import type { ParseArgsConfig } from 'node:util'
import type { EnforcedPolicy } from '../policy.js'
import { printable } from '../text.js'
import { runCache } from './cache-command.js'
import { runCheck } from './check-command.js'
import { runPolicy } from './policy-command.js'
import { readSettings } from './relay-settings.js'
import { isUsage, USAGE, UsageError } from './usage.js'
import { runVerify } from './verify-command.js'

async function main(args: readonly string[]): Promise<number> {
  const [command = '', ...rest] = args
  if (args.includes('--help')) {
    console.log(USAGE)
    return 0
  }
  switch (command) {
    case 'verify':
      return verify(rest)
    case 'check': {
      const { values, positionals } = parse(rest, CONFIG)
      if (positionals.length > 0) throw new UsageError('check takes no domain')
      return runCheck(values.config ?? 'config')
    }
    case 'policy': {
      const { values, positionals } = parse(rest, CONFIG)
      return runPolicy(values.config ?? 'config', positionals)
    }
    case 'cache': {
      const all = { all: { type: 'boolean', default: false } } as const
      const { values, positionals } = parse(rest, { ...CONFIG, ...all })
      return runCache(readSettings(values.config ?? 'config'), positionals, values.all)
    }
    default:
      throw new UsageError('a command is needed')
  }
}

function verify(args: readonly string[]): Promise<number> {
  const { values, positionals } = parse(args, {
    ...CONFIG,
    resolver: { type: 'string', multiple: true },
    policy: { type: 'string' },
    port: { type: 'string' },
    timeout: { type: 'string' },
    file: { type: 'string' },
    concurrency: { type: 'string' },
    'no-connect': { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    debug: { type: 'boolean', default: false },
  } as const)
  // Where a person watches, or reads in the order of the arguments, one after the other.
  const usual = values.file === undefined ? 1 : 50
  return runVerify({
    domains: positionals,
    file: values.file,
    config: values.config,
    resolver: values.resolver,
    policy: toPolicy(values.policy),
    port: values.port,
    timeout: values.timeout,
    concurrency: toConcurrency(values.concurrency, usual),
    isConnecting: !values['no-connect'],
    isJson: values.json,
    isDebug: values.debug,
  })
}

function parse<const T extends NonNullable<ParseArgsConfig['options']>>(
  args: readonly string[],
  options: T,
) {
  return parseArgs({ args: [...args], allowPositionals: true, options })
}

function toPolicy(text: string | undefined): EnforcedPolicy | undefined {
  if (text === undefined || text === 'opportunistic' || text === 'mandatory') return text
  throw new UsageError(`--policy ${printable(text)}: expected opportunistic or mandatory`)
}

function toConcurrency(text: string | undefined, usual: number): number {
  if (text === undefined) return usual
  const number = /^\d{1,3}$/.test(text) ? Number(text) : 0
  if (number >= 1 && number <= 500) return number
  throw new UsageError(`--concurrency ${printable(text)}: expected a whole number from 1 to 500`)
}

const CONFIG = { config: { type: 'string' } } as const

// Whoever reads has gone, as `head` does: there is nobody left to tell.
process.stdout.on('error', () => {
  process.exit(1)
})

main(process.argv.slice(2)).then(
  (code) => {
    process.exitCode = code
  },
  (error: unknown) => {
    const isTheirs = isUsage(error)
    console.error(
      isTheirs ? `${error.message}\nharaka-dane --help says what can be asked for` : error,
    )
    process.exitCode = isTheirs ? 2 : 3
  },
)
