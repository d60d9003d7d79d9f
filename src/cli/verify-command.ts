/**
 * `haraka-dane verify`: checks domains and prints the results.
 *
 * Domains given as arguments are checked one after the other and reported step by step;
 * a list is checked with many in parallel and reported in a table at its end; either as
 * JSON, one object per line as soon as a domain is done. Effects: network, standard
 * input and output.
 */
import { createReadStream, statSync } from 'node:fs'
import type { ConnectionOptions } from 'node:tls'
import { assembleResolver } from '../assemble.js'
import { judgedAs } from '../enforce/plan.js'
import type { LookupEvent } from '../lookup.js'
import { lookupEventText, probeText } from '../lookup-text.js'
import type { DomainName } from '../name.js'
import type { EnforcedPolicy } from '../policy.js'
import { withAcceptedVersions } from '../session/handshake.js'
import { rehearse } from '../session/rehearsal.js'
import { OptionReader } from '../settings/option-reader.js'
import { errorText, printable } from '../text.js'
import { readDomainList } from './domain-list.js'
import type { ListLine } from './domain-list.js'
import { investigate } from './investigate.js'
import type { InvestigationParts } from './investigate.js'
import { runChain } from './chain-command.js'
import { createProbeCache } from './probe-cache.js'
import { configFolder, helloNameOf, policyInForce, verifySettings } from './relay-settings.js'
import type { CliOptions } from './relay-settings.js'
import { Reach } from './report/reach.js'
import type { Question, Report } from './report/report.js'
import { conclusionLines, stepLines } from './report/text.js'
import { deliveryOptionsOf } from './tls-ini.js'
import { toDomains, UsageError } from './usage.js'
import { CODE, COLOR, painter, reportOn, verifyList, worse } from './verify-list.js'
import type { Run } from './verify-list.js'
import { uncachedView, watch } from './verify-watch.js'

export type VerifyOptions = CliOptions & {
  readonly domains: readonly string[]
  readonly file: string | undefined
  readonly policy: EnforcedPolicy | undefined
  readonly isJson: boolean
  readonly isConnecting: boolean
  readonly isDebug: boolean
  /** Show the chain of trust instead. */
  readonly isChain: boolean
  /** Follow one domain, with this time between checks. */
  readonly watch: { readonly interval: string | undefined } | undefined
  /** The names are those of mail hosts. */
  readonly isHost: boolean
  /** Domains checked in parallel. */
  readonly concurrency: number
}

/** @returns 0 all verified, 1 some not, 3 some could not be determined and no other is wrong, 130 interrupted */
export async function runVerify(options: VerifyOptions): Promise<number> {
  if (options.file !== undefined && options.domains.length > 0) {
    throw new UsageError('give either --file or domains, not both')
  }
  const { watch: watching } = options
  if (watching && (options.isChain || options.file !== undefined || options.domains.length !== 1))
    throw new UsageError('--watch follows one domain, or one --host')
  const intervalMs = watching && toInterval(watching.interval)
  const { settings, connectMs } = verifySettings(options)
  if (options.isChain) {
    if (options.file !== undefined || options.isHost) {
      throw new UsageError('--chain takes domains, not --file or --host')
    }
    return runChain(settings, toDomains(options.domains), options.isJson)
  }
  const folder = configFolder(options.config)
  const lines = options.file === undefined ? given(options.domains) : listed(options.file)
  const resolver = assembleResolver(settings, options.isDebug ? debug : () => undefined)
  const connecting = {
    helloName: helloNameOf(folder),
    tls: folder === undefined ? {} : await tlsOf(folder),
    timeoutMs: connectMs,
    most: MAX_CONNECTIONS,
  }
  const now = (): number => Date.now()
  const parts: InvestigationParts = { resolver, probe: createProbeCache(connecting), now }
  const questionOf = (domain: DomainName): Question => {
    const inForce =
      options.policy === undefined
        ? policyInForce(settings, domain)
        : ({ policy: options.policy, source: { kind: 'command' } } as const)
    return {
      domain,
      policy: inForce,
      judgedAs: judgedAs(inForce.policy),
      insecureMx: settings.insecureMx,
      port: settings.port,
      isConnecting: options.isConnecting,
      isHost: options.isHost,
    }
  }
  try {
    if (watching) {
      const [domain] = toDomains(options.domains)
      if (domain === undefined) throw new UsageError('no domain given')
      const question = questionOf(domain)
      // Each check makes connections of its own, and asks DNS.
      const check = (): Promise<Report> => {
        const probe = createProbeCache(connecting)
        return reportOn({ resolver: uncachedView(resolver), probe, now }, question)
      }
      return await watch(question, check, { intervalMs, isJson: options.isJson })
    }
    const run = { parts, lines, questionOf, reach: new Reach() }
    const code =
      options.file === undefined && !options.isJson
        ? await narrate(run)
        : await verifyList(run, { ...options, total: await totalOf(options) })
    const hint = run.reach.hint(settings.port)
    if (hint !== undefined) console.error(hint)
    return code
  } finally {
    resolver.close()
  }
}

