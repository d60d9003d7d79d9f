/**
 * `haraka-dane verify`: who is looked at, how many beside each other, and in what form?
 *
 * Domains from the command line one after the other, told step by step; a list many at
 * a time, told by a table at its end; either as JSON, an object a line as soon as a
 * domain is done. Effects: network, standard input and output.
 */
import { createReadStream } from 'node:fs'
import { hostname } from 'node:os'
import { assembleResolver } from '../assemble.js'
import type { LookupEvent } from '../lookup.js'
import { lookupText } from '../lookup-text.js'
import type { DomainName } from '../name.js'
import type { EnforcedPolicy } from '../policy.js'
import { errorText } from '../text.js'
import { beside } from './beside.js'
import { readDomainList } from './domain-list.js'
import type { ListLine } from './domain-list.js'
import { investigate } from './investigate.js'
import type { InvestigationParts } from './investigate.js'
import { createKnock } from './knock.js'
import { helloNameOf, judgedAs, policyInForce, verifySettings } from './relay-settings.js'
import type { Given } from './relay-settings.js'
import { toJson } from './report/json.js'
import type { DomainVerdict, Question, Report } from './report/report.js'
import { tableLines, toRow, totalLines } from './report/table.js'
import type { Row } from './report/table.js'
import { conclusionLines, stepLines } from './report/text.js'
import { createPainter, isColorful } from './terminal.js'
import type { Color } from './terminal.js'
import { toDomains, UsageError } from './usage.js'

export type VerifyOptions = Given & {
  readonly domains: readonly string[]
  readonly file: string | undefined
  readonly policy: EnforcedPolicy | undefined
  readonly isJson: boolean
  readonly isConnecting: boolean
  readonly isDebug: boolean
  /** Domains looked at beside each other. */
  readonly concurrency: number
}

/** @returns 0 all verified, 1 some not, 3 none of these is known to be wrong, but some could not be determined */
export async function runVerify(options: VerifyOptions): Promise<number> {
  if (options.file !== undefined && options.domains.length > 0) {
    throw new UsageError('--file, or domains, but not both')
  }
  const { settings, connectMs } = verifySettings(options)
  const lines = options.file === undefined ? given(options.domains) : listed(options.file)
  const resolver = assembleResolver(settings, options.isDebug ? debug : () => undefined)
  const parts: InvestigationParts = {
    resolver,
    knock: createKnock({
      helloName: helloNameOf(options.config) ?? hostname(),
      timeoutMs: connectMs,
      most: MAX_CONNECTIONS,
    }),
    now: () => Date.now(),
  }
  const ask = (domain: DomainName): Question => {
    const inForce =
      options.policy === undefined
        ? policyInForce(settings, domain)
        : ({ policy: options.policy, source: { kind: 'command' } } as const)
    return {
      domain,
      policy: inForce,
      judgedAs: judgedAs(inForce),
      insecureMx: settings.insecureMx,
      port: settings.port,
      isConnecting: options.isConnecting,
    }
  }
  try {
    const isTold = options.file === undefined && !options.isJson
    return isTold
      ? await tell(parts, lines, ask)
      : await tabulate(parts, lines, ask, options.concurrency, options.isJson)
  } finally {
    resolver.close()
  }
}

/** Step by step, one domain after the other. */
async function tell(
  parts: InvestigationParts,
  lines: AsyncIterable<ListLine>,
  ask: (domain: DomainName) => Question,
): Promise<number> {
  const paint = painter()
  let code = 0
  for await (const line of lines) {
    if (line.kind === 'bad') continue
    const question = ask(line.domain)
    const steps = investigate(parts, question)
    let step = await steps.next()
    while (!step.done) {
      for (const text of stepLines(question, step.value)) console.log(text)
      step = await steps.next()
    }
    const told = conclusionLines(step.value, (word, isGood) =>
      paint(word, isGood ? 'green' : 'red'),
    )
    for (const text of told) console.log(text)
    code = worse(code, CODE[step.value.verdict])
  }
  return code
}

/** Many beside each other; a report is let go of as soon as its line is written. */
async function tabulate(
  parts: InvestigationParts,
  lines: AsyncIterable<ListLine>,
  ask: (domain: DomainName) => Question,
  concurrency: number,
  isJson: boolean,
): Promise<number> {
  const rows = new Map<DomainName, Row>()
  let badLines = 0
  let done = 0
  let code = 0
  const work = async (line: ListLine): Promise<Report | Extract<ListLine, { kind: 'bad' }>> =>
    line.kind === 'bad' ? line : toEnd(parts, ask(line.domain))
  for await (const result of beside(lines, concurrency, work)) {
    if ('kind' in result) {
      badLines++
      // What cannot be looked at is not verified.
      code = worse(code, 1)
      clearProgress()
      console.error(`line ${result.line}: not a domain name: ${result.text}`)
      continue
    }
    code = worse(code, CODE[result.verdict])
    if (isJson) console.log(JSON.stringify(toJson(result)))
    else rows.set(result.question.domain, toRow(result))
    progress(++done)
  }
  clearProgress()
  if (isJson) return code
  const all = [...rows.values()]
  const paint = painter()
  for (const text of tableLines(all, (word, verdict) => paint(word, COLOR[verdict])))
    console.log(text)
  console.log()
  for (const text of totalLines(all, badLines)) console.log(text)
  return code
}

async function toEnd(parts: InvestigationParts, question: Question): Promise<Report> {
  const steps = investigate(parts, question)
  let step = await steps.next()
  while (!step.done) step = await steps.next()
  return step.value
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

/** Known to be wrong outweighs unknown: `all verified` is false then, whatever the rest is. */
export function worse(a: number, b: number): number {
  return SEVERITY.indexOf(b) > SEVERITY.indexOf(a) ? b : a
}

const SEVERITY: readonly number[] = [0, 3, 1]

const CODE: Readonly<Record<DomainVerdict, number>> = {
  verified: 0,
  published: 0,
  failed: 1,
  undetermined: 3,
}

const COLOR: Readonly<Record<DomainVerdict, Color>> = {
  verified: 'green',
  published: 'green',
  failed: 'red',
  undetermined: 'yellow',
}

function painter(): ReturnType<typeof createPainter> {
  return createPainter(isColorful(process.stdout.isTTY, process.env))
}

function progress(done: number): void {
  if (process.stderr.isTTY) process.stderr.write(`\r${done} domains done`)
}

function clearProgress(): void {
  if (process.stderr.isTTY) process.stderr.write('\r\u001b[K')
}

/** In the words of the plugin's log. */
function debug(event: LookupEvent): void {
  switch (event.kind) {
    case 'query':
      console.error(`query ${event.type} ${event.name} to ${event.server}`)
      return
    case 'response':
    case 'cached': {
      const { kind, type, name, lookup } = event
      console.error(`${kind} ${type} ${name}: ${lookupText(lookup, Date.now())}`)
      return
    }
    case 'resolver': {
      const { server, proof } = event
      const detail = 'detail' in proof ? `: ${proof.detail}` : ''
      console.error(`resolver ${server} ${proof.kind}${detail}`)
      return
    }
    case 'hit':
    case 'redis':
    case 'resolvers':
      return
  }
}

/** At the same time, to all mail hosts together. */
const MAX_CONNECTIONS = 64
