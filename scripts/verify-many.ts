/**
 * `npm run verify-many`: measures `haraka-dane verify --file` with ten thousand domains.
 *
 * The laboratory serves them from a few dozen names with a wildcard each: five of six
 * domains verify, the rest have no TLSA record, the wrong certificate, a bogus MX
 * record or no signature. The command is that of the installed package. It prints time,
 * domains per second, peak resident memory (VmHWM) and the totals,
 * first for a tenth of the list and then for all of it, so that growth shows.
 *
 * `--domains NUMBER`, `--concurrency NUMBER`.
 */
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { cpus } from 'node:os'
import path from 'node:path'
import { performance } from 'node:perf_hooks'
import { parseArgs } from 'node:util'
import { destination } from '../lab/destination.js'
import type { DestinationOptions } from '../lab/destination.js'
import { createAuthority, startLaboratory } from '../lab/laboratory.js'
import type { Laboratory } from '../lab/laboratory.js'
import { ROOT } from '../lab/root.js'
import { PLACE } from '../lab/rows.js'
import { runCommand } from './run-command.js'

/** The number of names of each kind that have a wildcard below them. */
const KINDS: readonly (readonly [string, number, DestinationOptions])[] = [
  ['good', 25, {}],
  ['plain', 2, { tlsa: 'none' }],
  ['wrong', 1, { tlsa: 'wrong' }],
  ['late', 1, { place: PLACE.expired }],
  ['unsigned', 1, { place: PLACE.unsigned }],
]

const { values } = parseArgs({
  options: {
    domains: { type: 'string', default: '10000' },
    concurrency: { type: 'string', default: '50' },
  },
})

runCommand(main)

async function main(): Promise<number> {
  const { laboratory, rows } = await startLaboratory(async (port) => {
    const authority = await createAuthority()
    const all = KINDS.flatMap(([kind, times, options]) =>
      Array.from({ length: times }, (_, index) =>
        destination(port, authority, `${kind}${index}`, { ...options, isWild: true }),
      ),
    )
    return (await Promise.all(all)).map(({ row }) => row)
  })
  try {
    const total = Number(values.domains)
    const [cpu] = cpus()
    console.log(`${cpus().length} cores, ${cpu?.model ?? 'unknown'}, Node ${process.version}`)
    let isRight = true
    for (const count of [Math.ceil(total / 10), total]) {
      const parents = rows.map(({ domain }) => domain)
      isRight = (await measure(laboratory, parents, count)) && isRight
    }
    return isRight ? 0 : 1
  } finally {
    await laboratory.stop()
  }
}

/** Whether every domain had the expected verdict. */
async function measure(
  laboratory: Laboratory,
  parents: readonly string[],
  count: number,
): Promise<boolean> {
  const list = path.join(laboratory.folder, `list-${count}`)
  const domains = Array.from({ length: count }, (_, index) => {
    const parent = parents[index % parents.length] ?? ''
    return `d${index}.n${count}.${parent}`
  })
  await writeFile(list, domains.join('\n'))
  const startedAt = performance.now()
  const { output, peakKb } = await run([
    'verify',
    `--config=${laboratory.trusting}`,
    `--resolver=127.0.0.1:${laboratory.names.unboundPort}`,
    `--port=${laboratory.smtpPort}`,
    `--concurrency=${values.concurrency}`,
    `--file=${list}`,
  ])
  const seconds = (performance.now() - startedAt) / 1000
  const totals = output.slice(output.lastIndexOf('\n\n')).trim()
  console.log(
    `\n${count} domains, ${values.concurrency} at a time: ${seconds.toFixed(1)} s, ` +
      `${Math.round(count / seconds)} a second, peak memory ${Math.round(peakKb / 1024)} MB`,
  )
  console.log(totals)
  const verified = domains.filter((domain) => domain.includes('.good')).length
  return (
    totals.startsWith(`${count} domains: `) &&
    totals.includes(` ${verified} verified`) &&
    !totals.includes('undetermined')
  )
}

function run(args: readonly string[]): Promise<{ output: string; peakKb: number }> {
  const command = path.join(ROOT, 'build/relay/node_modules/haraka-plugin-dane/bin/haraka-dane')
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [command, ...args], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let peakKb = 0
    const timer = setInterval(() => {
      peakKb = Math.max(peakKb, peakOf(child.pid))
    }, 100)
    const parts: string[] = []
    child.stdout.setEncoding('utf8').on('data', (text: string) => parts.push(text))
    child.on('error', reject)
    child.on('close', () => {
      clearInterval(timer)
      resolve({ output: parts.join(''), peakKb })
    })
  })
}

/** Its peak resident memory, in kB. */
function peakOf(pid: number | undefined): number {
  try {
    const status = readFileSync(`/proc/${pid ?? 0}/status`, 'utf8')
    return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0)
  } catch {
    return 0 // it has just exited
  }
}
