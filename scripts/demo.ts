/**
 * `npm run demo`: shows the plugin's verdicts on real servers, in both modes of validation.
 *
 * Brings up the laboratory and sends one message for each row of decision-table.csv and
 * for the rows beyond it, twice: with a validating resolver that is believed
 * (`validation = resolver`), and with one that does not validate, where the plugin does
 * (`validation = own`). Prints the expected and the actual outcome and how long it took in
 * each mode. Ends with 0 only if every row had the expected outcome in both. `--keep` keeps
 * the laboratory's folder for inspection; `--only TEXT` sends the rows whose id contains
 * it. Other options are refused.
 */
import { parseArgs } from 'node:util'
import { allRows } from '../lab/all-rows.js'
import { startLaboratory } from '../lab/laboratory.js'
import type { HarakaOptions } from '../lab/haraka.js'
import type { Row } from '../lab/rows.js'
import { runRows } from '../lab/run-rows.js'
import type { Result } from '../lab/run-rows.js'
import { runCommand } from './run-command.js'

type Mode = 'resolver' | 'own'

/** Who validates. */
const MEANING: Readonly<Record<Mode, string>> = {
  resolver: 'the resolver validates and is believed',
  own: 'the resolver does not validate, the plugin does',
}

const { only, keep } = options()
const startedAt = Date.now()

runCommand(main)

async function main(): Promise<number> {
  note('signing zones, starting NSD, Unbound and the mail hosts')
  const { laboratory, rows } = await startLaboratory(async (port) => {
    const all = await allRows(port)
    return all.filter(({ id }) => id.includes(only ?? ''))
  })
  try {
    const plain = await laboratory.names.startResolver({ isPlain: true })
    const modes: Readonly<Record<Mode, Partial<HarakaOptions>>> = {
      resolver: { resolverLines: ['validation = resolver'] },
      own: {
        unboundPort: plain.port,
        resolverLines: ['validation = own', `trust_anchors = ${laboratory.names.trustAnchorFile}`],
      },
    }
    const run = (mode: Mode): Promise<readonly Result[]> => {
      note(`validation = ${mode}: ${MEANING[mode]}`)
      note('starting two Harakas with the packed plugin: insecure_mx = dane and insecure_mx = may')
      return runRows(laboratory, rows, modes[mode], progress)
    }
    const believed = await run('resolver')
    const own = await run('own')
    printTable(believed, own)
    console.log(
      'esa-N and ddei-N: the rows of lab/decision-table.csv; the others: lab/beyond-rows.ts',
    )
    const wrong = [...complaintLines('resolver', believed), ...complaintLines('own', own)]
    for (const line of wrong) console.log(line)
    console.log(summary('resolver', believed))
    console.log(summary('own', own))
    console.log(`in ${Math.round((Date.now() - startedAt) / 1000)} s`)
    return wrong.length === 0 ? 0 : 1
  } finally {
    if (keep) note(`the laboratory is in ${laboratory.folder}`)
    else await laboratory.stop()
  }
}

function complaintLines(mode: Mode, results: readonly Result[]): readonly string[] {
  return results
    .filter(({ complaints }) => complaints.length > 0)
    .map(
      ({ row, complaints, happened }) =>
        `WRONG ${row.id} with validation = ${mode}: ${complaints.join('; ')} (${happened})`,
    )
}

function summary(mode: Mode, results: readonly Result[]): string {
  const right = results.filter(({ complaints }) => complaints.length === 0)
  return `validation = ${mode} (${MEANING[mode]}): ${right.length} of ${results.length} rows as wanted`
}

/** One line for each row; the outcome once if it is the same in both modes. */
function printTable(believed: readonly Result[], own: readonly Result[]): void {
  const header = [
    'row',
    'policy',
    'MX',
    'address',
    'TLSA',
    'certificate',
    'wanted',
    'happened',
    'resolver ms',
    'own ms',
    '',
  ]
  const lines = believed.map(({ row, happened, milliseconds, complaints }, index) => {
    const other = own[index]
    const isSame = other?.happened === happened
    const isRight = complaints.length === 0 && other?.complaints.length === 0
    return [
      cut(row.id, MOST.id),
      row.policy,
      ...[row.shown.mx, row.shown.address, row.shown.tlsa, row.shown.certificate].map((word) =>
        cut(word, MOST.word),
      ),
      cut(wantedText(row), MOST.outcome),
      cut(isSame ? happened : `${happened}; own: ${other?.happened ?? '-'}`, MOST.outcome),
      String(milliseconds),
      String(other?.milliseconds ?? '-'),
      isRight ? 'ok' : 'WRONG',
    ]
  })
  const widths = header.map((title, column) =>
    Math.max(title.length, ...lines.map((line) => line[column]?.length ?? 0)),
  )
  const print = (cells: readonly string[]): void =>
    console.log(
      cells
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
  print(header)
  print(widths.map((width) => '-'.repeat(width)))
  lines.forEach(print)
}

function wantedText({ wanted }: Row): string {
  if (wanted.action === 'defer' || wanted.action === 'bounce') {
    const reason = wanted.reason?.replace(/ \([a-z-]+\)$/, '')
    return reason === undefined ? wanted.action : `${wanted.action}: ${reason}`
  }
  return wanted.action
}

function progress(done: number, all: number): void {
  if (process.stderr.isTTY) process.stderr.write(`\r${done} of ${all}${done === all ? '\n' : ''}`)
  else if (done % 20 === 0) note(`${done} of ${all}`)
}

function note(text: string): void {
  console.error(`${((Date.now() - startedAt) / 1000).toFixed(1).padStart(5)} s  ${text}`)
}

function options(): { readonly only: string | undefined; readonly keep: boolean } {
  try {
    const { values } = parseArgs({
      options: { only: { type: 'string' }, keep: { type: 'boolean', default: false } },
    })
    return { only: values.only, keep: values.keep }
  } catch (error) {
    console.error(error instanceof Error ? error.message : error)
    console.error('usage: npm run demo [-- [--only TEXT] [--keep]]')
    process.exit(2)
  }
}

/** Cut to its column; what is cut is printed whole for a row that went wrong. */
function cut(text: string, most: number): string {
  return text.length > most ? `${text.slice(0, most - 3)}...` : text
}

/** So that a row fits on a usual terminal. */
const MOST = { id: 22, word: 13, outcome: 30 } as const
