/**
 * `npm run demo`: does it do what it says, on real servers, before your eyes?
 *
 * Brings up the laboratory, sends one message for each row of decision-table.csv
 * and for the rows beyond it, and prints what was wanted, what happened and how long
 * it took. Ends with 0 only if every row came out as wanted. `--keep` leaves the
 * laboratory's folder for a closer look; `--only TEXT` sends the rows whose id
 * contains it.
 */
import { beyondRows } from './beyond-rows.js'
import { createAuthority, startLaboratory } from './laboratory.js'
import { tableRows } from './rows.js'
import type { Row } from './rows.js'
import { runRows } from './run-rows.js'
import type { Result } from './run-rows.js'

const only = optionValue('--only')
const startedAt = Date.now()

main().then(
  (code) => {
    process.exitCode = code
  },
  (error: unknown) => {
    console.error(error)
    process.exitCode = 1
  },
)

async function main(): Promise<number> {
  note('signing zones, starting NSD, Unbound and the mail hosts')
  const { laboratory, rows } = await startLaboratory(async (port) => {
    const authority = await createAuthority()
    const all = [...(await tableRows(port, authority)), ...(await beyondRows(port, authority))]
    return all.filter(({ id }) => id.includes(only ?? ''))
  })
  try {
    note('starting two Harakas with the packed plugin: insecure_mx = dane and insecure_mx = may')
    const results = await runRows(laboratory, rows, {}, progress)
    const wrong = results.filter(({ complaints }) => complaints.length > 0)
    printTable(results)
    for (const { row, complaints } of wrong)
      console.log(`WRONG ${row.id}: ${complaints.join('; ')}`)
    console.log(
      `${rows.length - wrong.length} of ${rows.length} rows as wanted, in ${Math.round((Date.now() - startedAt) / 1000)} s`,
    )
    return wrong.length === 0 ? 0 : 1
  } finally {
    if (process.argv.includes('--keep')) note(`the laboratory is in ${laboratory.folder}`)
    else await laboratory.stop()
  }
}

function printTable(results: readonly Result[]): void {
  const header = [
    'row',
    'policy',
    'MX',
    'address',
    'TLSA',
    'certificate',
    'wanted',
    'happened',
    'ms',
    '',
  ]
  const lines = results.map(({ row, happened, milliseconds, complaints }) => [
    row.id,
    row.policy,
    row.shown.mx,
    row.shown.address,
    row.shown.tlsa,
    row.shown.certificate,
    wantedText(row),
    happened,
    String(milliseconds),
    complaints.length === 0 ? 'ok' : 'WRONG',
  ])
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

function optionValue(name: string): string | undefined {
  const at = process.argv.indexOf(name)
  return at === -1 ? undefined : process.argv[at + 1]
}
