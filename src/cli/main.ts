/**
 * The command `haraka-dane`: parses the arguments, runs a subcommand, sets the exit code.
 *
 * Each subcommand accepts its own options only. Exit codes: 0 all is well, 1 some is
 * not, 2 bad usage, 3 could not be determined, 130 interrupted.
 */
import { parseArgs } from 'node:util'
import type { ParseArgsConfig } from 'node:util'
import { parseDomainName } from '../name.js'
import type { EnforcedPolicy } from '../policy.js'
import { SettingsError } from '../settings/option-reader.js'
import { errorText, printable } from '../text.js'
import { runCache } from './cache-command.js'
import { runCheck } from './check-command.js'
import { toDoor } from './check/knock.js'
import { OWN_PACKAGE, readVersion } from './check/installation.js'
import { COMMANDS, OPTIONS, similarCommand, toCommand } from './command-options.js'
import type { Command } from './command-options.js'
import { completionScript } from './completion.js'
import { helpOf, USAGE } from './help.js'
import { runPolicy } from './policy-command.js'
import { DEFAULT_FOLDER, readSettings } from './relay-settings.js'
import { runStatus } from './status-command.js'
import { runTlsa } from './tlsa-command.js'
import { runTlsrpt } from './tlsrpt-command.js'
import { isUsage, toWhole, UsageError } from './usage.js'
import { runVerify } from './verify-command.js'

async function main(args: readonly string[]): Promise<number> {
  const [word = '', ...rest] = args
  if (word === 'help' || HELP.has(word)) return help(rest)
  if (word === '--version') {
    console.log(readVersion(OWN_PACKAGE) ?? 'unknown')
    return 0
  }
  if (word === '') throw new UsageError(`no command given: expected ${COMMANDS.join(', ')}`)
  const command = toCommand(word)
  if (command === undefined) throw unknownCommand(word)
  const end = rest.indexOf('--')
  const asked = end === -1 ? rest : rest.slice(0, end)
  if (asked.some((each) => HELP.has(each))) return help([command])
  return run(command, rest)
}

const HELP: ReadonlySet<string> = new Set(['--help', '-h'])

function help([word]: readonly string[]): number {
  const command = word === undefined ? undefined : toCommand(word)
  if (word !== undefined && command === undefined) throw unknownCommand(word)
  console.log(command === undefined ? USAGE : helpOf(command))
  return 0
}

function unknownCommand(word: string): UsageError {
  // `haraka-dane example.org`: the command was forgotten.
  if (word.includes('.') && parseDomainName(word) !== undefined)
    return new UsageError(`no command given: did you mean verify ${word}?`)
  const similar = similarCommand(word)
  const hint =
    similar === undefined ? `expected ${COMMANDS.join(', ')}` : `did you mean ${similar}?`
  return new UsageError(`unknown command ${printable(word, 40)}: ${hint}`)
}

function run(command: Command, rest: readonly string[]): Promise<number> {
  switch (command) {
    case 'verify':
      return verify(rest)
    case 'check': {
      const { values, positionals } = parse(rest, OPTIONS.check)
      if (positionals.length > 0) throw new UsageError('check takes no domain')
      const knock = values.knock === undefined ? undefined : toDoor(values.knock)
      return runCheck(values.config ?? DEFAULT_FOLDER, { isJson: values.json, knock })
    }
    case 'status': {
      const { values, positionals } = parse(rest, OPTIONS.status)
      const { config: folder = DEFAULT_FOLDER, show, json: isJson } = values
      return runStatus({ folder, domains: positionals, show, isJson })
    }
    case 'policy': {
      const { values, positionals } = parse(rest, OPTIONS.policy)
      return runPolicy(values.config ?? DEFAULT_FOLDER, positionals)
    }
    case 'tlsa': {
      const { values, positionals } = parse(rest, OPTIONS.tlsa)
      const { from, host, port = '25' } = values
      return runTlsa({ files: positionals, from, host, port: toWhole('--port', port, 1, 65_535) })
    }
    case 'completion': {
      const { positionals } = parse(rest, OPTIONS.completion)
      console.log(completionScript(positionals[0]))
      return Promise.resolve(0)
    }
    case 'tlsrpt': {
      const { values, positionals } = parse(rest, OPTIONS.tlsrpt)
      const folder = values.config ?? DEFAULT_FOLDER
      return runTlsrpt(readSettings(folder), folder, positionals)
    }
    case 'cache': {
      const { values, positionals } = parse(rest, OPTIONS.cache)
      return runCache(readSettings(values.config ?? DEFAULT_FOLDER), positionals, values.all)
    }
  }
}

async function verify(args: readonly string[]): Promise<number> {
  const { values, positionals } = parse(args, OPTIONS.verify)
  if (values.host !== undefined && positionals.length > 0) {
    throw new UsageError('give either --host or domains, not both')
  }
  if (values.interval !== undefined && !values.watch)
    throw new UsageError('--interval needs --watch')
  // Domains given as arguments are reported one after the other, in their order.
  const { concurrency = values.file === undefined ? '1' : '50', port } = values
  const code = await runVerify({
    domains: [...(values.host ?? []), ...positionals],
    isHost: values.host !== undefined,
    file: values.file,
    config: values.config,
    resolver: values.resolver,
    policy: toPolicy(values.policy),
    port: port === undefined ? undefined : toWhole('--port', port, 1, 65_535),
    timeout: values.timeout,
    concurrency: toWhole('--concurrency', concurrency, 1, 500),
    isConnecting: !values['no-connect'],
    isJson: values.json,
    isDebug: values.debug,
    isChain: values.chain,
    watch: values.watch ? { interval: values.interval } : undefined,
  })
  // It ends by Ctrl-C only, and the check that was being made must not keep it.
  if (values.watch) process.exit(code)
  return code
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

/** A bug, for a bug report. The message may repeat what a server sent; the frames are ours. */
function faultText(error: unknown): string {
  const stack = error instanceof Error ? (error.stack ?? '') : ''
  const frames = stack.split('\n').filter((line) => /^ +at /.test(line))
  return [errorText(error), ...frames.map((line) => printable(line))].join('\n')
}

process.stdout.on('error', (error: unknown) => {
  // The reader has closed the pipe, as `head` does.
  if (error instanceof Error && 'code' in error && error.code === 'EPIPE') process.exit(1)
  console.error(`the standard output cannot be written: ${errorText(error)}`)
  process.exit(3)
})

main(process.argv.slice(2)).then(
  (code) => {
    // Connections that are still being made must not keep an interrupted command.
    if (code === 130) process.exit(code)
    process.exitCode = code
  },
  (error: unknown) => {
    const isUserError = isUsage(error)
    console.error(
      isUserError ? `${printable(error.message, 600)}\n${usageAdvice(error)}` : faultText(error),
    )
    process.exitCode = isUserError ? 2 : 3
  },
)

/** A bad option of dane.ini is not corrected by reading the usage. */
function usageAdvice(error: Error): string {
  return error instanceof SettingsError && !error.message.startsWith('command line')
    ? 'do: correct it, then run haraka-dane check; docs/options.md lists the options'
    : 'run haraka-dane --help for usage'
}
