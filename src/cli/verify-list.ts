/**
 * Checks many domains at the same time, and prints a table or JSON.
 *
 * Of each report no more than its row is kept, so a list may have any length. On a
 * terminal the progress is shown. The first Ctrl-C ends a list: what is done is printed.
 * Effects: standard output and error, the handler of SIGINT.
 */
import type { DomainName } from '../name.js'
import type { ListLine } from './domain-list.js'
import { investigate } from './investigate.js'
import type { InvestigationParts } from './investigate.js'
import { mapConcurrently } from './map-concurrently.js'
import { toJson } from './report/json.js'
import type { Reach } from './report/reach.js'
import type { DomainVerdict, Question, Report } from './report/report.js'
import { tableLines, toRow, totalLines } from './report/table.js'
import type { Row } from './report/table.js'
import { createPainter, isColorful } from './terminal.js'
import type { Color } from './terminal.js'
import { UsageError } from './usage.js'

export type Run = {
  readonly parts: InvestigationParts
  readonly lines: AsyncIterable<ListLine>
  readonly questionOf: (domain: DomainName) => Question
  readonly reach: Reach
}

export type ListOptions = {
  readonly concurrency: number
  readonly isJson: boolean
  /** The domains of the list, for the progress; undefined if that is not known. */
  readonly total: number | undefined
}

type Result =
  { readonly kind: 'report'; readonly report: Report } | Extract<ListLine, { kind: 'bad' }>

/** @returns as `runVerify`, and 130 if it was interrupted */
export async function verifyList(
  { parts, lines, questionOf, reach }: Run,
  { concurrency, isJson, total }: ListOptions,
): Promise<number> {
  const rows = new Map<DomainName, Row>()
  let badLines = 0
  let done = 0
  let code = 0
  const check = async (line: ListLine): Promise<Result> =>
    line.kind === 'bad'
      ? line
      : { kind: 'report', report: await reportOn(parts, questionOf(line.domain)) }
  const take = (result: Result): void => {
    if (result.kind === 'bad') {
      badLines++
      // A line that is not a domain is not verified.
      code = worse(code, 1)
      clearProgress()
      console.error(`line ${result.line}: not a domain name: ${result.text}`)
      return
    }
    const { report } = result
    reach.note(report)
    code = worse(code, CODE[report.verdict])
    if (isJson) console.log(JSON.stringify(toJson(report)))
    else rows.set(report.question.domain, toRow(report))
    progress(++done, total)
  }
  const isWhole = await untilInterrupted(mapConcurrently(lines, concurrency, check), take)
  clearProgress()
  if (isWhole && done + badLines === 0) throw new UsageError('the list has no domain')
  if (!isJson) printTable([...rows.values()], badLines)
  if (isWhole) return code
  console.error(`interrupted: ${doneText(done, total)}`)
  return INTERRUPTED
}

function printTable(all: readonly Row[], badLines: number): void {
  const paint = painter()
  for (const text of tableLines(all, (word, verdict) => paint(word, COLOR[verdict])))
    console.log(text)
  console.log()
  for (const text of totalLines(all, badLines)) console.log(text)
}

/** @returns whether it came to the end; false after Ctrl-C */
async function untilInterrupted<T>(
  source: AsyncGenerator<T>,
  take: (item: T) => void,
): Promise<boolean> {
  let interrupt: () => void = () => undefined
  const interrupted = new Promise<undefined>((resolve) => {
    interrupt = () => {
      resolve(undefined)
    }
  })
  // Once: the next Ctrl-C ends the process as usual.
  process.once('SIGINT', interrupt)
  try {
    for (;;) {
      const next = await Promise.race([source.next(), interrupted])
      if (next === undefined) return false
      if (next.done === true) return true
      take(next.value)
    }
  } finally {
    process.removeListener('SIGINT', interrupt)
  }
}

/** The whole report, without its steps. */
export async function reportOn(parts: InvestigationParts, question: Question): Promise<Report> {
  const steps = investigate(parts, question)
  let step = await steps.next()
  while (!step.done) step = await steps.next()
  return step.value
}

/** `Known to be wrong` outweighs `unknown`: not all are verified then, whatever the rest is. */
export function worse(a: number, b: number): number {
  return SEVERITY.indexOf(b) > SEVERITY.indexOf(a) ? b : a
}

const SEVERITY: readonly number[] = [0, 3, 1]

/** 128 and the number of SIGINT, as in a shell. */
const INTERRUPTED = 130

export const CODE: Readonly<Record<DomainVerdict, number>> = {
  verified: 0,
  published: 0,
  'no-dane': 1,
  refused: 1,
  undetermined: 3,
}

export const COLOR: Readonly<Record<DomainVerdict, Color>> = {
  verified: 'green',
  published: 'green',
  'no-dane': 'yellow',
  refused: 'red',
  undetermined: 'yellow',
}

export function painter(): ReturnType<typeof createPainter> {
  return createPainter(isColorful(process.stdout.isTTY, process.env))
}

function doneText(done: number, total: number | undefined): string {
  return total === undefined ? `${done} domains done` : `${done} of ${total} domains done`
}

function progress(done: number, total: number | undefined): void {
  if (process.stderr.isTTY) process.stderr.write(`\r${doneText(done, total)}`)
}

function clearProgress(): void {
  if (process.stderr.isTTY) process.stderr.write('\r\u001b[K')
}