/** Milliseconds; undefined: by the TTL. */
function toInterval(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  if (!/^\w+$/.test(text)) throw new UsageError(`--interval ${printable(text)}: expected a time`)
  const reader = new OptionReader(`interval = ${text}`, 'command')
  return reader.duration('', 'interval', 1_000, 3_600_000, 60_000)
}

/** The options of tls.ini, after a warning if no handshake is possible with them. */
async function tlsOf(folder: string): Promise<ConnectionOptions> {
  const options = deliveryOptionsOf(folder, (fault) => {
    console.error(`${fault}: the connections below do without it, and deliveries do not`)
  })
  const rehearsal = await rehearse(options, withAcceptedVersions)
  if (rehearsal.kind === 'impossible') {
    console.error(
      `tls.ini in ${folder}: no TLS handshake is possible with it (${rehearsal.detail}), so every ` +
        'connection below fails, as those of deliveries do: haraka-dane check names the option',
    )
  }
  return options
}

/** Prints step by step, one domain after the other. */
async function narrate({ parts, lines, questionOf, reach }: Run): Promise<number> {
  const paint = painter()
  let code = 0
  for await (const line of lines) {
    if (line.kind === 'bad') continue
    const question = questionOf(line.domain)
    const steps = investigate(parts, question)
    let step = await steps.next()
    while (!step.done) {
      for (const text of stepLines(question, step.value, parts.now())) console.log(text)
      step = await steps.next()
    }
    const reported = conclusionLines(step.value, (word, verdict) => paint(word, COLOR[verdict]))
    for (const text of reported) console.log(text)
    reach.note(step.value)
    code = worse(code, CODE[step.value.verdict])
  }
  return code
}

/** Domains of the list; undefined if it can be read only once, or no progress is shown. */
async function totalOf({ domains, file }: VerifyOptions): Promise<number | undefined> {
  if (file === undefined) return domains.length
  if (!process.stderr.isTTY) return undefined
  if (statSync(file, { throwIfNoEntry: false })?.isFile() !== true) return undefined
  let total = 0
  for await (const { kind } of listed(file)) if (kind === 'domain') total++
  return total
}

async function* given(names: readonly string[]): AsyncGenerator<ListLine> {
  for (const domain of toDomains(names)) yield await Promise.resolve({ kind: 'domain', domain })
}

async function* listed(file: string): AsyncGenerator<ListLine> {
  const stream = file === '-' ? process.stdin : createReadStream(file)
  try {
    yield* readDomainList(stream)
  } catch (error) {
    throw new UsageError(`--file ${file}: ${errorText(error)}`)
  }
}

/** Prints lookups in the words of the plugin's log. */
function debug(event: LookupEvent): void {
  if (event.kind === 'resolver') {
    const { server, result } = event
    console.error(`resolver ${server} ${probeText(result)}`)
    return
  }
  const text = lookupEventText(event, Date.now())
  if (text !== undefined) console.error(text)
}

/** Concurrent, to all mail hosts together. */
const MAX_CONNECTIONS = 64
