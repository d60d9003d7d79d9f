/**
 * What did the person at the terminal ask for?
 *
 * Reads the arguments, puts the parts together, prints, and ends with a code: 0 all
 * verified, 1 some not, 2 bad usage, 3 could not be determined.
 */
import { parseArgs } from 'node:util'
import { assembleResolver } from '../assemble.js'
import { parseDomainName } from '../name.js'
import { SettingsError } from '../option-reader.js'
import { parseSettings } from '../settings.js'
import { printable } from '../text.js'
import { verifyDomain } from './verify.js'
import type { Conclusion } from './verify.js'

const USAGE = `Usage: haraka-dane verify [options] DOMAIN...

Does what a delivery would do, up to the certificates, and says what it finds.

  --resolver SERVER          a validating resolver, as in dane.ini; may be given
                             again, the preferred first (127.0.0.1:53)
  --policy POLICY            opportunistic or mandatory (opportunistic)
  --port PORT                port of mail hosts (25)
  --timeout TIME             for one lookup and for one connection (5s)
  --help

Exit code: 0 all verified, 1 some not, 2 bad usage, 3 could not be determined.`

const CODE: Readonly<Record<Conclusion, number>> = { verified: 0, failed: 1, undetermined: 3 }

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      resolver: { type: 'string', multiple: true, default: ['127.0.0.1:53'] },
      policy: { type: 'string', default: 'opportunistic' },
      port: { type: 'string', default: '25' },
      timeout: { type: 'string', default: '5s' },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) {
    console.log(USAGE)
    return 0
  }
  const [command, ...names] = positionals
  if (command !== 'verify' || names.length === 0)
    throw new UsageError('a command and a domain are needed')
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
  const domains = names.map((text) => {
    const domain = parseDomainName(text)
    if (domain === undefined) throw new UsageError(`not a domain name: ${printable(text)}`)
    return domain
  })
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

class UsageError extends Error {}

main().then(
  (code) => {
    process.exitCode = code
  },
  (error: unknown) => {
    const isUsage =
      error instanceof UsageError ||
      error instanceof SettingsError ||
      (error instanceof TypeError &&
        'code' in error &&
        String(error.code).startsWith('ERR_PARSE_ARGS'))
    console.error(isUsage ? `${error.message}\n\n${USAGE}` : error)
    process.exitCode = isUsage ? 2 : 3
  },
)
