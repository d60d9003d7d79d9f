/**
 * What did the person at the terminal ask for?
 *
 * Reads the arguments, puts the parts together, prints, and ends with a code: 0 all
 * went well, 1 some not, 2 bad usage, 3 could not be determined.
 */
import { parseArgs } from 'node:util'
import { assembleResolver } from '../assemble.js'
import { readConfigFile, readRedisDefaults } from '../config-folder.js'
import type { DomainName } from '../name.js'
import { parseSettings } from '../settings.js'
import type { Settings } from '../settings.js'
import { runCache } from './cache-command.js'
import { isUsage, toDomains, USAGE, UsageError } from './usage.js'
import { verifyDomain } from './verify.js'
import type { Conclusion } from './verify.js'

const CODE: Readonly<Record<Conclusion, number>> = { verified: 0, failed: 1, undetermined: 3 }

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      resolver: { type: 'string', multiple: true, default: ['127.0.0.1:53'] },
      policy: { type: 'string', default: 'opportunistic' },
      port: { type: 'string', default: '25' },
      timeout: { type: 'string', default: '5s' },
      config: { type: 'string', default: 'config' },
      all: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) {
    console.log(USAGE)
    return 0
  }
  const [command, ...rest] = positionals
  if (command === 'verify') return runVerify(values, toDomains(rest))
  if (command === 'cache') return runCache(readSettings(values.config), rest, values.all)
  throw new UsageError('a command is needed')
}

function readSettings(folder: string): Settings {
  const text = readConfigFile(folder, 'dane.ini')
  if (text === '') throw new UsageError(`${folder} has no dane.ini: give Haraka's config folder`)
  return parseSettings(text, 'dane.ini', readRedisDefaults(folder))
}

type VerifyValues = {
  readonly resolver: readonly string[]
  readonly policy: string
  readonly port: string
  readonly timeout: string
}

async function runVerify(values: VerifyValues, domains: readonly DomainName[]): Promise<number> {
  if (values.policy !== 'opportunistic' && values.policy !== 'mandatory') {
    throw new UsageError(`--policy ${values.policy}: expected opportunistic or mandatory`)
  }
  // The options are checked by the rules of dane.ini, so that both say the same.
  const settings = parseSettings(
    [
      `port = ${values.port}`,
      '[resolver]',
      ...values.resolver.map((server) => `server[] = ${server}`),
      `timeout = ${values.timeout}`,
    ].join('\n'),
    'command',
  )
  const resolver = assembleResolver(settings, () => undefined)
  const { port, insecureMx } = settings
  const { timeoutMs } = settings.resolver
  let code = 0
  for (const domain of domains) {
    const steps = verifyDomain(resolver, domain, {
      policy: values.policy,
      insecureMx,
      port,
      timeoutMs,
    })
    let step = await steps.next()
    while (!step.done) {
      console.log(step.value)
      step = await steps.next()
    }
    code = Math.max(code, CODE[step.value])
  }
  resolver.close()
  return code
}

main().then(
  (code) => {
    process.exitCode = code
  },
  (error: unknown) => {
    const isTheirs = isUsage(error)
    console.error(isTheirs ? `${error.message}\n\n${USAGE}` : error)
    process.exitCode = isTheirs ? 2 : 3
  },
)
